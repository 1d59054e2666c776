from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from towers.history import history_means, history_weights

_actions = arrays(np.float32, (3, 4), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0]))


@given(_actions, st.sampled_from([0.5, 0.8, 1.0]))
def test_history_is_a_recency_weighted_mean(
    actions: np.ndarray[tuple[int, int], np.dtype[np.float32]], decay: float
) -> None:
    sums = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    places = np.arange(12).reshape(3, 4) % 5
    means = history_means(torch.from_numpy(sums), places, history_weights(actions, decay))
    for user in range(3):
        total, weight = np.zeros(2), 0.0
        for age in range(4):
            share = decay**age * actions[user, age]
            total += share * sums[places[user, age]]
            weight += share
        np.testing.assert_allclose(means[user].numpy(), total / (weight or 1), rtol=1e-4, atol=1e-5)


def test_no_history_is_zero() -> None:
    nothing = np.zeros((3, 0), np.int64), np.zeros((3, 0), np.float32)
    assert not history_means(torch.ones(5, 2), *nothing).any()
