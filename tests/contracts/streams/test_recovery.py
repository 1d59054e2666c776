"""Whatever happens, the labels delivered are those of a brute-force batch over the same events."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from schemas.events import EXPOSURE, Event
from tests.support.batch_labeller import batch_labels, final_labels, stated_id
from tests.support.label_simulation import T0_MS, WINDOW_MS, Odds, Simulation

_STEPS = 100
_NO_LIMIT = 1_000_000

odds = st.sampled_from([0.0, 0.05, 0.3, 0.8])
seeds = st.integers(0, 2**32)
PHASES = [phase for phase in Phase if phase is not Phase.explain]  # a seed has nothing to explain


@pytest.mark.parametrize("max_pending", [_NO_LIMIT, 4])
@settings(max_examples=100, deadline=None, phases=PHASES)
@given(st.builds(Odds, odds, odds, odds, odds, odds, odds, odds), seeds)
def test_the_final_labels_are_the_batchs(max_pending: int, odds: Odds, seed: int) -> None:
    """Duplicates, reordering, early and late clicks, outages, rebalances, kills; nothing is lost.

    With room for only four exposures a partition the oldest are settled early, and still.
    """
    simulation = _run(odds, seed, max_pending)
    rules = simulation.rules
    expected = batch_labels(simulation.events, rules.positives, rules.signals)
    assert final_labels(simulation.topic).labels == expected


@settings(max_examples=100, deadline=None, phases=PHASES)
@given(st.builds(Odds, st.just(0.0), odds, odds, odds, odds, odds), seeds)
def test_nothing_is_taken_back_while_no_window_is_rushed(odds: Odds, seed: int) -> None:
    """No negative is ever sent of an exposure whose positives come within the window.

    Here the clock moves nothing on before the end. After a restart a positive may be behind the
    committed offset and its exposure not, so there the positive must come after the exposure.
    """
    simulation = _run(odds, seed, _NO_LIMIT)
    steady = odds.kill == odds.rebalance == 0
    sent = {sample.sample_id for sample in simulation.topic}
    for pair, events in _punctual_pairs(simulation).items():
        shown = [event for event in events if event.action == EXPOSURE]
        acted = [event for event in events if event.action in simulation.rules.positives]
        in_time = all(abs(act.ts_ms - shown[0].ts_ms) <= WINDOW_MS for act in acted if shown)
        if shown and acted and in_time and (steady or events[-1] in acted):
            assert stated_id(*pair, EXPOSURE) not in sent, pair


def test_a_positive_before_its_exposure_is_known_after_a_restart() -> None:
    """Its record stays open, so that the replay brings it back."""
    simulation = Simulation(Odds(), Random(0), _NO_LIMIT)
    negatives = simulation.groups["negatives"]
    simulation.append(0, [Event("click", "u", "a", "r", T0_MS)])
    negatives.deliver(0)
    negatives.commit()
    negatives.kill(0, [1, 1], Random(0))
    simulation.append(0, [Event(EXPOSURE, "u", item, "r", T0_MS + 1) for item in "ab"])
    simulation.finish()
    sent = [(s.kind, s.item_id) for s in simulation.topic]
    assert sorted(sent) == [("exposure_negative", "b"), ("positive", "a")]


def test_the_simulation_makes_trouble() -> None:
    """And none where none is asked for: then no negative but a repeated exposure's comes twice."""
    calm, rough = (_run(Odds(*[share] * 6), 0, _NO_LIMIT) for share in (0.0, 0.3))
    assert final_labels(rough.topic).duplicates > 2 * final_labels(calm.topic).duplicates
    hurried = final_labels(_run(Odds(time_passes=0.3), 0, _NO_LIMIT).topic)
    assert hurried.taken_back > 2 * final_labels(calm.topic).taken_back


def _run(odds: Odds, seed: int, max_pending: int) -> Simulation:
    simulation = Simulation(odds, Random(seed), max_pending)
    for _ in range(_STEPS):
        simulation.step()
    simulation.finish()
    return simulation


def _punctual_pairs(simulation: Simulation) -> dict[tuple[str, str], list[Event]]:
    """The events of each pair in the log's order, less the signals; of the punctual pairs."""
    pairs: dict[tuple[str, str], list[Event]] = {}
    for event in simulation.events:
        if event.action not in simulation.rules.signals:
            pairs.setdefault((event.request_id, event.item_id), []).append(event)
    late = simulation.unpunctual
    return {pair: events for pair, events in pairs.items() if pair not in late}
