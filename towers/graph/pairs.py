"""Sequences to pairs of a centre and a neighbour in its window."""

from __future__ import annotations

import numpy as np

from towers.arrays import Doubles, Ints
from towers.graph.visit_log import Sequences


def thinned(sequences: Sequences, keep: Doubles, random: np.random.Generator) -> Sequences:
    """Each visit kept with its item's chance; keep: (items,)."""
    kept = random.random(len(sequences.items)) < keep[sequences.items]
    rows = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    lengths = np.bincount(rows[kept], minlength=len(sequences.lengths))
    return Sequences(sequences.items[kept], lengths)


def pairs(sequences: Sequences, window: int, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Centres and neighbours, in random order: each visit with all at most b before and after it in
    its sequence, b drawn for each centre from 1 to `window` (as word2vec); never an item with
    itself.
    """
    items = sequences.items
    rows = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)  # (visits,)
    reach = random.integers(1, window + 1, len(items))  # (visits,)
    centres, neighbours = [], []
    for distance in range(1, min(window, len(items) - 1) + 1):
        left, right = items[:-distance], items[distance:]
        near = (rows[:-distance] == rows[distance:]) & (left != right)
        forth = near & (reach[:-distance] >= distance)
        back = near & (reach[distance:] >= distance)
        centres += [left[forth], right[back]]
        neighbours += [right[forth], left[back]]
    if not centres:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first, second = np.concatenate(centres), np.concatenate(neighbours)
    order = random.permutation(len(first))
    return first[order], second[order]
