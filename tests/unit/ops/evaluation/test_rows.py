from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from ops.evaluation.judge import UNSEEN, Judged
from ops.evaluation.report import report_of
from ops.evaluation.rows import Evaluated, row_of, stream_figures
from ops.evaluation.table import footing, summary_line
from tests.unit.ops.evaluation.streams import event, stream_of

_HOUR_MS = 3_600_000


def judged(*ranks: int, listed: int = 3) -> Judged:
    """Four clicks of three users: on an item unseen, one of an hour, of a day, and older."""
    return Judged(
        np.array(ranks, np.int64),
        np.array([100, 100, 200, 400], np.int64),
        np.array([UNSEEN, _HOUR_MS, 24 * _HOUR_MS, 24 * _HOUR_MS + 1], np.int64),
        np.array([0, 0, 1, 2], np.int64),
        listed,
        items=12,
    )


def test_a_row_by_hand() -> None:
    row = row_of(Evaluated("some", "live", [judged(0, 10, 11, 200)], 1.5))
    assert (row["model"], row["sync_interval"], row["seeds"], row["clicks"]) == (
        "some", "live", 1, 4,
    )  # fmt: skip
    assert [row[f"recall@{k}"] for k in (10, 50, 200)] == [0.25, 0.5, 0.75]
    assert row["mrr"] == pytest.approx((1 / 10 + 1 / 11 + 1 / 200) / 4)
    assert row["coverage"] == 0.25
    assert row["recall@10_seed_sd"] is None
    assert (row["new_1h_recall@10"], row["new_1h_recall@50"]) == (1, 1)
    assert (row["new_24h_recall@10"], row["new_24h_recall@50"]) == (0.5, 1)


def test_seeds_are_averaged_click_by_click() -> None:
    row = row_of(Evaluated("some", "live", [judged(0, 10, 0, 0), judged(0, 10, 3, 0)], 1))
    assert (row["seeds"], row["recall@10"]) == (2, 0.375)
    assert row["recall@10_seed_sd"] == pytest.approx(np.std([0.25, 0.5], ddof=1))
    # Deviations of the users' sums: user 0 has 0 + 1 of 2, user 1 has 0.5, user 2 has 0.
    sums = np.array([1 - 0.75, 0.5 - 0.375, 0 - 0.375])
    half = 1.959964 * np.sqrt((sums**2).sum() / 16 * 3 / 2)
    assert row["recall@10_low"] == pytest.approx(0.375 - half)
    assert row["recall@10_high"] == pytest.approx(0.375 + half)


def test_what_holds_for_every_model() -> None:
    figures = stream_figures(judged(0, 0, 0, 0))
    assert (figures["unseen_share"], figures["candidates_mean"]) == (0.25, 200)
    assert (figures["new_1h_share"], figures["new_24h_share"]) == (0.25, 0.5)
    assert (figures["items"], figures["users"]) == (12, 3)
    assert figures["random_expected@10"] == pytest.approx((0.1 + 0.05 + 0.025) / 4)


def test_nothing_to_judge_is_said_as_null() -> None:
    nothing = np.zeros(0, np.int64)
    empty = Judged(nothing, nothing, nothing, nothing, 0, 0)
    result = Evaluated("some", "5m", [empty], 0)
    stream = stream_of([event("exposure", "u", "a"), event("teleport", "u", "a")])
    report = report_of("test", stream, True, [result])
    told = json.loads(msgspec.json.encode(report))
    assert told["rows"][0]["recall@10"] is None
    assert (told["events"], told["unknown_actions"], told["clicks"]) == (1, 1, 0)
    assert "recall@10 -" in summary_line(result)
    assert summary_line(result).startswith("some @5m: ")
    assert "1 events left out" in footing(report)
