"""Polls of the trainer's topics, through outages of the broker."""

from __future__ import annotations

import logging
import time

from schemas.errors import BrokerUnavailable
from towers.inbox import Inbox, Incoming

log = logging.getLogger(__name__)

_OUTAGE_WAIT_S = 0.2
_PROBE_S = 5.0  # silence after which the broker is asked whether it is there


class Polls:
    """Polls inboxes of one broker, and knows whether it answers."""

    def __init__(self) -> None:
        self._heard_s = time.monotonic()
        self.down = False
        """The broker did not answer last time."""
        self.was_away = False
        """It answers again after an outage; the one who sees to that puts it back."""

    def poll(self, inbox: Inbox, timeout_ms: int, records: int) -> list[Incoming]:
        """Records as soon as there are any; none after the timeout, or while the broker is away."""
        try:
            found = inbox.poll(timeout_ms, records)
            silent_s = time.monotonic() - self._heard_s
            if not found and (self.down or silent_s > _PROBE_S):
                inbox.probe()  # a poll of a dead broker just finds nothing
                found = inbox.poll(0, records)
        except BrokerUnavailable as error:
            if not self.down:  # once an outage, not once a turn
                log.warning("kafka=unreachable error=%r action=retrying", str(error))
            self.down = True
            time.sleep(_OUTAGE_WAIT_S)
            return []
        if found or self.down or silent_s > _PROBE_S:
            self._heard_s = time.monotonic()
        if self.down:
            self.down, self.was_away = False, True
            log.info("kafka=back")
        return found
