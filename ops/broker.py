"""Reaching Kafka, and laying out its topics."""

from __future__ import annotations

import socket
from collections.abc import Container, Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import KafkaSettings, Settings
from schemas.topics import TopicSpec, topic_specs

_CONNECT_S = 2.0
BOOTSTRAP_MS = 6_000


def check_reachable(kafka: KafkaSettings) -> None:
    """Return when some bootstrap server takes a connection; else raise BrokerUnavailable, soon."""
    problems = []
    for server in kafka.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
        except (OSError, ValueError) as error:
            problems.append(f"{server}: {error}")
        else:
            return
    msg = (
        f"Kafka answers at kafka.bootstrap_servers; it does not ({'; '.join(problems)}); "
        "start it (`penstock up`), or set PENSTOCK_KAFKA__BOOTSTRAP_SERVERS"
    )
    raise BrokerUnavailable(msg)


@contextmanager
def admin(settings: Settings) -> Iterator[Any]:
    """An admin client, closed at the end. Raises BrokerUnavailable within 10 s."""
    check_reachable(settings.kafka)
    try:
        client = KafkaAdminClient(
            **settings.kafka.client_options(), bootstrap_timeout_ms=BOOTSTRAP_MS
        )
    except (KafkaError, OSError) as error:
        servers = settings.kafka.bootstrap_servers
        advice = settings.kafka.advice
        msg = f"Kafka answers at {servers}; something listens there, but: {error!r}; {advice}"
        raise BrokerUnavailable(msg) from error
    with closing(client):
        yield client


def existing_topics(client: Any) -> dict[str, int]:
    """Name and number of partitions of every topic on the broker."""
    return {
        description["name"]: len(description["partitions"])
        for description in client.describe_topics()
    }


def wrong_topics(
    settings: Settings, existing: dict[str, int], names: Container[str] | None = None
) -> list[str]:
    """One line for each topic of ours that is missing or has another number of partitions.

    With `names` only those topics are looked at.
    """
    wrong = []
    for spec in topic_specs(settings):
        if names is not None and spec.name not in names:
            continue
        found = existing.get(spec.name)
        if found is None:
            hidden = settings.kafka.username and f", or hidden from {settings.kafka.username}"
            wrong.append(f"{spec.name} is missing{hidden or ''}")
        elif found != spec.partitions:
            wrong.append(f"{spec.name} has {found} partitions, the settings say {spec.partitions}")
    return wrong


def check_topics(settings: Settings, names: Container[str]) -> None:
    """Raise TopicError unless each of these topics is there as the settings say."""
    with admin(settings) as client:
        wrong = wrong_topics(settings, existing_topics(client), names)
    if wrong:
        msg = f"topics are laid out as the settings say; {'; '.join(wrong)}; "
        raise TopicError(msg + "run `penstock topics create`, or correct [topics]")


def create_topics(settings: Settings) -> list[TopicSpec]:
    """Create what is missing and return it. Raises TopicError where a layout differs."""
    with admin(settings) as client:
        existing = existing_topics(client)
        missing = [spec for spec in topic_specs(settings) if spec.name not in existing]
        if missing:
            try:
                client.create_topics(
                    [
                        NewTopic(
                            spec.name,
                            num_partitions=spec.partitions,
                            replication_factor=settings.topics.replication_factor,
                            topic_configs=spec.config,
                        )
                        for spec in missing
                    ]
                )
            except TopicAlreadyExistsError:
                pass  # another process was as quick; the check below decides
            except KafkaError as error:
                msg = f"Kafka creates our topics; it did not: {error!r}"
                raise TopicError(msg) from error
        wrong = [line for line in wrong_topics(settings, existing) if "missing" not in line]
    if wrong:
        msg = f"topics are laid out as the settings say; {'; '.join(wrong)}; correct [topics]"
        raise TopicError(msg)
    return missing


def delete_topics(settings: Settings) -> None:
    """Delete the namespace's topics, with all that is in them.

    Raises BrokerUnavailable, or TopicError where Kafka refuses.
    """
    with admin(settings) as client:
        existing = existing_topics(client)
        names = [spec.name for spec in topic_specs(settings) if spec.name in existing]
        try:
            client.delete_topics(names)
        except KafkaError as error:
            msg = f"Kafka deletes {', '.join(names)}; it did not: {error!r}; delete them yourself"
            raise TopicError(msg) from error
