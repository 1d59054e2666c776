"""Walks and skip-gram beside bare torch loops, and item2vec beside gensim on the same clicks."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ops.console import err
from schemas.errors import EnvironmentProblem
from tests.benchmarks.label_contestants import PEERS_FOLDER, Peer, python_of
from tests.benchmarks.rounds import Figures, Row, compare, parser, show
from towers.arrays import Floats, Ints
from towers.features import FeatureReader
from towers.graph.adjacency import Adjacency
from towers.graph.click_feed import ClickFeed, FeedRules
from towers.graph.methods import MethodRules, Training
from towers.graph.sessions import SessionRules
from towers.graph.skip_gram import ItemInputs, SkipGram, SkipGramRules
from towers.graph.walks import first_order_walks, second_order_walks

GENSIM = Peer("gensim_item2vec", "gensim", ("app.py",))
_COMMUNITIES = 50


class Size(NamedTuple):
    """How much is run."""

    items: int = 5_000
    edges: int = 100_000
    walks: int = 5_000
    length: int = 40
    steps: int = 40
    """Batches of pairs."""
    users: int = 4_000
    clicks: int = 20
    """Of each user, the last of them to be found."""
    epochs: int = 5


FULL = Size()
QUICK = Size(500, 5_000, 500, 20, 5, 300, 10, 2)


def main() -> None:
    options = parser("graph", __doc__, rounds=3)
    options.add_argument("--quick", action="store_true", help="one round of less work")
    options.add_argument("--no-gensim", action="store_true", help="leave the peer out")
    given = options.parse_args()
    torch.set_num_threads(1)
    size, rounds = (QUICK, 1) if given.quick else (FULL, given.rounds)
    rows = measure_walks(size, rounds) + measure_pairs(size, rounds)
    if not given.no_gensim:
        rows += measure_item2vec(size, rounds)
    show(rows, unit="count", as_json=given.json)  # of what its case names


def measure_walks(size: Size, rounds: int) -> list[Row]:
    """Walks a second; the floor draws a row of a matrix of neighbours for each step."""
    random = np.random.default_rng(0)
    keys = np.unique(random.integers(0, size.items**2, size.edges))
    graph = Adjacency(
        size.items, keys // size.items, keys % size.items, random.random(len(keys)) + 0.1
    ).undirected()
    starts = random.integers(0, size.items, size.walks)
    neighbours = random.integers(0, size.items, (size.items, 20))

    def bare() -> None:
        here = starts
        for _ in range(size.length - 1):
            here = neighbours[here, random.integers(0, 20, len(here))]

    def walks(p: float, q: float) -> Callable[[], object]:
        if p == q == 1:
            return lambda: first_order_walks(graph, starts, size.length, random)
        return lambda: second_order_walks(graph, starts, size.length, p, q, random)

    contenders: dict[str, Callable[[], object]] = {
        "unweighted draws alone": bare,
        "DeepWalk": walks(1, 1),
        "node2vec, p 0.5, q 2": walks(0.5, 2.0),
    }
    timed = {name: _timer(run, size.walks) for name, run in contenders.items()}
    return compare(f"walks of {size.length}", timed, rounds)


def measure_pairs(size: Size, rounds: int) -> list[Row]:
    """Pairs a second; the floor is a bare torch loop with autograd and sparse SGD."""
    rules, random = SkipGramRules(), np.random.default_rng(0)
    drawn = random.integers(0, size.items, (size.steps, 2, rules.batch))
    inputs = ItemInputs(size.items, rules.dim, rules.rate, torch.Generator().manual_seed(0))
    model = SkipGram(inputs, np.ones(size.items), rules, random)

    def core() -> None:
        for centres, neighbours in drawn:
            model.learn(centres, neighbours)

    pairs = size.steps * rules.batch
    contenders = {
        "bare torch": _timer(lambda: _bare_pairs(drawn, size.items, rules), pairs),
        "skip-gram": _timer(core, pairs),
    }
    return compare(f"pairs, dim {rules.dim}", contenders, rounds)


def _bare_pairs(drawn: Ints, items: int, rules: SkipGramRules) -> None:
    first, second = (torch.nn.Embedding(items, rules.dim, sparse=True) for _ in range(2))
    sgd = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.05)
    for centres, neighbours in torch.from_numpy(drawn):
        negatives = torch.randint(items, (len(centres), rules.negatives))
        u = first(centres)  # (pairs, dim)
        right = (u * second(neighbours)).sum(1)  # (pairs,)
        wrong = torch.einsum("pd,pnd->pn", u, second(negatives))  # (pairs, negatives)
        loss = -F.logsigmoid(right).sum() - F.logsigmoid(-wrong).sum()
        sgd.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        sgd.step()


def measure_item2vec(size: Size, rounds: int) -> list[Row]:
    """Visits a second, epochs times visits; the note tells recall@50 of each user's last click."""
    try:
        python = python_of(GENSIM, _say)
    except EnvironmentProblem as error:
        _say(f"left out: {error}")
        return []
    sessions = clicks_of(size)
    visits = size.epochs * sum(len(one) - 1 for one in sessions)
    return compare(
        "visits, item2vec on the same clicks",
        {
            "gensim": lambda: _peer(python, sessions, size, visits),
            "penstock": lambda: _own(sessions, size, visits),
        },
        rounds,
    )


def clicks_of(size: Size) -> list[list[int]]:
    """Each user's clicks in order: items near a place that wanders within a community."""
    random = np.random.default_rng(1)
    each = size.items // _COMMUNITIES
    sessions = []
    for user in range(size.users):
        steps = random.integers(-3, 4, size.clicks).cumsum() + random.integers(each)
        sessions.append((user % _COMMUNITIES * each + steps % each).tolist())
    return sessions


def recall(vectors: dict[int, Floats], sessions: Sequence[Sequence[int]]) -> float:
    """Share of last clicks among the 50 nearest to the decayed mean of the ten before."""
    known = list(vectors)
    matrix = np.stack([vectors[item] for item in known])
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    row = {item: place for place, item in enumerate(known)}
    found = 0
    for session in sessions:
        latest = [row[item] for item in session[-2::-1] if item in row][:10]
        if session[-1] in row and latest:
            scores = matrix @ (0.9 ** np.arange(len(latest)) @ matrix[latest])
            found += int((scores > scores[row[session[-1]]]).sum() < 50)
    return found / len(sessions)


def _own(sessions: Sequence[Sequence[int]], size: Size, visits: int) -> Figures:
    feed = ClickFeed(FeedRules(SessionRules(min_stay_ms=0)))
    for user, session in enumerate(sessions):
        for step, item in enumerate(session[:-1]):
            feed.add(str(user), str(item), step)
    feed.finish()
    rules = MethodRules(epochs=size.epochs)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    training = Training("item2vec", feed, rules, {}, FeatureReader({}, 1))
    for _ in training.run():
        pass
    took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    found = training.embeddings()
    vectors = {
        int(item): vector for item, vector in zip(found.item_ids, found.vectors, strict=True)
    }
    note = f"recall@50 {recall(vectors, sessions):.3f}"
    return Figures(visits / took_s, per_cpu_s=visits / cpu_s, note=note)


def _peer(python: Path, sessions: Sequence[Sequence[int]], size: Size, visits: int) -> Figures:
    rules = SkipGramRules()
    asked = {
        "sessions": [[str(item) for item in session[:-1]] for session in sessions],
        "dim": rules.dim,
        "window": rules.window,
        "negatives": rules.negatives,
        "subsample": rules.subsample,
        "epochs": size.epochs,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "asked.json").write_text(json.dumps(asked))
        app = PEERS_FOLDER / GENSIM.name / "app.py"
        done = subprocess.run([str(python), str(app), folder], capture_output=True, text=True)
        if done.returncode:
            return Figures(0.0, note=done.stderr.strip()[-200:])
        told = json.loads(done.stdout)
        with np.load(path / "vectors.npz", allow_pickle=False) as arrays:
            pairs = zip(arrays["items"].tolist(), arrays["vectors"], strict=True)
            vectors = dict(pairs)
    note = f"recall@50 {recall(vectors, sessions):.3f}"
    return Figures(visits / told["seconds"], per_cpu_s=visits / told["cpu_seconds"], note=note)


def _timer(run: Callable[[], object], count: int) -> Callable[[], Figures]:
    def timed() -> Figures:
        started_s, cpu_s = time.perf_counter(), time.process_time()
        run()
        took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
        return Figures(count / took_s, per_cpu_s=count / max(cpu_s, 1e-9))

    return timed


def _say(line: str) -> None:
    err.print(line)


if __name__ == "__main__":
    main()
