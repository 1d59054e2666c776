"""Each benchmark's work, very small: what comes out, never how long it took."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import msgspec
import pytest

from schemas.events import CLICK, EXPOSURE
from schemas.settings import Settings, TowerSettings, TrainerSettings
from tests.benchmarks import labelling, recall_rpc, rounds, trainer
from tests.benchmarks.bare_model import BareModel, bare_batch
from tests.benchmarks.recall_world import embedded_broker, running
from tests.benchmarks.rounds import Figures, Row

_SMALL = Settings(
    towers=TowerSettings(dim=8, hidden=8, history=4, uniform_negatives=4),
    trainer=TrainerSettings(batch=4),
)
_SIZE = trainer.Size(
    items=100, users=10, warm_steps=2, steps=2, encodes=2, scanned=50, role_steps=60
)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    slow = iter([Figures(10, 4.0, 5.0), Figures(100, 2.0, 9.0), Figures(30, 3.0, 7.0)])
    fast = iter([Figures(20, 2.0, 2.0), Figures(120, 1.0, 1.0), Figures(90, 1.0, 3.0)])
    contenders = {"slow": lambda: next(slow), "fast": lambda: next(fast)}
    assert rounds.compare("any", contenders, 3) == [
        Row("any", "slow", 30.0, 1.0, 3.0, 7.0, 1.0),
        Row("any", "fast", 90.0, 2.0, 1.0, 2.0, 0.5),
    ]


def test_the_contenders_begin_in_turn() -> None:
    ran: list[str] = []

    def contender(name: str) -> Figures:
        ran.append(name)
        return Figures(1.0)

    rounds.compare("any", {name: partial(contender, name) for name in "abc"}, 3)
    assert "".join(ran) == "abcbcacab"


def test_rows_are_printed_as_one_json_list(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("any", "one", 2.0, 1.0), Row("any", "other", 3.0, 1.5, 1.0, 2.0, 0.5)]
    rounds.show(rows, unit="calls", as_json=True)
    assert msgspec.json.decode(capsys.readouterr().out, type=list[Row]) == rows
    rounds.show(rows, unit="calls", as_json=False)
    assert "other" in capsys.readouterr().out


@pytest.mark.parametrize("size", labelling.RECORD_SIZES)
def test_labelling_labels_every_event(size: int) -> None:
    events = labelling.stream(20_010)  # ends within a request, and is longer than the window
    records = labelling.records_of(events, size)
    assert len(records) == -(-len(events) // size)
    actions = Counter(event.action for event in events)
    assert actions[EXPOSURE] == 20_010
    assert actions[CLICK] == pytest.approx(labelling.CLICK_SHARE * 20_010, rel=0.1)
    assert labelling.run_decode(records) == len(events)
    assert labelling.run_positives(records) == actions[CLICK]
    assert labelling.run_negatives(records) == actions[EXPOSURE] - actions[CLICK]


def test_labelling_measures_each_contender_at_each_size() -> None:
    rows = labelling.measure(exposures=50, rounds=1)
    assert [row.ratio for row in rows[::3]] == [1.0] * len(labelling.RECORD_SIZES)
    assert len(rows) == 3 * len(labelling.RECORD_SIZES)


def test_the_learner_learns_each_positive_once_and_takes_each_negative() -> None:
    learning = trainer.Learning(_SMALL, _SIZE, negatives=3)
    learned, _ = learning.learn(steps=5)
    assert learned == 5 * 4
    figures = learning.learner.figures()
    fed = (_SIZE.warm_steps + 5) * 4
    assert (figures["positives"], figures["pending"], figures["duplicates"]) == (fed, 0, 0)
    assert (figures["negatives"], figures["late_positives"]) == (3 * fed, 0)
    assert figures["items"] == _SIZE.items


def test_the_learner_is_measured_beside_the_bare_loop() -> None:
    learning, *_ = rows = trainer.measure(_SMALL, _SIZE, rounds=1)
    assert learning.ratio == 1.0
    assert [row.contender.partition(" ")[0] for row in rows].count("bare") == 3
    assert len(rows) == 9


def test_the_trainers_process_learns_what_is_sent(tmp_path: Path) -> None:
    memory, role = trainer.measure_role(_SMALL, tmp_path, _SIZE, rounds=1)
    assert memory.ratio == 1.0
    assert role.per_s > 0


def test_the_bare_loop_learns() -> None:
    towers = TowerSettings(dim=8, hidden=8, history=4, uniform_negatives=4, dense_lr=0.01)
    model = BareModel(towers, items=50, categories=5)
    batch = bare_batch(towers, rows=16, items=50, seed=0)
    losses = [model.learn(batch) for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]


def test_every_recall_and_every_echo_is_answered(tmp_path: Path) -> None:
    load = recall_rpc.Load(in_flight=4, calls=10)
    with (
        embedded_broker(_SMALL, tmp_path) as settings,
        running(settings, tmp_path, items=40, users=3) as callers,
    ):
        answers = {
            name: recall_rpc.ask(client, load, users=3)
            for name, client in callers._asdict().items()
        }
    for answer in answers.values():
        assert len(answer.replies) == len(answer.latencies_ms) == load.calls
        assert {reply.status for reply in answer.replies} == {"ok"}
        assert {len(reply.items) for reply in answer.replies} == {10}
    assert {reply.shards_answered for reply in answers["recall"].replies} == {2}
    assert {reply.shards_answered for reply in answers["echo"].replies} == {0}
