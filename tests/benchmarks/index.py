"""Index backends under churn: operations a second, recall and latency, side by side."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from rich.table import Table

from index_service.node import SWITCH_S
from ops.console import out, print_json
from schemas.settings import IndexSettings
from schemas.vectors import Float32Array
from tests.benchmarks.index_contestants import Contestant, InPlace, OfLive, OfShard, Static, bare
from tests.benchmarks.index_world import DEPTH, Changes, World, recall
from tests.benchmarks.rounds import parser

_EFS = (100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200)
_GOOD = 0.99
"""Recall@100 that the static graph is set to: the goal."""
_SLICE_OPERATIONS = 100
_STILL_ROUNDS = 3
_NOTHING = Changes([], np.empty((0, 0), dtype=np.float32), [])


class Size(NamedTuple):
    """How much is done."""

    items: tuple[int, ...] = (50_000, 200_000)
    rounds: int = 40
    queries: int = 50
    budget_s: float = 20.0
    """Of rounds, for one contestant; the round under way is finished."""
    milvus_items: int = 50_000
    """With more, loading Milvus Lite takes minutes."""


QUICK = Size(items=(5_000,), rounds=3, queries=20, budget_s=5.0)


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One contestant in one case."""

    case: str
    contestant: str
    operations_per_s: float | None
    rounds: int
    recall_10_first: float
    recall_10_last: float
    recall_10_worst: float
    recall_100_first: float
    recall_100_last: float
    recall_100_worst: float
    p50_ms: float
    """Of one query for 100 items, between two slices of changes."""
    p99_ms: float
    p50_cpu_ms: float
    """The processor time of the asking thread: steadier where a machine is busy."""
    p50_ratio: float
    """Of the p50 to the static graph's."""
    p50_cpu_ratio: float
    """Likewise."""
    operations_per_cpu_s: float | None = None
    """Of all threads, those of the background too."""
    note: str = ""


class _Times(NamedTuple):
    wall: float
    cpu: float


class _Measured(NamedTuple):
    operations: int
    took_s: _Times
    recalls_10: list[float]
    recalls_100: list[float]
    latencies_ms: list[_Times]
    note: str


def run(contestant: Contestant, world: World, size: Size, still: bool = False) -> _Measured:
    """Load, then round by round change and ask; `still`: the items stay as they are."""
    contestant.load(world.ids, world.vectors)
    recalls: list[tuple[float, float]] = [_recalls(contestant, world, size.queries)]
    latencies_ms: list[_Times] = []
    spent: list[_Times] = [_Times(0.0, 0.0)]
    operations, rounds = 0, 0

    def work(do: Callable[[], None]) -> None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        do()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        spent.append(_Times(spent[-1].wall + wall_s, spent[-1].cpu + cpu_s))

    while rounds < (_STILL_ROUNDS if still else size.rounds) and spent[-1].wall < size.budget_s:
        rounds += 1
        changes = _NOTHING if still else world.change()
        asked = world.queries(size.queries)
        for number, part in enumerate(changes.slices(_SLICE_OPERATIONS)):
            work(partial(contestant.apply, part))
            operations += len(part.ids) + len(part.gone)
            latencies_ms.append(_timed_ms(contestant, asked[number % len(asked)]))
        if still:
            latencies_ms += [_timed_ms(contestant, query) for query in asked]
        work(contestant.flush)
        recalls.append(_recalls(contestant, world, size.queries))
    tens, hundreds = zip(*recalls, strict=True)
    return _Measured(operations, spent[-1], [*tens], [*hundreds], latencies_ms, contestant.note())


def _timed_ms(contestant: Contestant, query: Float32Array) -> _Times:
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    contestant.search(query, DEPTH)
    return _Times(1e3 * (time.perf_counter() - wall_s), 1e3 * (time.thread_time() - cpu_s))


def _recalls(contestant: Contestant, world: World, queries: int) -> tuple[float, float]:
    asked = world.queries(queries)
    truth = world.nearest(asked)
    found = [contestant.search(query, DEPTH) for query in asked]
    return recall(found, truth, 10), recall(found, truth, DEPTH)


def contestants(
    items: int, size: Size, folder: Path
) -> Mapping[str, Callable[[World], Contestant]]:
    """By name; each is made for a world as it is at the start."""
    settings = IndexSettings()
    # Small runs have shards below `exact_below`, which would compare everything.
    small = {"exact_below": min(settings.exact_below, items // 2)}

    def good(world: World) -> Callable[[Contestant], bool]:
        return lambda graph: _recalls(graph, world, size.queries)[1] >= _GOOD

    made: dict[str, Callable[[World], Contestant]] = {
        "static hnswlib graph": lambda world: Static(settings, good(world), _EFS),
        "shard, hnsw": lambda _: OfShard("hnsw", **small),
        "shard, faiss-ivf": lambda _: OfShard("faiss-ivf", **small),
        "shard, exact": lambda _: OfShard("exact"),
        "nearest only, hnsw": lambda _: OfLive("hnsw", **small),
        "nearest only, faiss-ivf": lambda _: OfLive("faiss-ivf", **small),
        "hnswlib in place, ef 200": lambda _: InPlace(settings, 200),
        "Faiss IVF, nprobe 16": lambda _: bare("faiss-ivf", folder, 16),
        "exact": lambda _: bare("exact", folder),
    }
    if items <= size.milvus_items:
        made["Milvus Lite"] = lambda _: bare("milvus", folder)
    return made


def measure(size: Size, kinds: tuple[str, ...], only: str = "") -> list[Row]:
    """Every contestant whose name has `only` in it, and the static graph, in every case."""
    rows: list[Row] = []
    for items in size.items:
        for kind in kinds:
            case, floor = f"{items:,} {kind}", _Times(0.0, 0.0)
            with tempfile.TemporaryDirectory() as folder:
                for name, make in contestants(items, size, Path(folder)).items():
                    still = name.startswith("static")
                    if not still and only not in name:
                        continue
                    print(f"{case}: {name}", file=sys.stderr, flush=True)
                    world = World(items, kind == "clustered")
                    contestant = make(world)
                    try:
                        measured = run(contestant, world, size, still)
                    finally:
                        contestant.close()
                    floor = _medians(measured) if still else floor
                    rows.append(_row(case, name, measured, floor))
                    print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    return rows


def _medians(measured: _Measured) -> _Times:
    return _Times(*(statistics.median(each) for each in zip(*measured.latencies_ms, strict=True)))


def _row(case: str, name: str, measured: _Measured, floor: _Times) -> Row:
    operations, spent = measured.operations, measured.took_s
    tens, hundreds = measured.recalls_10, measured.recalls_100
    p50 = _medians(measured)
    return Row(
        case=case,
        contestant=name,
        operations_per_s=operations / spent.wall if operations else None,
        operations_per_cpu_s=operations / spent.cpu if operations else None,
        rounds=len(tens) - 1 if operations else 0,
        recall_10_first=tens[0],
        recall_10_last=tens[-1],
        recall_10_worst=min(tens),
        recall_100_first=hundreds[0],
        recall_100_last=hundreds[-1],
        recall_100_worst=min(hundreds),
        p50_ms=p50.wall,
        p99_ms=float(np.percentile([each.wall for each in measured.latencies_ms], 99)),
        p50_cpu_ms=p50.cpu,
        p50_ratio=p50.wall / floor.wall,
        p50_cpu_ratio=p50.cpu / floor.cpu,
        note=measured.note,
    )


def show(rows: list[Row], as_json: bool) -> None:
    """A table for people, or one JSON list."""
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    columns: dict[str, Callable[[Row], str]] = {
        "ops/s": lambda row: _rate(row.operations_per_s),
        "ops/cpu s": lambda row: _rate(row.operations_per_cpu_s),
        "r@10 first": lambda row: f"{row.recall_10_first:.3f}",
        "last": lambda row: f"{row.recall_10_last:.3f}",
        "worst": lambda row: f"{row.recall_10_worst:.3f}",
        "r@100 first": lambda row: f"{row.recall_100_first:.3f}",
        "last ": lambda row: f"{row.recall_100_last:.3f}",
        "worst ": lambda row: f"{row.recall_100_worst:.3f}",
        "p50 ms": lambda row: f"{row.p50_ms:.2f}",
        "p99 ms": lambda row: f"{row.p99_ms:.2f}",
        "ratio": lambda row: f"{row.p50_ratio:.2f}",
        "p50 cpu ms": lambda row: f"{row.p50_cpu_ms:.2f}",
        "cpu ratio": lambda row: f"{row.p50_cpu_ratio:.2f}",
    }
    for case in dict.fromkeys(row.case for row in rows):
        table = Table(case, *columns)
        for row in (row for row in rows if row.case == case):
            table.add_row(row.contestant, *(cell(row) for cell in columns.values()))
        out.print(table)
        for row in (row for row in rows if row.case == case):
            out.print(f"{row.contestant}: {row.note}", soft_wrap=True)


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}"


def main() -> None:
    sys.setswitchinterval(SWITCH_S)  # as in a node
    options = parser("index", __doc__, rounds=Size().rounds)
    options.add_argument("--quick", action="store_true", help="5,000 items, 3 rounds: does it run?")
    options.add_argument("--items", type=int, nargs="+", default=Size().items)
    kinds = ("clustered", "unclustered")
    options.add_argument("--vectors", choices=kinds, nargs="+", default=kinds)
    options.add_argument("--only", default="", help="contestants with this in their name")
    options.add_argument("--budget-s", type=float, default=Size().budget_s)
    given = options.parse_args()
    size = Size(items=tuple(given.items), rounds=given.rounds, budget_s=given.budget_s)
    rows = measure(QUICK if given.quick else size, tuple(given.vectors), given.only)
    show(rows, given.json)


if __name__ == "__main__":
    main()
