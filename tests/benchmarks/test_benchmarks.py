"""Each benchmark's work, very small: what comes out, never how long it took."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ops.commands.bench import find_benches
from schemas.errors import EnvironmentProblem
from schemas.events import CLICK, EXPOSURE
from schemas.samples import POSITIVE, SampleBatch
from schemas.settings import Settings, TowerSettings, TrainerSettings
from tests.benchmarks import (
    freshness,
    graph,
    index,
    label_cores,
    label_stream,
    labelling,
    rounds,
    rpc,
    trainer,
)
from tests.benchmarks.bare_model import BareModel, bare_batch
from tests.benchmarks.brokers import embedded_broker
from tests.benchmarks.index_world import World, recall
from tests.benchmarks.label_stream import Labels
from tests.benchmarks.recall_world import running
from tests.benchmarks.rounds import Figures, Row
from tests.support.command import penstock
from tests.support.servers import KAFKA_HOME

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
    assert msgspec.json.decode(capsys.readouterr().out) == [
        {"case": "any: one", "calls_per_s": 2.0, "ratio": 1.0},
        {
            "case": "any: other",
            "calls_per_s": 3.0,
            "ratio": 1.5,
            "p50_ms": 1.0,
            "p99_ms": 2.0,
            "p50_ratio": 0.5,
        },
    ]
    rounds.show(rows, unit="calls", as_json=False)
    assert "other" in capsys.readouterr().out


def test_the_benches_of_the_checkout_are_listed() -> None:
    done = penstock("bench")
    assert done.returncode == 0
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert set(listed) >= {"index", "labelling", "rpc", "trainer"}
    assert listed["rpc"] == (rpc.__doc__ or "").partition("\n")[0]
    assert "echo" not in listed


def test_an_unknown_bench_is_refused_with_the_closest() -> None:
    done = penstock("bench", "labeling")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("got 'labeling'; did you mean 'labelling'?")
    assert len(done.stderr.splitlines()) == 1


def test_a_bench_gets_what_follows_its_name_and_gives_its_exit_code() -> None:
    done = penstock("bench", "labelling", "--help")
    assert (done.returncode, "--cases" in done.stdout) == (0, True)
    done = penstock("bench", "labelling", "--cases", "memroy")
    assert done.returncode == 2
    assert "memory, kafka, peers; got memroy" in done.stderr


def test_benches_need_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"lie in a checkout; .* clone Penstock"):
        find_benches(tmp_path)


@pytest.mark.parametrize("size", labelling.RECORD_SIZES)
def test_labelling_labels_every_event(size: int) -> None:
    stream = label_stream.stream(20_010)  # ends within a request, and is longer than the window
    records = label_stream.records_of(stream.events, size)
    assert len(records) == -(-len(stream.events) // size)
    actions = Counter(event.action for event in stream.events)
    assert actions[EXPOSURE] == 20_010
    assert actions[CLICK] == pytest.approx(label_stream.CLICK_SHARE * 20_010, rel=0.1)
    written: list[SampleBatch] = []
    assert label_cores.run_decode(records, stream.rules) == len(stream.events)
    decoded = [*label_cores.decode(records, stream.rules)]
    assert label_cores.run_positives(decoded, stream.rules) == actions[CLICK]
    assert label_cores.run_positives(decoded, stream.rules, written.append) == actions[CLICK]
    assert _labels(written) == label_stream.expected(stream.events, positives=True, negatives=False)
    written.clear()
    passed = actions[EXPOSURE] - actions[CLICK]
    assert label_cores.run_negatives(decoded, stream) == passed
    assert label_cores.run_negatives(decoded, stream, written.append) == passed
    assert _labels(written) == label_stream.expected(stream.events, positives=False, negatives=True)


def _labels(batches: list[SampleBatch]) -> Labels:
    labels = Labels()
    for batch in batches:
        for sample in batch.stated():
            labels.add(sample.request_id, sample.item_id, sample.kind == POSITIVE)
    return labels


def test_labels_are_the_same_in_any_order_and_each_counts() -> None:
    one, other, short, changed = (Labels() for _ in range(4))
    labels = [("r1", "i1", True), ("r1", "i2", False), ("r2", "i1", False)]
    for number, label in enumerate(labels):
        one.add(*label)
        other.add(*labels[-1 - number])
        changed.add(label[0], label[1], number == 1)
    short.add(*labels[0])
    assert one == other
    assert short != one != changed


def test_labelling_measures_each_contender_at_each_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = labelling.measure(["memory"], labelling.QUICK._replace(memory=50), rounds=1)
    assert [row.ratio for row in rows[::5]] == [1.0] * len(labelling.RECORD_SIZES)
    assert len(rows) == 5 * len(labelling.RECORD_SIZES)
    assert "left out" not in capsys.readouterr().err


@pytest.mark.skipif(KAFKA_HOME is not None, reason="KAFKA_HOME is set: nothing is left out")
def test_labelling_tells_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert labelling.measure(["kafka", "peers"], labelling.QUICK, rounds=1) == []
    assert "left out: kafka and peers" in capsys.readouterr().err


@pytest.mark.skipif(KAFKA_HOME is None, reason="KAFKA_HOME is not set; it names a Kafka")
@pytest.mark.parametrize("role", labelling.LABEL_ROLES)
def test_a_role_makes_exactly_the_labels_on_kafka(role: labelling.LabelRoleName) -> None:
    with labelling.running_kafka() as kafka:
        figures = labelling.run_role(kafka, role, exposures=2_000, size=100)
    assert figures.note == ""
    assert figures.per_s > 0


def test_a_run_that_is_not_right_is_told() -> None:
    bad = iter([Figures(4.0), Figures(2.0, note="lost"), Figures(0.0, note="died")])
    rows = rounds.compare("any", {"one": lambda: Figures(2.0), "two": lambda: next(bad)}, 3)
    assert rows[1] == Row("any", "two", 2.0, 1.0, note="lost; died")


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
    load = rpc.Load(in_flight=4, calls=10)
    with (
        embedded_broker(_SMALL, tmp_path) as settings,
        running(settings, tmp_path, items=40, users=3) as callers,
    ):
        answers = {
            name: rpc.ask(client, load, users=3)
            for name, client in (("echo", callers.echo), ("recall", callers.recall))
        }
        assert callers.updates.sent > 0
    for answer in answers.values():
        assert len(answer.replies) == len(answer.latencies_ms) == load.calls
        assert {reply.status for reply in answer.replies} == {"ok"}
        assert {len(reply.items) for reply in answer.replies} == {10}
    assert {reply.shards_answered for reply in answers["recall"].replies} == {2}
    assert {reply.shards_answered for reply in answers["echo"].replies} == {0}


def test_graph_walks_and_learns_what_is_planted() -> None:
    size = graph.Size(items=500, edges=2_000, walks=20, length=5, steps=1, users=200, epochs=3)
    rows = graph.measure_walks(size, 1) + graph.measure_pairs(size, 1)
    assert [row.contender for row in rows] == [
        "unweighted draws alone", "DeepWalk", "node2vec, p 0.5, q 2", "bare torch", "skip-gram",
    ]  # fmt: skip
    sessions = graph.clicks_of(size)
    assert {len(one) for one in sessions} == {size.clicks}
    chance = 50 / size.items
    vectors = {item: np.eye(50, dtype=np.float32)[item // 10] for item in range(size.items)}
    assert graph.recall(vectors, sessions) == 1.0  # by the communities, which the clicks keep to
    own = graph._own(sessions, size, 1)
    assert float(own.note.removeprefix("recall@50 ")) > 3 * chance


def test_each_way_of_freshness_is_followed_to_its_end(tmp_path: Path) -> None:
    size = freshness.Size(
        seconds=4.0, warm_s=3.0, events_per_s=100.0, items=40, users=12, probe_users=3
    )
    with embedded_broker(_SMALL, tmp_path) as settings:
        rows, facts = freshness.measure(settings, tmp_path, size)
    assert all(row.probes > 0 for row in rows)
    assert facts["events_per_s"] > 0
    by_case = {row.case: row.p50_ms or 0 for row in rows}
    assert 0 < by_case["click to user vector"] <= by_case["click to changed recall"]


def test_the_items_of_the_index_bench_move_come_and_go() -> None:
    world = World(1_000, clustered=True)
    before = dict(zip(world.ids, world.vectors, strict=True))
    changes = world.change()
    after = dict(zip(world.ids, world.vectors, strict=True))
    assert (len(after), len(changes.ids), len(changes.gone)) == (1_000, 25, 5)
    assert before.keys() - after.keys() == set(changes.gone)
    assert len(after.keys() - before.keys()) == 5
    expected = {**before, **dict(zip(changes.ids, changes.vectors, strict=True))}
    assert all((expected[item_id] == vector).all() for item_id, vector in after.items())
    parts = [*changes.slices(10)]
    assert [each for part in parts for each in part.ids] == changes.ids
    assert [each for part in parts for each in part.gone] == changes.gone
    query = world.queries(1)
    nearest = max(after, key=lambda item_id: float(after[item_id] @ query[0]))
    assert world.nearest(query)[0][0] == nearest


def test_recall_is_the_share_of_the_true_nearest_found() -> None:
    truth = [["a", "b", "c", "d"], ["e", "f", "g", "h"]]
    assert recall([["b", "a", "x", "y"], ["e", "z", "f", "g"]], truth, 2) == 0.75
    assert recall(truth, truth, 4) == 1.0


_BACKENDS = ("hnsw", "faiss-ivf")


@pytest.mark.parametrize("kind", ["clustered", "unclustered"])
def test_the_index_bench_changes_and_asks_every_contestant(kind: str) -> None:
    size = index.Size(items=(1_500,), rounds=2, queries=6)
    rows = {row.contestant: row for row in index.measure(size, (kind,))}
    assert len(rows) == 10
    for name, row in rows.items():
        still = name.startswith("static")
        assert (row.rounds, row.operations_per_s is None) == ((0, True) if still else (2, False))
        assert row.recall_10_worst <= min(row.recall_10_first, row.recall_10_last)
    for name in ("exact", "shard, exact"):
        assert rows[name].recall_10_worst == rows[name].recall_100_worst == 1.0
    backends = [f"{what}, {name}" for what in ("shard", "nearest only") for name in _BACKENDS]
    for name in backends:
        assert rows[name].recall_100_worst > 0.95
        assert "rebuilds" in rows[name].note
