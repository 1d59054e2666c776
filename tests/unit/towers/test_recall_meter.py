from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from towers.recall_meter import Probe, RecallMeter, ranks, stride
from towers.trend import TrendCounts


def test_ranks_as_sorting_does() -> None:
    random = np.random.default_rng(0)
    items, dim, scale = 12, 4, 5.0
    vectors = random.standard_normal((items, dim)).astype(np.float32)
    users = random.standard_normal((20, dim)).astype(np.float32)
    servable = random.random(items) < 0.8
    weights = {"positives": 0.7, "exposures": -0.2}
    probes = []
    for _ in range(20):
        known = int(random.integers(6, items + 1))
        counts = TrendCounts(random.random(known) * 9, random.random(known) * 9, 1.0)
        excluded = random.choice(known, int(random.integers(0, 4)), replace=False)
        probes.append(Probe(int(random.integers(items)), excluded, counts))
    found = ranks(
        torch.from_numpy(users), torch.from_numpy(vectors), probes, servable, scale, weights
    )
    for row, probe in enumerate(probes):
        known = len(probe.counts.positives)
        if probe.item >= known or not servable[probe.item]:
            assert found[row] == items
            continue
        scores = {
            item: scale * float(users[row] @ vectors[item])
            + 0.7 * math.log1p(probe.counts.positives[item])
            - 0.2 * math.log1p(probe.counts.exposures[item])
            for item in range(known)
            if servable[item] and (item == probe.item or item not in probe.excluded)
        }
        ordered = sorted(scores, key=lambda item: -scores[item])
        assert found[row] == ordered.index(probe.item)


def test_a_tie_counts_against_the_positive() -> None:
    counts = TrendCounts(np.zeros(3), np.zeros(3), 0.0)
    probe = Probe(1, np.zeros(0, np.int64), counts)
    alike = torch.ones(3, 2)
    servable = np.ones(3, np.bool_)
    assert ranks(torch.ones(1, 2), alike, [probe], servable, 1.0, {}).tolist() == [2]


def test_the_figures_are_means_at_first_and_follow_later() -> None:
    meter = RecallMeter()
    meter.add(np.array([0, 9, 10, 49, 50]))
    figures = meter.figures()
    assert figures["recall_at_10"] == pytest.approx(2 / 5)
    assert figures["recall_at_50"] == pytest.approx(4 / 5)
    meter.add(np.zeros(20_000, np.int64))
    assert meter.figures()["recall_at_10"] == pytest.approx(1.0, abs=1e-3)


def test_ranking_is_thinned_as_the_corpus_grows() -> None:
    assert stride(1_000, 128) == 1
    cells = [100_000 * 128 / stride(100_000, 128), 5_000_000 * 128 / stride(5_000_000, 128)]
    assert all(cell <= 250_000 for cell in cells)
