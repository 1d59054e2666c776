"""One role as a process: waits for Kafka, works until a signal, tells how it goes."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from contextlib import ExitStack

from ops.access import topics_of
from ops.broker import check_topics
from ops.role_http import RoleHttp
from ops.role_lag import RoleLag, waits_too_long
from ops.role_metrics import role_registry
from ops.role_status import StatusWriter
from schemas.clock import wall_ms
from schemas.errors import BrokerUnavailable
from schemas.settings import Settings
from schemas.status import Role, RoleProcess, RoleReport

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_WAITING = RoleReport(False, "waiting for Kafka and its topics", {})


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


class RunningRole:
    """A role's process and what tells of it: its status in Redis, and HTTP, which comes first."""

    def __init__(self, settings: Settings, role: Role) -> None:
        """Raises EnvironmentProblem when the port of HTTP is taken."""
        self._settings = settings
        self._role = role
        self._process: RoleProcess | None = None
        self._lag: RoleLag | None = None
        self._stopping = threading.Event()
        self._registry = role_registry(role, self._report)
        http = settings.http
        self._http = RoleHttp(http, self._registry, self._report) if http.enabled else None

    def run(self) -> None:
        """Wait for the topics, then work until `stop`. Raises TopicError."""
        try:
            if _wait_for_topics(self._settings, self._role, self._stopping):
                self._work(build_role(self._settings, self._role))
        finally:
            if self._http is not None:
                self._http.close()

    def stop(self) -> None:
        """Ask `run` to return; from a signal handler."""
        self._stopping.set()
        if self._process is not None:
            self._process.stop()

    def _work(self, process: RoleProcess) -> None:
        self._process = process
        address = "" if self._http is None else self._http.address
        with ExitStack() as closing:
            if self._http is not None:
                lag = RoleLag(self._settings, self._role, process.reading, wall_ms)
                self._lag = lag
                closing.callback(lag.close)
                self._registry.register(process)
                self._registry.register(lag)
            writer = StatusWriter(self._settings, self._role, process, address)
            closing.callback(writer.close)
            # What was imported stays: to look through it for garbage stops a role for .1 to .2 s.
            gc.freeze()
            log.info("role=%s state=started", self._role)
            if not self._stopping.is_set():
                process.run()
        log.info("role=%s state=stopped", self._role)

    def _report(self) -> RoleReport:
        if self._process is None:
            return _WAITING
        report = self._process.report()
        if not report.ready or self._lag is None:
            return report
        reason = waits_too_long(self._lag.lags, wall_ms(), self._settings.http.ready_within_s)
        return report._replace(ready=not reason, reason=reason)


def run_role(settings: Settings, role: Role) -> None:
    """Run the role until SIGTERM or SIGINT. Raises TopicError when the topics are not there."""
    running = RunningRole(settings, role)

    def stop(_signal: int, _frame: object) -> None:
        running.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    running.run()


def _wait_for_topics(settings: Settings, role: Role, stopping: threading.Event) -> bool:
    """True once Kafka answers and has the topics; False when stopped before."""
    said = False
    while not stopping.is_set():
        try:
            check_topics(settings, topics_of(settings, role))
        except BrokerUnavailable as error:
            if not said:
                log.warning("broker=unreachable detail=%r action=retrying", str(error))
            said = True
            stopping.wait(_RETRY_S)
        else:
            return True
    return False
