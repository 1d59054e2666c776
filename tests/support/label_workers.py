"""Labelling workers as processes on a real Kafka, and what their groups have done."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError

from ops.broker import admin
from ops.children import Child, stop_children
from ops.stack import environment
from schemas.codec import Decoder
from schemas.samples import Sample, SampleBatch
from schemas.settings import Settings
from schemas.topics import EVENTS, topic_name
from tests.support.polling import eventually

LabelRoleName = Literal["label-positives", "label-negatives"]
LABEL_ROLES: tuple[LabelRoleName, LabelRoleName] = ("label-positives", "label-negatives")
_GRACE_S = 15.0
_LOG_LINES = 40

_batches = Decoder[SampleBatch](SampleBatch)


class LabelWorkers:
    """Processes of the two labelling roles, by name; none outlives the block."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self._children: dict[str, Child] = {}

    def start(self, role: LabelRoleName, number: int = 0, *, static: bool = False) -> str:
        """Start the role's worker of that number and return its name at once.

        With `static` the name is also its instance in the group.
        """
        name = f"{role}-{number}"
        command = [sys.executable, "-m", "ops.cli", "run", role]
        if static:
            command += ["--instance", name]
        log = self._folder / f"{name}.log"
        self._children[name] = Child(name, command, log, environment(self.settings))
        return name

    def kill(self, name: str) -> None:
        """kill -9."""
        self._children.pop(name).kill()

    def stop_one(self, name: str) -> None:
        """SIGTERM, and wait for its end."""
        stop_children([self._children.pop(name)], _GRACE_S)

    def check(self) -> None:
        """Raise ChildDied when one has ended by itself."""
        for child in self._children.values():
            child.check()

    def stop(self) -> None:
        stop_children(list(self._children.values()), _GRACE_S)
        self._children.clear()

    def show_logs(self) -> None:
        """Print the end of each log, for a test that fails."""
        for log in sorted(self._folder.glob("label-*.log")):
            print(f"--- {log.name}", *log.read_text().splitlines()[-_LOG_LINES:], sep="\n")

    def joins(self, name: str) -> int:
        """How often workers of this name have been given partitions, as their log tells."""
        return (self._folder / f"{name}.log").read_text().count("partitions=assigned events=[")

    def owners(self, role: LabelRoleName) -> dict[str, set[int]]:
        """By member of the role's group, the partitions of `events` that it has."""
        group = topic_name(self.settings.namespace, role)
        with admin(self.settings) as client:
            try:
                members = client.describe_groups([group])[group]["members"]
            except CoordinatorNotAvailableError:  # the group's topic is still being made
                return {}
        return {member["member_id"]: _partitions(member) for member in members}

    def await_owners(self, role: LabelRoleName, workers: int) -> dict[str, set[int]]:
        """Wait until so many members have every partition among them, and each has some."""
        every = set(range(self.settings.topics.partitions))

        def spread(owners: dict[str, set[int]]) -> bool:
            shares = list(owners.values())
            return len(shares) == workers and all(shares) and set.union(*shares) == every

        return eventually(
            lambda: self.owners(role), spread, f"{workers} workers of {role} share {every}"
        )

    def lag(self, role: LabelRoleName) -> int:
        """Records of `events` that the role has not committed."""
        return lag(self.settings, topic_name(self.settings.namespace, role), EVENTS)

    def committed(self, role: LabelRoleName) -> dict[int, int]:
        """What the role has committed of `events`, by partition."""
        settings = self.settings
        with closing(_consumer(settings, topic_name(settings.namespace, role))) as consumer:
            parts = _parts(consumer, topic_name(settings.namespace, EVENTS))
            offsets = {part.partition: consumer.committed(part) for part in parts}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}

    def ends(self, topic: str) -> dict[int, int]:
        """The end offset of each partition of a topic."""
        with closing(_consumer(self.settings)) as consumer:
            parts = _parts(consumer, topic_name(self.settings.namespace, topic))
            return {part.partition: end for part, end in consumer.end_offsets(parts).items()}

    def await_labelled(self, timeout_s: float = 120.0) -> None:
        """Wait until both roles have committed every record of `events`."""
        for role in LABEL_ROLES:
            eventually(
                lambda role=role: self.lag(role),  # type: ignore[misc]
                lambda records: records == 0,
                f"{role} has committed all of events",
                timeout_s,
            )
        self.check()


@contextmanager
def label_workers(settings: Settings, folder: Path) -> Iterator[LabelWorkers]:
    workers = LabelWorkers(settings, folder)
    try:
        yield workers
    except BaseException:
        workers.show_logs()
        raise
    finally:
        workers.stop()


def lag(settings: Settings, group: str, topic: str) -> int:
    """Records of the topic that the group has not committed."""
    with closing(_consumer(settings, group)) as consumer:
        parts = _parts(consumer, topic_name(settings.namespace, topic))
        ends = consumer.end_offsets(parts)
        return sum(ends[part] - (consumer.committed(part) or 0) for part in parts)


def read_samples(
    settings: Settings, topic: str, since: Mapping[int, int] | None = None
) -> Iterator[Sample]:
    """Every sample now on the topic, or since these offsets by partition."""
    with closing(_consumer(settings)) as consumer:
        parts = _parts(consumer, topic_name(settings.namespace, topic))
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        for partition, offset in (since or {}).items():
            consumer.seek(TopicPartition(topic_name(settings.namespace, topic), partition), offset)
        ends = consumer.end_offsets(parts)
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    yield from _batches.decode(record.value).stated()


def _consumer(settings: Settings, group: str | None = None) -> Any:
    return KafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
    )


def _parts(consumer: Any, name: str) -> list[TopicPartition]:
    return [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]


def _partitions(member: Any) -> set[int]:
    assignment = member["member_assignment"]
    return {
        partition
        for topic in (assignment or {}).get("assigned_partitions", ())
        if topic["topic"].endswith(f".{EVENTS}")
        for partition in topic["partitions"]
    }
