from __future__ import annotations

import numpy as np
import pytest

from towers.recall_meter import RecallMeter, stride


def test_the_figures_are_means_at_first_and_follow_later() -> None:
    meter = RecallMeter()
    meter.add(np.array([0, 9, 10, 49, 50]))
    figures = meter.figures()
    assert figures["recall_at_10"] == pytest.approx(2 / 5)
    assert figures["recall_at_50"] == pytest.approx(4 / 5)
    meter.add(np.zeros(20_000, np.int64))
    assert meter.figures()["recall_at_10"] == pytest.approx(1.0, abs=1e-3)


def test_ranking_is_thinned_as_the_corpus_or_the_poll_grows() -> None:
    assert stride(1_000, 1, 4) == stride(99_000, 1, 4) == stride(0, 4, 4) == 1
    assert stride(1_000, 128, 4) == 32
    for items, positives in ((1_000, 128), (30_000, 128), (7_000, 5_000)):
        assert items * positives / stride(items, positives, 128) <= 100_000
    assert stride(5_000_000, 128, 4) == 128  # one of a poll is ranked all the same
