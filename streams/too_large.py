"""What becomes of a label that the broker finds too large; pure but for its log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from schemas.codec import Decoder, encode
from schemas.samples import SampleBatch
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, EVENTS, topic_name
from streams.chunks import halves
from streams.dead_letters import Source, encode_dead_letter
from streams.decode import Refusal
from streams.outbox import Letter

log = logging.getLogger(__name__)

_batches = Decoder[SampleBatch](SampleBatch)


class TooLarge:
    """Says what to send instead of a record that is above its topic's limit.

    Sending it again can't help, and would hold its partition for ever: labels are parted as long
    as they are several, and a single one becomes a dead letter.
    """

    def __init__(self, settings: Settings, role: str, now_ms: Callable[[], int]) -> None:
        self._role = role
        self._now_ms = now_ms
        self._events = topic_name(settings.namespace, EVENTS)
        self._dead_letters = topic_name(settings.namespace, DEAD_LETTERS)
        self.oversized_labels = 0
        """Labels that became dead letters."""
        self.lost_dead_letters = 0
        """Dead letters above their topic's own limit; what they told is in the log only."""

    def instead(self, letter: Letter) -> list[Letter]:
        """Smaller records with the same samples; or a dead letter; or nothing for one of those."""
        if letter.topic == self._dead_letters:
            self.lost_dead_letters += 1
            log.error("dead_letter=lost bytes=%d action=raise_the_limit", len(letter.value))
            return []
        batch = _batches.decode(letter.value)
        parts = halves(batch)
        if parts:
            return [letter._replace(value=encode(part)) for part in parts]
        self.oversized_labels += 1
        return [self._dead_letter(letter, batch)]

    def _dead_letter(self, letter: Letter, batch: SampleBatch) -> Letter:
        detail = (
            f"a label fits into a record of {letter.topic}; this one has {len(letter.value)} bytes;"
            " raise max.message.bytes there, or send smaller contexts and ids"
        )
        source = Source(self._events, batch.source_partition, batch.source_offset, letter.key, [])
        refusal = Refusal("oversized_label", detail, letter.value)
        place = (source.topic, source.partition, source.offset)
        text = "dead_letter=%s topic=%s partition=%d offset=%d detail=%r"
        log.warning(text, refusal.reason, *place, detail)
        value = encode_dead_letter(refusal, source, self._role, self._now_ms())
        return Letter(self._dead_letters, 0, source.topic.encode(), value)
