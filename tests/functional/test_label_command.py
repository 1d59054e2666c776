"""`penstock label` without Kafka, and against what the live labellers say of the same events."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgpack
import pytest

from ops.event_files import STANDARD
from schemas.codec import JSON, MSGPACK, Decoder, encode
from schemas.events import Event
from schemas.samples import Sample
from schemas.topics import NEGATIVES, POSITIVES
from tests.support.command import COMMAND, penstock
from tests.support.live import Live
from tests.support.polling import eventually

T0_MS = 1_700_000_000_000
LOG: list[Event | list[Event]] = [
    [Event("exposure", "u", item, "r", T0_MS, context={"city": "Oslo"}) for item in "abc"],
    Event("click", "u", "a", "r", T0_MS + 1_000),
    Event("view", "u", "b", "r", T0_MS + 2_000),
    Event("exposure", "v", "a", "s", T0_MS + 3_000),
    Event("exposure", "v", "a", "s", T0_MS + 3_000),
    Event("exposure", "w", "a", "t", T0_MS + 10_000_000),
    Event("click", "v", "a", "s", T0_MS + 20_000_000),
]
EXPECTED = {
    ("a", "r", "click", "positive"),
    ("b", "r", "view", "signal"),
    ("a", "s", "click", "positive"),
    ("b", "r", "exposure", "exposure_negative"),
    ("c", "r", "exposure", "exposure_negative"),
    ("a", "t", "exposure", "exposure_negative"),
}
one_sample = Decoder[Sample](Sample)


def read_samples(path: Path) -> list[Sample]:
    if path.suffix == ".jsonl":
        return [one_sample.decode(line, JSON) for line in path.read_bytes().splitlines()]
    with path.open("rb") as file:
        return [one_sample.decode(msgpack.packb(value)) for value in msgpack.Unpacker(file)]


def stated(samples: list[Sample]) -> list[tuple[str, str, str, str]]:
    return sorted((s.item_id, s.request_id, s.action, s.kind) for s in samples)


@pytest.mark.parametrize("source", ["events.jsonl", "events.msgpack"])
@pytest.mark.parametrize("target", ["samples.jsonl", "samples.msgpack"])
def test_a_log_is_labelled(tmp_path: Path, source: str, target: str) -> None:
    form, end = (JSON, b"\n") if source.endswith("jsonl") else (MSGPACK, b"")
    (tmp_path / source).write_bytes(b"".join(encode(record, form) + end for record in LOG))
    done = penstock("label", "--from-file", source, "--out", target, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    samples = read_samples(tmp_path / target)
    assert stated(samples) == sorted(EXPECTED)
    counts = ("records", "events", "positives", "signals", "negatives", "duplicates")
    assert [told[name] for name in counts] == [7, 9, 2, 1, 3, 1]
    assert told["refused"] == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source, target])


def test_refused_events_are_shown_or_kept(tmp_path: Path) -> None:
    bad = [encode(Event("stare", "u", "a", "r", T0_MS), JSON), b"{", b"[1]"]
    lines = [encode(LOG[0], JSON), *bad, encode(LOG[1], JSON)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    asked = ("label", "--from-file", "events.jsonl", "--out", "samples.jsonl")
    shown = penstock(*asked, cwd=tmp_path)
    assert shown.returncode == 0
    assert "events.jsonl:2: unknown_action: " in shown.stderr
    assert "events.jsonl:3: undecodable: " in shown.stderr
    assert "refused: invalid field" in shown.stdout
    kept = penstock(*asked, "--refused", "refused.jsonl", "--json", cwd=tmp_path)
    assert json.loads(kept.stdout)["refused"] == {
        "unknown_action": 1, "undecodable": 1, "invalid_field": 1,
    }  # fmt: skip
    letters = [json.loads(x) for x in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert [(letter["offset"], letter["reason"]) for letter in letters] == [
        (2, "unknown_action"),
        (3, "undecodable"),
        (4, "invalid_field"),
    ]
    assert len(read_samples(tmp_path / "samples.jsonl")) == 3


def test_through_pipes(tmp_path: Path) -> None:
    events = b"\n".join(encode(record, JSON) for record in LOG)
    done = subprocess.run(
        [*COMMAND, "label", "--from-file", STANDARD, "--out", STANDARD, "--json"],
        input=events,
        capture_output=True,
        timeout=120,
        cwd=tmp_path,
        check=True,
    )
    samples = [one_sample.decode(line, JSON) for line in done.stdout.splitlines()]
    assert stated(samples) == sorted(EXPECTED)
    assert json.loads(done.stderr.splitlines()[-1])["negatives"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from-file", "none.jsonl", "--out", "s.jsonl"), "no none.jsonl"),
        (("--from-file", "e.jsonl", "--out", "e.jsonl"), "different files"),
        (("--from-file", "e.jsonl", "--out", "s.csv"), "known by its extension"),
        (("--from-file", "e.jsonl", "--out", "away/s.jsonl"), "a folder that is there"),
        (("--from-file", "e.jsonl", "--out", "s.jsonl", "--format", "msgpack"), "at byte 0"),
    ],
)
def test_what_is_wrong_is_said_and_leaves_no_file(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "e.jsonl").write_bytes(b"\xc1")
    done = penstock("label", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["e.jsonl"]


def test_the_live_labellers_say_the_same(live: Live, tmp_path: Path) -> None:
    events: list[Event] = []
    for visit in range(12):
        user = f"log-{visit % 5}"
        items = [f"log-i{(visit + step) % 7}" for step in range(5)]
        events += live.visit(user, items, items[visit % 3 : visit % 3 + 1])
        if visit % 4 == 0:
            events += live.visit(user, [], [items[4]], action="view")
    again = [events[3], events[5]]
    live.producer.send_many(again)
    live.producer.flush()
    lines = [encode(event, JSON) + b"\n" for event in events + again]
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines))
    asked = ("label", "--from-file", "log.jsonl", "--out", "out.jsonl", "--json")
    done = penstock(*asked, settings=live.settings, cwd=tmp_path)
    assert json.loads(done.stdout)["duplicates"] == 2
    expected = {(s.sample_id, s.kind, s.weight) for s in read_samples(tmp_path / "out.jsonl")}

    def said_live() -> set[tuple[int, str, float]]:
        samples = [*live.samples(POSITIVES), *live.samples(NEGATIVES)]
        return {(s.sample_id, s.kind, s.weight) for s in samples if s.user_id.startswith("log-")}

    eventually(said_live, lambda found: found >= expected, "the live labels of the same events")
    assert said_live() == expected
