"""All that a topic holds now, from its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from ops.progress import progress
from schemas.settings import Settings
from schemas.topics import topic_name
from towers.inbox import Inbox, Incoming

_POLL_MS = 200
_POLL_RECORDS = 2_000


def topic_records(settings: Settings, topic: str) -> Iterator[Incoming]:
    """Its records up to the end that it has at the start, while the progress is shown.

    In the order of each partition, partition by partition as they come. Raises BrokerUnavailable,
    or TopicError where there is no such topic.
    """
    inbox = Inbox(settings.kafka, [topic_name(settings.namespace, topic)], {})
    with closing(inbox):
        missing = inbox.missing_at_start()
        with progress(f"reading {topic}", missing, "records") as advance:
            while missing:
                found = inbox.poll(_POLL_MS, _POLL_RECORDS)
                yield from found
                left = inbox.missing_at_start()
                advance(missing - left)
                missing = left
