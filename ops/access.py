"""Who may do what: the rights on Kafka and Redis that each party needs, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Literal, NamedTuple

from schemas.settings import Settings
from schemas.status import ROLES, Role, status_key
from schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    ITEM_VECTORS,
    ITEMS,
    NEGATIVES,
    POSITIVES,
    RECALL_NODES,
    RECALL_REPLIES,
    RECALL_REQUESTS,
    RECALL_SHARD_QUERIES,
    RECALL_SHARD_REPLIES,
    topic_name,
)
from schemas.vectors import context_key, user_key

Party = Literal[Role, "producer", "client", "operator", "loader", "admin"]
"""A role; who publishes events and items; who asks for recall; who looks (`doctor`, `lag`, `tail`,
`dashboard`); who runs `penstock index load`; who lays out topics."""

PARTIES: tuple[Party, ...] = (*ROLES, "producer", "client", "operator", "loader", "admin")


class Right(NamedTuple):
    """One operation of Kafka's on one topic or group, or on all whose names begin so."""

    operation: Literal["Create", "Describe", "Read", "Write"]
    resource: Literal["topic", "group"]
    name: str
    """Without the namespace; that of a prefix may be empty."""
    prefixed: bool = False


def _read(*topics: str) -> tuple[Right, ...]:
    return tuple(Right("Read", "topic", topic) for topic in topics)


def _write(*topics: str) -> tuple[Right, ...]:
    return tuple(Right("Write", "topic", topic) for topic in topics)


def _join(*groups: str) -> tuple[Right, ...]:
    return tuple(Right("Read", "group", group) for group in groups)


_RIGHTS: dict[Party, tuple[Right, ...]] = {
    "label-positives": (
        *_read(EVENTS),
        *_write(POSITIVES, DEAD_LETTERS),
        *_join("label-positives"),
    ),
    "label-negatives": (
        *_read(EVENTS),
        *_write(NEGATIVES, DEAD_LETTERS),
        *_join("label-negatives"),
    ),
    "trainer": (
        *_read(POSITIVES, NEGATIVES, ITEMS, ITEM_VECTORS),
        *_write(ITEM_VECTORS),
        *_join("trainer"),
        Right("Read", "group", "trainer-lead.", prefixed=True),  # one for each epoch
    ),
    "index": (
        *_read(
            ITEM_VECTORS, RECALL_REQUESTS, RECALL_NODES, RECALL_SHARD_QUERIES, RECALL_SHARD_REPLIES
        ),
        *_write(RECALL_REPLIES, RECALL_NODES, RECALL_SHARD_QUERIES, RECALL_SHARD_REPLIES),
        *_join("recall"),
        Right("Read", "group", "index.", prefixed=True),  # one for each replica
    ),
    "producer": _write(EVENTS, ITEMS),
    "client": (*_write(RECALL_REQUESTS), *_read(RECALL_REPLIES)),
    "operator": (
        Right("Read", "topic", "", prefixed=True),
        Right("Describe", "group", "", prefixed=True),
    ),
    "loader": (*_read(ITEM_VECTORS, ITEMS), *_write(ITEM_VECTORS)),
    "admin": (
        Right("Create", "topic", "", prefixed=True),
        Right("Describe", "topic", "", prefixed=True),
    ),
}


def kafka_rights(settings: Settings, party: Party) -> list[Right]:
    """The party's rights, with the namespace in their names."""
    return [
        right._replace(name=topic_name(settings.namespace, right.name)) for right in _RIGHTS[party]
    ]


def topics_of(settings: Settings, role: Role) -> set[str]:
    """Names of the topics that the role reads or writes."""
    return {right.name for right in kafka_rights(settings, role) if right.resource == "topic"}


def kafka_commands(settings: Settings, party: Party, user: str) -> Iterator[str]:
    """Command lines of Kafka's own tool that give `user` the party's rights."""

    def together(right: Right) -> tuple[bool, str]:
        return right.prefixed, right.operation

    for (prefixed, operation), rights in groupby(
        sorted(kafka_rights(settings, party), key=together), key=together
    ):
        names = " ".join(f"--{right.resource} {right.name}" for right in rights)
        pattern = " --resource-pattern-type prefixed" if prefixed else ""
        yield (
            f"kafka-acls.sh --bootstrap-server {settings.kafka.bootstrap_servers} "
            "--command-config admin.properties --add "
            f"--allow-principal User:{user} --operation {operation} {names}{pattern}"
        )


def redis_rules(settings: Settings, party: Party) -> list[str]:
    """What `ACL SETUSER` takes for the party: commands with the keys that they are for.

    Empty for one that needs no Redis.
    """
    space = settings.namespace
    users = user_key(space, settings.towers.epoch, "*")
    contexts = context_key(space, settings.towers.epoch, "*")
    if party == "operator":
        return [f"(+scan +mget +get +info ~{space}:*)"]
    rules = []
    if party in ROLES:
        rules.append(f"(+set +del ~{status_key(space, party, '*')})")
    if party == "trainer":
        rules.append(f"(+set +del ~{users} ~{contexts})")
    if party == "index":
        rules.append(f"(+mget ~{users} ~{contexts})")
    return rules


def redis_command(settings: Settings, party: Party, user: str) -> list[str]:
    """The command of Redis 7 that gives `user` the party's rights, less the password.

    Empty for a party that needs no Redis.
    """
    rules = redis_rules(settings, party)
    return ["ACL", "SETUSER", user, "on", "resetkeys", "-@all", *rules] if rules else []
