"""One role as a process: waits for Kafka, works until a signal, tells how it goes."""

from __future__ import annotations

import gc
import logging
import signal
import threading

from ops.broker import check_topics
from ops.role_status import StatusWriter
from schemas.errors import BrokerUnavailable
from schemas.settings import Settings
from schemas.status import Role, RoleProcess

log = logging.getLogger(__name__)

_RETRY_S = 1.0


def build_role(settings: Settings, role: Role) -> RoleProcess:
    """The role's process. Only the chosen role's libraries are imported: torch takes a second."""
    match role:
        case "label-positives" | "label-negatives":
            from streams.role import LabelRole

            return LabelRole(settings, role)
        case "trainer":
            from towers.trainer import Trainer

            return Trainer(settings)
        case "index":
            from index_service.node import IndexNode

            return IndexNode(settings)


def run_role(settings: Settings, role: Role) -> None:
    """Run the role until SIGTERM or SIGINT. Raises TopicError when the topics are not there."""
    stopping = threading.Event()
    process: RoleProcess | None = None

    def stop(_signal: int, _frame: object) -> None:
        stopping.set()
        if process is not None:
            process.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if not _wait_for_topics(settings, stopping):
        return
    process = build_role(settings, role)
    writer = StatusWriter(settings, role, process)
    # What was imported stays: to look through it for garbage stops a role for .1 to .2 s.
    gc.freeze()
    log.info("role=%s state=started", role)
    try:
        if not stopping.is_set():
            process.run()
    finally:
        writer.close()
    log.info("role=%s state=stopped", role)


def _wait_for_topics(settings: Settings, stopping: threading.Event) -> bool:
    """True once Kafka answers and has the topics; False when stopped before."""
    said = False
    while not stopping.is_set():
        try:
            check_topics(settings)
        except BrokerUnavailable as error:
            if not said:
                log.warning("broker=unreachable detail=%r action=retrying", str(error))
            said = True
            stopping.wait(_RETRY_S)
        else:
            return True
    return False
