from __future__ import annotations

import numpy as np

from schemas.settings import Settings, TowerSettings
from tests.unit.towers.samples import batch, sample
from towers.batches import BatchMaker
from towers.model import TwoTower
from towers.observer import Observer

_SETTINGS = TowerSettings(dim=4, history=3, exposure_negatives=2, uniform_negatives=50, replay=3)


def world(towers: TowerSettings = _SETTINGS) -> Observer:
    settings = Settings(towers=towers)
    return Observer(settings, TwoTower(towers, settings.features))


def test_new_positives_lead_and_replayed_ones_are_earlier_and_learned_before() -> None:
    seen, maker = world(), BatchMaker(_SETTINGS)
    seen.observe([batch(*(sample("u", f"i{n}", str(n)) for n in range(40)))])
    for begin, share in zip(range(0, 40, 4), [1.0, 1.0, 0.5, 0.0, *[1.0] * 6], strict=True):
        prepared = maker.next(seen, 4, share)
        assert prepared is not None
        new, made = prepared
        assert new.tolist() == list(range(begin, begin + 4))
        assert made.new == 4
        assert made.targets[:4].tolist() == new.tolist()  # item n was taken n-th
        replayed = made.targets[4:]
        assert len(replayed) == (share * 12 if begin else 0)  # nothing is behind the first batch
        assert (replayed < begin).all()
    assert maker.unreplayed == 6 + 12
    assert maker.next(seen, 4, 1.0) is None


def test_passed_over_items_are_the_users_own_and_never_what_they_took() -> None:
    seen, maker = world(), BatchMaker(_SETTINGS)
    seen.observe(
        [
            batch(
                sample("u", "passed", "1", "exposure_negative"),
                sample("u", "taken-later", "1", "exposure_negative"),
                sample("v", "other", "1", "exposure_negative"),
                *(sample("u", "taken-later", str(n)) for n in range(2, 9)),
                sample("w", "first", "9"),
            )
        ]
    )
    prepared = maker.next(seen, 8, 1.0)
    assert prepared is not None
    made = prepared[1]
    found = {seen.catalogue.ids[item] for item in made.passed[~made.passed_absent]}
    assert found == {"passed"}
    assert made.passed_absent[7].all()  # w passed nothing over
    assert made.passed_absent[:7].any()  # some draws fell on what u took after all


def test_uniform_draws_are_uniform_over_living_items_and_the_counts_are_expected_ones() -> None:
    seen, maker = world(), BatchMaker(_SETTINGS)
    drawn: list[int] = []
    for number in range(100):
        seen.observe([batch(sample("u", f"i{number % 5}", str(number)))])
        seen.catalogue.delete("i4")
        prepared = maker.next(seen, 1, 1.0)
        assert prepared is not None
        made = prepared[1]
        drawn += made.uniform.tolist()
        columns = np.concatenate([made.targets, made.uniform])
        living = int(seen.catalogue.alive.sum())
        expected = len(made.targets) * seen.frequency.frequencies(columns) + 50 / living
        np.testing.assert_allclose(np.exp(made.log_counts), expected, rtol=1e-5)
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    assert shares[4] == 0.0
    np.testing.assert_allclose(shares[:4], 0.25, atol=0.03)


def test_only_what_is_drawn_is_corrected_for() -> None:
    samples = [sample("u", f"i{n}", str(n)) for n in range(8)]
    for uniform in (50, 0):
        towers = _SETTINGS.model_copy(
            update={"in_batch_negatives": False, "uniform_negatives": uniform}
        )
        seen, maker = world(towers), BatchMaker(towers)
        seen.observe([batch(*samples)])
        prepared = maker.next(seen, 4, 1.0)
        assert prepared is not None
        expected = np.full(4 + uniform, np.log(50 / 8) if uniform else 0.0)
        np.testing.assert_allclose(prepared[1].log_counts, expected, rtol=1e-5)
