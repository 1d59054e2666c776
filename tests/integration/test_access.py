"""The stack on a Kafka and a Redis that let in only who has a password, a right, and TLS.

Its parties have exactly the rights of `penstock acls`. `PENSTOCK_TEST_ALL_RIGHTS=1` takes each
right away once; without it a few of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from index_service import RecallClient
from ops.access import Party, Right, kafka_rights
from ops.broker import admin
from ops.children import Child, stop_children
from ops.role_status import connect, read_statuses
from ops.stack import environment
from ops.user_records import read_user
from schemas.errors import BrokerUnavailable, PenstockError, RecallTimeout
from schemas.events import Event, Item
from schemas.settings import EmbeddedSettings, Settings
from schemas.status import ROLES
from schemas.topics import DEAD_LETTERS, NEGATIVES, topic_name
from streams import EventProducer
from tests.support.live import fast_settings, now_ms
from tests.support.polling import eventually
from tests.support.secured import PASSWORDS, Secured, missing_parts, rule_of, secured

if reason := missing_parts():
    pytest.skip(reason, allow_module_level=True)

_TOGETHER_S = 60.0
_NOT_WITHIN_S = 4.0
"""With all its rights each of these things takes well below a second."""
_TRIES = 3


class World:
    """The four roles, each under its own user, and what the others do with them."""

    def __init__(self, parts: Secured, folder: Path) -> None:
        self.parts = parts
        self.folder = folder
        self._number = 0
        self.roles = {
            role: Child(
                role,
                [sys.executable, "-m", "ops.cli", "run", role, "--verbose"],
                folder / f"{role}.log",
                environment(parts.settings(role)),
            )
            for role in ROLES
        }
        self.client = RecallClient(parts.settings("client"))
        self.producer = EventProducer(parts.settings("producer"))
        self._reader = KafkaConsumer(
            **parts.settings("operator").kafka.client_options(), enable_auto_commit=False
        )

    def close(self) -> None:
        self.client.close()
        self.producer.close()
        self._reader.close()
        stop_children(list(self.roles.values()), grace_s=10)

    def ready(self) -> set[str]:
        statuses = read_statuses(self.parts.settings("operator"))
        return {status.role for status in statuses if status.ready}

    def fresh(self) -> str:
        self._number += 1
        return f"thing-{self._number}"

    def put_item(self) -> str:
        item = self.fresh()
        self.producer.put_item(Item(item, now_ms(), {"kind": "tea"}, {"item": item}))
        self.producer.flush()
        return item

    def recallable(self, item: str) -> bool:
        try:
            return self.client.recall(item_ids=[item], k=1, timeout_s=2).status == "ok"
        except (BrokerUnavailable, RecallTimeout):
            return False

    def act(self, action: str) -> tuple[str, Event]:
        user = self.fresh()
        event = Event(action, user, "an-item", f"request-of-{user}", now_ms())
        self.producer.send(event)
        self.producer.flush()
        return user, event

    def refreshed(self, user: str, event: Event) -> bool:
        operator = self.parts.settings("operator")
        with connect(operator.redis) as client:
            record = read_user(client, operator, user)
        return record is not None and record.event_ts_ms >= event.ts_ms

    def on_topic(self, topic: str, words: bytes) -> bool:
        """Whether some record of the topic has these words in its value."""
        name = topic_name(self.parts.settings().namespace, topic)
        parts = [TopicPartition(name, p) for p in self._reader.partitions_for_topic(name) or ()]
        self._reader.assign(parts)
        self._reader.seek_to_beginning(*parts)
        ends = self._reader.end_offsets(parts)
        found = False
        while any(self._reader.position(part) < ends[part] for part in parts):
            for records in self._reader.poll(timeout_ms=200).values():
                found |= any(words in (record.value or b"") for record in records)
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("secured")
    base = fast_settings(Settings(embedded=EmbeddedSettings(data_dir=folder)), "guarded")
    with secured(base, folder) as parts:
        created = _penstock(parts.settings("admin"), "topics", "create", "--json")
        assert len(json.loads(created.stdout)["created"]) > 5, created.stderr
        running = World(parts, folder)
        try:
            eventually(
                running.ready,
                lambda ready: ready == set(ROLES),
                "every role is ready",
                2 * _TOGETHER_S,
            )
            yield running
        finally:
            running.close()


def _penstock(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *words],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


def _an_item_is_recalled(world: World) -> Callable[[], bool]:
    item = world.put_item()
    return lambda: world.recallable(item)


def _a_click_refreshes_its_user(world: World) -> Callable[[], bool]:
    user, event = world.act("click")
    return lambda: world.refreshed(user, event)


def _an_exposure_becomes_a_negative(world: World) -> Callable[[], bool]:
    user, _ = world.act("exposure")
    return lambda: world.on_topic(NEGATIVES, user.encode())


def _a_bad_event_becomes_a_dead_letter(world: World) -> Callable[[], bool]:
    user, _ = world.act("stare")
    return lambda: world.on_topic(DEAD_LETTERS, user.encode())


_DEEDS = [
    _an_item_is_recalled,
    _a_click_refreshes_its_user,
    _an_exposure_becomes_a_negative,
    _a_bad_event_becomes_a_dead_letter,
]


@pytest.mark.parametrize("begin", _DEEDS, ids=lambda deed: deed.__name__.strip("_"))
def test_with_exactly_its_rights_every_party_does_its_work(
    world: World, begin: Callable[[World], Callable[[], bool]]
) -> None:
    eventually(begin(world), bool, begin.__name__, _TOGETHER_S)


def _right(party: Party, operation: str, name: str) -> tuple[Party, str, str]:
    return party, operation, name


# What depends on each right. The trainer reads its `item-vectors` at its start alone; a dead
# letter of `label-negatives` takes a label above the broker's limit.
_NEEDS = {
    _right("label-positives", "Read", "events"): _a_click_refreshes_its_user,
    _right("label-positives", "Write", "positives"): _a_click_refreshes_its_user,
    _right("label-positives", "Write", "dead-letters"): _a_bad_event_becomes_a_dead_letter,
    _right("label-negatives", "Read", "events"): _an_exposure_becomes_a_negative,
    _right("label-negatives", "Write", "negatives"): _an_exposure_becomes_a_negative,
    _right("trainer", "Read", "positives"): _a_click_refreshes_its_user,
    _right("trainer", "Read", "items"): _an_item_is_recalled,
    _right("trainer", "Write", "item-vectors"): _an_item_is_recalled,
    _right("index", "Read", "item-vectors"): _an_item_is_recalled,
    _right("index", "Read", "recall.requests"): _an_item_is_recalled,
    _right("index", "Write", "recall.replies"): _an_item_is_recalled,
    _right("client", "Write", "recall.requests"): _an_item_is_recalled,
    _right("client", "Read", "recall.replies"): _an_item_is_recalled,
    _right("producer", "Write", "events"): _a_click_refreshes_its_user,
    _right("producer", "Write", "items"): _an_item_is_recalled,
}
_IN_CI = [
    _right("label-positives", "Write", "positives"),
    _right("trainer", "Write", "item-vectors"),
    _right("index", "Write", "recall.replies"),
    _right("label-negatives", "Read", "events"),
    _right("producer", "Write", "events"),
]
_TAKEN = list(_NEEDS) if os.environ.get("PENSTOCK_TEST_ALL_RIGHTS") else _IN_CI


@pytest.mark.parametrize(
    ("party", "operation", "name"), _TAKEN, ids=[" ".join(one) for one in _TAKEN]
)
def test_one_right_fewer_fails_and_given_back_nothing_is_lost(
    world: World, party: Party, operation: str, name: str
) -> None:
    begin = _NEEDS[party, operation, name]
    full_name = topic_name(world.parts.settings().namespace, name)
    (right,) = [
        right
        for right in kafka_rights(world.parts.settings(), party)
        if (right.operation, right.name) == (operation, full_name)
    ]
    done: Callable[[], bool] | None = None
    with _without(world, party, right):
        # A fetch that waited at the broker when the right went still ends with what it finds, so
        # one thing may yet be done.
        for _ in range(_TRIES):
            done = _begun(begin, world)
            if done is None or not _happens(done, _NOT_WITHIN_S):
                break
        else:
            pytest.fail(f"{begin.__name__} without {operation} {name} fails; done {_TRIES} times")
    # What was refused at once is begun again, as by a user who is told that it did not work.
    done = done or eventually(
        lambda: _begun(begin, world), lambda begun: begun is not None, "it can be begun again"
    )
    assert done is not None
    eventually(done, bool, f"{begin.__name__} once {party} may {operation} {name} again")


def _begun(begin: Callable[[World], Callable[[], bool]], world: World) -> Callable[[], bool] | None:
    """None where it is refused."""
    try:
        return begin(world)
    except PenstockError:
        return None


def _happens(done: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if done():
            return True
    return False


@contextmanager
def _without(world: World, party: Party, right: Right) -> Iterator[None]:
    """The party lacks the right for the time of the block."""
    rule = rule_of(party, right)
    with admin(world.parts.settings()) as client:
        client.delete_acls([rule])
        try:
            yield
        finally:
            client.create_acls([rule])


def test_a_wrong_password_is_a_clear_error(world: World) -> None:
    wrong = world.parts.settings("client", password="Wrong-password-77")
    with pytest.raises(BrokerUnavailable) as refused:
        RecallClient(wrong)
    assert "does it know penstock-client by this password" in str(refused.value)
    doctor = _penstock(world.parts.settings("operator", password="Wrong-password-77"), "doctor")
    assert doctor.returncode != 0
    said = doctor.stdout + doctor.stderr
    assert "Traceback" not in said
    assert "Wrong-password-77" not in said + str(refused.value)


def test_the_doctor_finds_everything_well_and_tells_no_secret(world: World) -> None:
    doctor = _penstock(world.parts.settings("operator"), "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(doctor.stdout)}
    for name in ("kafka", "topics", "redis", *(f"role {role}" for role in ROLES)):
        assert checks[name]["state"] == "ok", checks[name]
    assert not any(password in doctor.stdout + doctor.stderr for password in PASSWORDS)


def test_no_log_has_a_secret(world: World) -> None:
    for role, child in world.roles.items():
        words = child.log.read_text(errors="replace")
        assert "state=started" in words, role
        assert not [password for password in PASSWORDS if password in words], role
