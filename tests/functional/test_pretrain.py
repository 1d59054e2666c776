"""`penstock pretrain` and `penstock index load`, from events to nearest neighbours."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from index_service.item_changes import decode_change
from index_service.node_index import NodeIndex
from index_service.recall_core import RecallCore
from ops.topic_records import topic_records
from schemas.codec import JSON, Decoder, encode
from schemas.events import Event, Item
from schemas.recall import RecallRequest
from schemas.settings import Settings
from schemas.topics import EVENTS, ITEM_VECTORS
from schemas.vectors import ItemVector
from streams import EventProducer
from tests.support.command import penstock
from tests.support.live import Live
from tests.support.polling import eventually
from towers.graph.vector_file import VectorFile, read_vectors, write_vectors

T0_MS = 1_700_000_000_000
EVENT_LOG = [
    Event("click", f"u{user}", f"i{(3 * user + 7 * step) % 10 * 2 + user % 2}", f"r{user}-{step}",
          T0_MS + user * 1_000 + step * 5_000)
    for user in range(40)
    for step in range(8)
]  # fmt: skip
ITEMS = [Item(f"i{n}", T0_MS, {"side": f"s{n % 2}"}, {"side": f"s{n % 2}"}) for n in range(22)]


def told(*arguments: str, settings: Settings | None = None) -> dict[str, Any]:
    done = penstock(*arguments, "--json", settings=settings)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_from_a_file(tmp_path: Path) -> None:
    events, items, out = (tmp_path / name for name in ("e.jsonl", "i.jsonl", "v.npz"))
    lines = [encode(one, JSON) for one in EVENT_LOG]
    events.write_bytes(b"\n".join([*lines, lines[0], b"{}", b"no json"]))
    items.write_bytes(b"\n".join(encode(one, JSON) for one in ITEMS))
    learned = told(
        "pretrain", "--method", "eges", "--events", str(events), "--items", str(items),
        "--out", str(out), "--dim", "8", "--walks", "2",
    )  # fmt: skip
    assert (learned["clicks"], learned["items"], learned["cold_items"]) == (320, 22, 2)
    assert learned["left_out"]["duplicates"] == 1
    refused = {name for name in learned["left_out"] if name.startswith("refused_")}
    assert sum(learned["left_out"][name] for name in refused) == 2
    content = read_vectors(out)
    assert content.vectors.shape == (22, 8)
    assert sorted(content.item_ids) == sorted(item.item_id for item in ITEMS)


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    out = str(tmp_path / "v")
    for arguments, said in (
        (("item2vec", "--events", "evnts"), "name a file that is there"),
        (("eges", "--events", "events"), "--items goes with eges"),
    ):
        done = penstock("pretrain", "--out", out, "--method", *arguments)
        assert done.returncode == 1
        assert said in done.stderr and "Traceback" not in done.stderr


def test_from_a_topic_into_the_index(live: Live, tmp_path: Path) -> None:
    """The plain scheme: the mean of recent items, nearest by inner product, against numpy."""
    settings = live.settings.model_copy(
        update={
            "namespace": "pretrain",
            "towers": live.settings.towers.model_copy(update={"dim": 8}),
        }
    )
    told("topics", "create", settings=settings)
    with EventProducer(settings) as producer:
        for item in ITEMS[:10]:
            producer.put_item(item)
        producer.send_many(EVENT_LOG)
        producer.flush()
    out = str(tmp_path / "v.npz")
    learned = told(
        "pretrain", "--method", "item2vec", "--events", EVENTS, "--out", out, settings=settings
    )
    assert (learned["clicks"], learned["items"], learned["dim"]) == (320, 20, 8)
    loaded = told("index", "load", out, settings=settings)
    assert (loaded["items"], loaded["deleted"]) == (20, 0)

    core = RecallCore(settings, index_of(settings))
    content = read_vectors(Path(out))
    units = content.vectors / np.linalg.norm(content.vectors, axis=1, keepdims=True)
    asked = ["i3", "i8", "i5"]
    rows = [content.item_ids.index(item_id) for item_id in asked]
    user = settings.towers.history_decay ** np.arange(3) @ units[rows]
    order = [content.item_ids[row] for row in np.argsort(-(units @ user))]
    reply = core.answer(RecallRequest(k=17, item_ids=asked), None)
    assert [one.item_id for one in reply.items] == [one for one in order if one not in asked]
    filtered = core.answer(RecallRequest(k=9, item_ids=["i1"], filter={"side": "s0"}), None)
    assert {one.item_id for one in filtered.items} == {f"i{n}" for n in range(0, 10, 2)}

    fewer = tmp_path / "fewer.npz"
    write_vectors(fewer, VectorFile("item2vec", ["i1", "none"], np.eye(2, 8, dtype=np.float32),
                                    np.ones(2, np.float32)))  # fmt: skip
    assert told("index", "load", str(fewer), settings=settings)["deleted"] == 19
    assert len(index_of(settings)) == 2


def test_learned_vectors_are_not_lost_unasked(live: Live, tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    dim = live.settings.towers.dim
    write_vectors(path, VectorFile("item2vec", ["x"], np.ones((1, dim), np.float32),
                                   np.ones(1, np.float32)))  # fmt: skip
    live.put_items([Item("kept-1", 0, {"kind": "bell"}), Item("kept-2", 0, {"kind": "drum"})])
    live.visit("index-load", ["kept-1"], ["kept-1"])
    decoder = Decoder[ItemVector](ItemVector)
    eventually(
        lambda: [decoder.decode(one).step for one in live.read_all(ITEM_VECTORS) if one],
        lambda steps: max(steps) > 0,
        "a vector that was learned is published",
    )
    done = penstock("index", "load", str(path), settings=live.settings)
    assert done.returncode == 1
    assert "an index is loaded where no trainer has published" in done.stderr
    small = live.settings.towers.model_copy(update={"dim": 4})
    other = penstock(
        "index", "load", str(path), settings=live.settings.model_copy(update={"towers": small})
    )
    assert other.returncode == 1
    assert f"vectors have the dimension towers.dim, 4; those of {path} have {dim}" in other.stderr


def index_of(settings: Settings) -> NodeIndex:
    """The index as a node makes it of the topic."""
    index = NodeIndex(settings, range(settings.topics.shards), ThreadPoolExecutor(1))
    for record in topic_records(settings, ITEM_VECTORS):
        change = decode_change(record.key, record.value, record.headers)
        index.apply(record.partition, change)
    return index
