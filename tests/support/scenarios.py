"""What a stack must do on any broker; run on the embedded one and on a real Kafka and Redis.

Each scenario uses users and items of its own, so that they can share one stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.dead_letters import MAX_KEPT_BYTES
from schemas.errors import RecallRefused
from schemas.events import Event, Item
from schemas.samples import Sample, sample_id
from schemas.status import Role
from schemas.topics import NEGATIVES, POSITIVES
from tests.support.live import Live, now_ms
from tests.support.polling import eventually


def catalogue(prefix: str, kinds: tuple[str, ...], each: int) -> list[Item]:
    """Items `prefix-kind-0` and so on, with their kind as feature and attribute."""
    return [
        Item(
            item_id=f"{prefix}-{kind}-{number}",
            ts_ms=now_ms(),
            features={"kind": f"{prefix}-{kind}"},
            attributes={"kind": kind, "prefix": prefix, "number": number},
        )
        for kind in kinds
        for number in range(each)
    ]


def a_click_changes_the_next_recall(live: Live) -> None:
    items = live.put_items(catalogue("first", ("tea", "rope"), 12))
    unknown = live.client.recall("first-user", k=10, timeout_s=5)
    assert (unknown.status, unknown.reason) == ("degraded", "unknown user")
    assert len(unknown.items) == 10

    events = live.visit("first-user", items[:4], ["first-tea-0"])
    record = live.await_refreshed("first-user", events[-1].ts_ms)
    assert record.latest[0] == "first-tea-0"
    only_first = {"prefix": "first"}
    before = live.recalled("first-user", filter=only_first, exclude_seen=False)

    events = live.visit("first-user", before, ["first-rope-1"])
    live.await_refreshed("first-user", events[-1].ts_ms)
    after = live.recalled("first-user", filter=only_first, exclude_seen=False)
    assert [i for i in after if i != "first-rope-1"] != [i for i in before if i != "first-rope-1"]

    unseen = live.recalled("first-user", k=1_000)
    assert not {"first-tea-0", "first-rope-1"} & set(unseen)


def what_is_taken_in_a_place_is_found_by_who_comes_there(live: Live) -> None:
    items = live.put_items(catalogue("place", ("inn",), 40))
    for number in range(40):
        city, taken = (("oslo", items[7]), ("rome", items[31]))[number % 2]
        events = live.visit(f"place-{number}", [taken], [taken], city=city)
    live.await_refreshed("place-39", events[-1].ts_ms)

    def lead_in(city: str, **asked: Any) -> float:
        """By how much what is taken in Oslo is ahead of what is taken in Rome."""
        of_here = {"prefix": "place"}
        reply = live.client.recall(
            **asked, k=40, filter=of_here, exclude_seen=False, context={"city": city}, timeout_s=5
        )
        scores = {item.item_id: item.score for item in reply.items}
        return scores[items[7]] - scores[items[31]]

    # A newcomer, one who was in Rome before, and someone of whom only a look is known.
    for asked in ({"user_id": "place-newcomer"}, {"user_id": "place-1"}, {"item_ids": [items[0]]}):
        eventually(
            lambda asked=asked: lead_in("oslo", **asked) - lead_in("rome", **asked),  # type: ignore[misc]
            lambda found: found > 0.1,
            f"{asked} is offered what is taken in the city",
        )


def filters_similar_items_and_deletion(live: Live) -> None:
    items = live.put_items(catalogue("filter", ("oak", "elm"), 10))
    reply = live.client.recall(
        item_ids=["filter-oak-0"], k=50, filter={"prefix": "filter", "kind": "oak"}, timeout_s=5
    )
    assert {item.item_id for item in reply.items} == {f"filter-oak-{n}" for n in range(1, 10)}
    several = live.client.recall(
        item_ids=["filter-oak-0"],
        k=50,
        filter={"prefix": ["filter"], "number": [3, 4]},
        timeout_s=5,
    )
    assert {item.item_id for item in several.items} == {
        f"filter-{kind}-{number}" for kind in ("oak", "elm") for number in (3, 4)
    }
    live.producer.delete_item("filter-oak-3")
    live.producer.flush()
    eventually(
        lambda: {
            item.item_id
            for item in live.client.recall(
                item_ids=[items[0]], k=50, filter={"prefix": "filter", "number": 3}, timeout_s=5
            ).items
        },
        lambda found: found == {"filter-elm-3"},
        "the deleted item is gone",
    )


def bad_requests_name_the_rule_and_the_value(live: Live) -> None:
    live.put_items(catalogue("rule", ("x",), 3))
    for request, value in (
        ({"user_id": "u", "k": 0}, "0"),
        ({"user_id": "u", "k": 1_000_000}, "1000000"),
        ({"user_id": "u", "filter": {"colour_of_hope": "green"}}, "colour_of_hope"),
        ({"vector": [1.0, 2.0]}, "2"),
        ({"vector": [float("nan")] * live.settings.towers.dim}, "NaN"),
        ({"user_id": "u", "item_ids": ["rule-x-0"]}, ""),
        ({}, ""),
    ):
        with pytest.raises(RecallRefused, match=";") as refused:
            live.client.recall(**request, timeout_s=5)
        assert value in str(refused.value), str(refused.value)


def bad_events_become_dead_letters_and_the_stream_goes_on(live: Live) -> None:
    before = len(live.dead_letters())
    good = live.visit("bad-user", ["bad-item"], ["bad-item"])[-1]
    live.send_raw(b"garbage")
    live.send_raw(b'{"action": "click"}')
    for action, ts_ms in (("stare", now_ms()), ("click", now_ms() + 3_600_000)):
        live.producer.send(Event(action, "bad-user", "i", "bad-request", ts_ms))
    live.send_raw(b"\x81\xa6action\xa5click")
    live.send_raw(None)
    live.producer.flush()
    letters = eventually(
        live.dead_letters, lambda found: len(found) >= before + 6, "six dead letters"
    )[before:]
    assert sorted(letter.reason for letter in letters) == [
        "empty",
        "from_the_future",
        "missing_field",
        "undecodable",
        "undecodable",
        "unknown_action",
    ]
    for letter in letters:
        assert letter.topic.endswith(".events")
        assert "; " in letter.detail
    later = live.visit("bad-user", ["bad-item"], ["bad-item"])[-1]
    ids = {sample_id(e.request_id, e.item_id, "click") for e in (good, later)}
    eventually(
        lambda: {sample.sample_id for sample in live.samples(POSITIVES)},
        lambda found: ids <= found,
        "the clicks around the bad events are positives",
    )


def an_oversized_record_is_a_dead_letter(live: Live, size_bytes: int) -> None:
    """Its dead letter says how large it was and keeps its beginning; the rest stays on `events`."""
    before = len(live.dead_letters())
    live.send_raw(b"x" * size_bytes)
    letters = eventually(
        live.dead_letters, lambda found: len(found) > before, "one more dead letter"
    )
    assert [letter.reason for letter in letters[before:]] == ["oversized"]
    assert letters[-1].value_bytes == size_bytes
    assert letters[-1].value == b"x" * MAX_KEPT_BYTES
    event = live.visit("oversized-user", ["oversized-item"], ["oversized-item"])[-1]
    live.await_refreshed("oversized-user", event.ts_ms)  # the stream goes on


def every_role_survives_kill_9(live: Live, role: Role) -> None:
    """Events before, during and after the death of a role give exactly the batch's labels."""

    def restart() -> None:
        live.stack.start_role(role)
        live.stack.wait_ready()

    prefix = f"kill-{role}"
    items = live.put_items(catalogue(prefix, ("a", "b"), 8))
    sent = _visits(live, prefix, items, 20)
    live.stack.role(role).kill()
    sent += _visits(live, prefix, items, 20)
    restart()
    sent += _visits(live, prefix, items, 5)
    _await_state(live, sent, prefix)


def every_process_survives(
    live: Live, prefix: str, outage: Callable[[], None], recovery: Callable[[], None]
) -> None:
    """The same processes give exactly the batch's labels through an outage of what they use."""
    items = live.put_items(catalogue(prefix, ("a", "b"), 8))
    sent = _visits(live, prefix, items, 20)
    outage()
    recovery()
    sent += _visits(live, prefix, items, 20)
    _await_state(live, sent, prefix)
    live.stack.check()


def _visits(live: Live, prefix: str, items: list[str], count: int) -> list[Event]:
    """Visits of five users, each shown six items and clicking one."""
    sent: list[Event] = []
    for visit in range(count):
        shown = [items[(visit + step) % len(items)] for step in range(6)]
        sent += live.visit(f"{prefix}-{visit % 5}", shown, [shown[visit % 6]])
    return sent


def _await_state(live: Live, sent: list[Event], prefix: str) -> None:
    """Every label is there and no other; every user's record and recall knows all clicks."""
    _await_labels(live, sent, prefix)
    last = {event.user_id: event.ts_ms for event in sent if event.action == "click"}
    for user, ts_ms in last.items():
        record = live.await_refreshed(user, ts_ms)
        clicked = [e.item_id for e in sent if e.user_id == user and e.action == "click"]
        expected = list(dict.fromkeys(reversed(clicked)))
        assert record.latest[: len(expected)] == expected
        recalled = live.recalled(user, k=100, filter={"prefix": prefix})
        assert not set(clicked) & set(recalled)


def _await_labels(live: Live, sent: list[Event], prefix: str) -> None:
    clicks = {(e.request_id, e.item_id) for e in sent if e.action == "click"}
    shown = {(e.request_id, e.item_id) for e in sent if e.action == "exposure"}
    expected = {
        POSITIVES: {sample_id(*pair, "click") for pair in clicks},
        NEGATIVES: {sample_id(*pair, "exposure") for pair in shown - clicks},
    }

    def ours(samples: list[Sample]) -> set[int]:
        return {sample.sample_id for sample in samples if sample.user_id.startswith(prefix)}

    for topic, ids in expected.items():
        eventually(
            lambda topic=topic: ours(live.samples(topic)),  # type: ignore[misc]
            lambda found, ids=ids: ids <= found,  # type: ignore[misc]
            f"all {len(ids)} labels of {prefix} on {topic}",
        )
        assert ours(live.samples(topic)) == ids


def samples_are_learned_once_across_a_trainers_death(live: Live) -> None:
    """A trainer killed between two checkpoints learns each positive once, as its counters say."""
    items = live.put_items(catalogue("once", ("a",), 6))
    learned = live.figure("trainer", "positives")
    duplicates = live.figure("trainer", "duplicates")
    for visit in range(10):
        live.visit(f"once-{visit}", items, [items[visit % 6]])
    eventually(
        lambda: live.figure("trainer", "positives"),
        lambda found: found == learned + 10,
        "ten positives learned",
    )
    live.kill_and_restart("trainer")
    for visit in range(10, 15):
        event = live.visit(f"once-{visit}", items, [items[visit % 6]])[-1]
        live.await_refreshed(f"once-{visit}", event.ts_ms)
    # A record of `events` published twice gives the same sample ids.
    live.producer.send_many([event, event])
    live.producer.flush()
    eventually(
        lambda: live.figures("trainer"),
        lambda found: (
            found.get("positives") == learned + 15
            and found.get("duplicates", 0.0) >= duplicates + 1
        ),
        "fifteen positives learned in all, and the repeated one counted as a duplicate",
    )
