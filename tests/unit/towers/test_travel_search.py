"""Sessions of signals, a city as context, an item's price: the blend beats each of its parts."""

from __future__ import annotations

import numpy as np

from schemas.samples import Sample
from schemas.score import CONTEXT, PAIRS, RECENT, SIMILAR, TOGETHER, bias, blended, session_marks
from schemas.settings import FeatureSettings, Settings, TowerSettings, TrainerSettings
from schemas.vectors import UserRecord, unpack_vector
from tests.support.travel_search import Search, hotels, searches
from tests.unit.towers.samples import batch, sample
from towers.arrays import Doubles
from towers.learner import Learner

_SEARCHES, _FROM, _K = 700, 350, 10
_SETTINGS = Settings(
    features=FeatureSettings(items={"price": "bucketed"}),
    towers=TowerSettings(dim=16, hidden=16, uniform_negatives=64, similar_partners=32),
    trainer=TrainerSettings(batch=16),
)


def _scores(learner: Learner, record: UserRecord) -> dict[str, Doubles]:
    """(hotels,) by part: what the whole score, and each signal alone, ranks by, as served."""
    rows = learner.world.catalogue.row
    names, counts = learner.world.trend.names, learner.current().counts
    biases = dict(zip(names, bias(counts.at(np.arange(len(learner.vectors)))).T, strict=True))
    cosines = learner.vectors @ unpack_vector(record.vector)  # (hotels,)
    marked = session_marks(record.latest)
    marked |= {SIMILAR: record.similar, TOGETHER: record.together, PAIRS: record.pairs}
    marked |= {CONTEXT + name: items for name, items in record.context.items()}
    marks = {
        name: (
            np.array([rows(item) for item in items], np.int64),
            np.array(list(items.values()), np.float64),
        )
        for name, items in marked.items()
    }
    parts = {"blend": blended(cosines, record.scale, record.weights, biases, marks)}
    parts["cosine"] = cosines.astype(np.float64)
    parts |= {name: values for name, values in biases.items() if name.startswith("positives")}
    for name in (CONTEXT + "city", RECENT, SIMILAR, TOGETHER):
        parts[name] = blended(0 * cosines, 1.0, {name: 1.0}, {}, marks)
    return parts


def _samples(number: int, search: Search) -> tuple[list[Sample], Sample]:
    """What the labeller says of the views, and of the booking."""

    def one(place: int, hotel: int, booked: bool) -> Sample:
        return sample(
            search.user,
            f"h{hotel}",
            f"{number}-{place}",
            "positive" if booked else "signal",
            ts_ms=10 * number + place,
            weight=1.0 if booked else 0.5,
            context={"city": search.city},
        )

    views = [one(place, hotel, False) for place, hotel in enumerate(search.viewed)]
    return views, one(len(views), search.booked, True)


def test_the_blend_beats_each_of_its_parts_and_comes_near_the_truth() -> None:
    random = np.random.default_rng(5)
    items, logs = hotels(random)
    learner = Learner(_SETTINGS)
    learner.put_items(items)
    hits: dict[str, list[bool]] = {}
    for number, search in enumerate(searches(random, logs, _SEARCHES)):
        views, booking = _samples(number, search)
        learner.observe([batch(*views, offset=2 * number)])
        if number >= _FROM:
            [(_, record)] = learner.user_records([search.user], 0)
            for name, scores in (_scores(learner, record) | {"truth": search.chances}).items():
                better = int((scores >= scores[search.booked]).sum())  # itself too; ties count
                hits.setdefault(name, []).append(better <= _K)
        learner.observe([batch(booking, offset=2 * number + 1)])
        if learner.pending >= 16:
            learner.learn_many(128)
    recall = {name: float(np.mean(found)) for name, found in hits.items()}
    blend, truth = recall.pop("blend"), recall.pop("truth")
    assert blend > 1.08 * max(recall.values()), (blend, recall)
    assert blend > 0.85 * truth, (blend, truth)
