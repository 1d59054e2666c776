"""Index backends under churn: operations a second, recall and latency, side by side."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from rich.table import Table

from ops.console import out, print_json
from schemas.settings import IndexSettings
from schemas.vectors import Float32Array
from tests.benchmarks.index_contestants import Contestant, InPlace, OfShard, Static, bare
from tests.benchmarks.index_world import DEPTH, Changes, World, recall
from tests.benchmarks.rounds import parser

_EFS = (100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200)
_GOOD = 0.99
"""Recall@100 that the static graph is set to: the goal."""
_SLICE_OPERATIONS = 100
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
    p50_ratio: float
    """To the static graph's."""
    note: str = ""


class _Measured(NamedTuple):
    operations: int
    took_s: float
    recalls_10: list[float]
    recalls_100: list[float]
    latencies_ms: list[float]
    note: str


def run(contestant: Contestant, world: World, size: Size, still: bool = False) -> _Measured:
    """Load, then round by round change and ask; `still`: the items stay as they are."""
    contestant.load(world.ids, world.vectors)
    recalls: list[tuple[float, float]] = [_recalls(contestant, world, size.queries)]
    latencies_ms: list[float] = []
    operations, took_s, rounds = 0, 0.0, 0
    while rounds < size.rounds and took_s < size.budget_s:
        rounds += 1
        changes = world.change() if not still else _NOTHING
        asked = world.queries(max(len(changes.ids) // _SLICE_OPERATIONS, size.queries) + 1)
        if still:
            latencies_ms += [_timed_ms(contestant, query) for query in asked]
        for number, part in enumerate(changes.slices(_SLICE_OPERATIONS)):
            started_s = time.perf_counter()
            contestant.apply(part)
            took_s += time.perf_counter() - started_s
            operations += len(part.ids) + len(part.gone)
            latencies_ms.append(_timed_ms(contestant, asked[number % len(asked)]))
        started_s = time.perf_counter()
        contestant.flush()
        took_s += time.perf_counter() - started_s
        recalls.append(_recalls(contestant, world, size.queries))
        if still and rounds == 3:
            break
    tens, hundreds = zip(*recalls, strict=True)
    return _Measured(operations, took_s, [*tens], [*hundreds], latencies_ms, contestant.note())


def _timed_ms(contestant: Contestant, query: Float32Array) -> float:
    started_s = time.perf_counter()
    contestant.search(query, DEPTH)
    return 1e3 * (time.perf_counter() - started_s)


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
            case, still_p50_ms = f"{items:,} {kind}", 0.0
            with tempfile.TemporaryDirectory() as folder:
                for name, make in contestants(items, size, Path(folder)).items():
                    still = name.startswith("static")
                    if not still and only not in name:
                        continue
                    world = World(items, kind == "clustered")
                    contestant = make(world)
                    try:
                        measured = run(contestant, world, size, still)
                    finally:
                        contestant.close()
                    p50_ms = statistics.median(measured.latencies_ms)
                    still_p50_ms = still_p50_ms or p50_ms
                    rows.append(_row(case, name, measured, p50_ms, p50_ms / still_p50_ms))
    return rows


def _row(case: str, name: str, measured: _Measured, p50_ms: float, ratio: float) -> Row:
    rate = measured.operations / measured.took_s if measured.operations else None
    tens, hundreds = measured.recalls_10, measured.recalls_100
    return Row(
        case=case,
        contestant=name,
        operations_per_s=rate,
        rounds=len(tens) - 1 if measured.operations else 0,
        recall_10_first=tens[0],
        recall_10_last=tens[-1],
        recall_10_worst=min(tens),
        recall_100_first=hundreds[0],
        recall_100_last=hundreds[-1],
        recall_100_worst=min(hundreds),
        p50_ms=p50_ms,
        p99_ms=float(np.percentile(measured.latencies_ms, 99)),
        p50_ratio=ratio,
        note=measured.note,
    )


def show(rows: list[Row], as_json: bool) -> None:
    """A table for people, or one JSON list."""
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    heads = (
        "ops/s",
        "r@10 first/last/worst",
        "r@100 first/last/worst",
        "p50 ms",
        "p99 ms",
        "ratio",
    )
    table = Table("case", "", *heads, "note")
    for row in rows:
        tens = (row.recall_10_first, row.recall_10_last, row.recall_10_worst)
        hundreds = (row.recall_100_first, row.recall_100_last, row.recall_100_worst)
        table.add_row(
            row.case,
            row.contestant,
            "" if row.operations_per_s is None else f"{row.operations_per_s:,.0f}",
            " ".join(f"{share:.3f}" for share in tens),
            " ".join(f"{share:.3f}" for share in hundreds),
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.p50_ratio:.2f}",
            row.note,
        )
    out.print(table)


def main() -> None:
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
