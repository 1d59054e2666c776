"""One row of figures for each model evaluated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ops.evaluation.judge import Judged
from ops.evaluation.metrics import Doubles, estimate, hits, random_hits, reciprocals

CUTS = (10, 50, 200)
_HOUR_MS = 3_600_000
FRESH_MS = {"1h": _HOUR_MS, "24h": 24 * _HOUR_MS}

Row = dict[str, str | int | float | None]
"""Names and figures, as the JSON has them; None where there is nothing to take a mean of."""


class Evaluated(NamedTuple):
    """One model's verdicts, one for each seed."""

    model: str
    sync_interval: str
    judged: list[Judged]
    seconds: float
    """For each seed."""

    def hits(self, k: int) -> Doubles:
        """(positives,): the share of seeds that had the positive within the first `k`."""
        return np.asarray(np.mean([hits(one.ranks, k) for one in self.judged], axis=0))


def row_of(result: Evaluated) -> Row:
    """The row; intervals are 95 %, over users (see `estimate`), of the mean over seeds."""
    first = result.judged[0]
    row: Row = {
        "model": result.model,
        "sync_interval": result.sync_interval,
        "seeds": len(result.judged),
        "clicks": len(first.ranks),
    }
    for k in CUTS:
        of_seeds = [float(hits(one.ranks, k).mean()) for one in result.judged if len(one.ranks)]
        found = estimate(result.hits(k), first.users)
        row[f"recall@{k}"] = _number(found.mean)
        row[f"recall@{k}_low"] = _number(found.low)
        row[f"recall@{k}_high"] = _number(found.high)
        row[f"recall@{k}_seed_sd"] = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else None
    mrr = estimate(np.mean([reciprocals(one.ranks) for one in result.judged], axis=0), first.users)
    row |= {"mrr": _number(mrr.mean), "mrr_low": _number(mrr.low), "mrr_high": _number(mrr.high)}
    row["coverage"] = float(np.mean([one.listed / max(one.items, 1) for one in result.judged]))
    return row | _freshness(result) | _beginnings(result) | {"seconds": result.seconds}


def stream_figures(judged: Judged) -> Row:
    """What holds for every model alike: what clicks fell on, and what chance would find."""
    known = judged.ages_ms >= 0
    figures: Row = {
        "items": judged.items,
        "users": len(np.unique(judged.users)),
        "unseen_share": _mean(~known),
        "candidates_mean": _mean(judged.candidates),
    }
    for name, age_ms in FRESH_MS.items():
        figures[f"new_{name}_share"] = _mean(known & (judged.ages_ms <= age_ms))
    figures["unclicked_share"] = _mean(judged.unclicked)
    for k in CUTS:
        figures[f"random_expected@{k}"] = _mean(known * random_hits(judged.candidates, k))
    return figures


def _freshness(result: Evaluated) -> Row:
    """Recall of the clicks on items that were first named within the last hour, and day."""
    ages_ms = result.judged[0].ages_ms
    row: Row = {}
    for name, age_ms in FRESH_MS.items():
        fresh = (ages_ms >= 0) & (ages_ms <= age_ms)
        for k in CUTS[:2]:
            row[f"new_{name}_recall@{k}"] = _mean(result.hits(k)[fresh])
    return row


def _beginnings(result: Evaluated) -> Row:
    """Recall of the first tenth of the clicks, and of those on items that nobody had clicked."""
    unclicked = result.judged[0].unclicked
    first = len(result.judged[0].ranks) // 10
    row: Row = {}
    for k in CUTS[:2]:
        row[f"first_tenth_recall@{k}"] = _mean(result.hits(k)[:first])
        known = result.hits(k)[unclicked] if len(unclicked) else unclicked
        row[f"unclicked_recall@{k}"] = _mean(known)
    return row


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
