"""All items of a large catalogue: their vectors made anew, and how far each has drifted."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from schemas.events import Item
from schemas.settings import Settings
from tests.benchmarks.rounds import Figures, Row, compare
from towers.learner import Learner
from towers.publisher import Publisher

_CATEGORIES = 50


def measure_scan(settings: Settings, items: int, rounds: int) -> list[Row]:
    """The learner and the publisher beside bare torch's normalised sum of two rows an item."""
    learner = Learner(settings)
    learner.put_items(
        Item(f"i{number}", 1, features={"category": f"c{number % _CATEGORIES}"})
        for number in range(items)
    )
    towers = settings.towers
    publisher = Publisher(settings)
    rows = np.arange(items)
    publisher.mark(rows, learner.current())
    ids, categories = torch.randn(items, towers.dim), torch.randn(_CATEGORIES, towers.dim)
    category = torch.arange(items) % _CATEGORIES  # (items,)

    def timed(run: Callable[[], object]) -> Callable[[], Figures]:
        def once() -> Figures:
            started_s = time.perf_counter()
            run()
            return Figures(items / (time.perf_counter() - started_s))

        return once

    contenders = {
        "bare torch encode": timed(lambda: F.normalize(ids + categories[category])),
        "learner's refresh": timed(lambda: learner.refresh(rows)),
        "publisher's drift scan": timed(lambda: publisher.due_in_scan(rows, learner.current())),
    }
    return compare(f"all of {items:,} items", contenders, rounds)
