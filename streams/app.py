"""A Faust app whose one agent hands each record of `events` to a labeller."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol, cast

import faust
from faust.types import TP, EventT, TransportT

from schemas.settings import KafkaSettings, Settings
from schemas.topics import EVENTS, topic_name
from streams.header_names import read_any_header_name
from streams.seeking import SeekingTransport
from streams.sensor import LabelSensor, LabelTimes

log = logging.getLogger(__name__)

# A worker killed with -9 keeps its partitions until its session ends; 6 s is the least that
# Kafka's brokers allow by default.
_SESSION_S = 6.0
_HEARTBEAT_S = 1.5
_COMMIT_S = 1.0
_NEVER_S = 10 * 365 * 86_400.0
_TICK_S = 0.2
_BATCH_BYTES = 262_144
_METADATA_MS = 10_000
"""So soon it sees that `events` has more partitions, or that it may read the topic again."""


class Labeller(Protocol):
    """What the agent drives; its methods run on the app's event loop and never raise."""

    async def room(self) -> None:
        """Wait until another record may come."""

    def handle(self, event: EventT[bytes]) -> None:
        """Take one record."""

    def tick(self) -> None:
        """Time has passed."""

    def assign(self, partitions: set[int]) -> None:
        """Have these partitions of `events`, each from its committed offset, and no others."""


class _App(faust.App):
    def _new_transport(self) -> TransportT:
        return SeekingTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """None where the process happens to run: no table is kept on disk."""


def build_app(
    settings: Settings,
    role: str,
    labeller: Labeller,
    producer_linger_s: float,
    times: LabelTimes,
) -> faust.App:
    """The app of one labelling role: group `<namespace>.<role>`, manual acknowledgement."""
    read_any_header_name()
    group = topic_name(settings.namespace, role)
    app = _App(
        group,
        broker=_broker_urls(settings.kafka),
        broker_credentials=_credentials(settings.kafka),
        broker_session_timeout=_SESSION_S,
        broker_heartbeat_interval=_HEARTBEAT_S,
        broker_commit_interval=_COMMIT_S,
        # A record stays open for the whole window, which Faust would report as a livelock.
        broker_commit_livelock_soft_timeout=_NEVER_S,
        stream_processing_timeout=_NEVER_S,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance,
        consumer_metadata_max_age_ms=_METADATA_MS,
        stream_buffer_maxsize=4096,
        stream_wait_empty=False,
        producer_acks=-1,
        producer_linger=producer_linger_s,
        # As many labels as a broker takes well in one go; a new batch costs what 100 labels do.
        producer_max_batch_size=_BATCH_BYTES,
        producer_max_request_size=settings.labelling.max_record_bytes + 1_000_000,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        web_enabled=False,
        autodiscover=False,
    )
    app.monitor = LabelSensor(times)
    events = app.topic(
        topic_name(settings.namespace, EVENTS),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        allow_empty=True,
    )

    async def label(stream: faust.StreamT[bytes]) -> AsyncIterator[None]:
        async for event in cast(faust.Stream[bytes], stream).noack().events():
            await labeller.room()
            labeller.handle(event)
            yield

    async def tick(_: faust.App) -> None:
        labeller.tick()

    async def on_revoked(_: faust.App, revoked: set[TP], **__: object) -> None:
        log.info("partitions=revoked count=%d", len(revoked))
        labeller.assign(set())

    async def on_assigned(_: faust.App, assigned: set[TP], **__: object) -> None:
        partitions = {tp.partition for tp in assigned if tp.topic == events.get_topic_name()}
        log.info("partitions=assigned events=%s", sorted(partitions))
        labeller.assign(partitions)

    app.agent(events, name=role)(label)
    app.timer(_TICK_S)(tick)
    # Faust types a handler by its loosest form; these are called as (app, partitions, signal=...).
    app.on_partitions_revoked.connect(cast(Any, on_revoked))
    app.on_partitions_assigned.connect(cast(Any, on_assigned))
    return app


def _broker_urls(kafka: KafkaSettings) -> list[str]:
    return [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]


def _credentials(kafka: KafkaSettings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    options = kafka.client_options()
    context = options.get("ssl_context")
    if kafka.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
