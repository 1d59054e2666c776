"""The whole of Penstock on one machine: the embedded broker and the four roles as children."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, SecretStr
from pydantic_core import to_json

from ops.broker import create_topics
from ops.children import Child, stop_children
from ops.dashboard import DEFAULT_PORT
from ops.embedded import HOST, accepts_connections, choose_port, embedded_command
from ops.role_status import address, read_statuses
from schemas.errors import ChildDied, EnvironmentProblem
from schemas.settings import CONFIG_VARIABLE, Settings
from schemas.status import ROLES, Role

_START_S = 90.0
_ROLE_GRACE_S = 10.0
_BROKER_GRACE_S = 5.0
_POLL_S = 0.05
_INHERITED = (CONFIG_VARIABLE, "PENSTOCK_LOG_FORMAT")


class Stack:
    """Starts what is needed, watches it, and ends all of it.

    As a context manager every child has ended at the end, also after an error or Ctrl-C.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        kafka_port: int | None = None,
        redis_port: int | None = None,
        external: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Plan a stack; with `external` the Kafka and Redis of the settings are used as they are.

        A port of None is that of the settings, 0 any free one.
        """
        self._data_dir = settings.embedded.data_dir.absolute()
        self._external = external
        self._say = say
        self._broker: Child | None = None
        self._roles: dict[Role, Child] = {}
        self._dashboard: Child | None = None
        if not external:
            if kafka_port is None:
                kafka_port = _loopback_port("kafka", settings.kafka.bootstrap_servers)
            if redis_port is None:
                redis_port = _loopback_port("redis", address(settings.redis))
            kafka = choose_port(kafka_port, "Kafka", "--kafka-port")
            redis = choose_port(redis_port, "Redis", "--redis-port")
            self._ports = (kafka, redis)
            settings = with_addresses(settings, f"{HOST}:{kafka}", f"redis://{HOST}:{redis}/0")
        self.settings = settings
        """With the addresses of the running stack."""

    @property
    def log_dir(self) -> Path:
        """Where each child's output goes."""
        return self._data_dir / "logs"

    def start(self) -> None:
        """Start everything and return when every role is ready.

        Raises EnvironmentProblem, ChildDied or BrokerUnavailable, after ending what was started.
        """
        try:
            if not self._external:
                self._start_broker()
            created = create_topics(self.settings)
            self._say(f"topics   {len(created)} created")
            for role in ROLES:
                self.start_role(role)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def start_role(self, role: Role) -> Child:
        """Start one role and return at once; one that ran before must have ended."""
        self._roles[role] = self.start_another(role, role)
        return self._roles[role]

    def start_another(self, role: Role, instance: str) -> Child:
        """Start one more process of a role, which the caller ends."""
        command = [sys.executable, "-m", "ops.cli", "run", role]
        http = self.settings.http.model_copy(update={"port": 0})  # several roles, one machine
        settings = self.settings.model_copy(update={"instance": instance, "http": http})
        return Child(instance, command, self.log_dir / f"{instance}.log", environment(settings))

    def start_dashboard(self, port: int | None) -> None:
        """Serve the page beside the stack, which goes on without it.

        A port of None is the usual one, or any free one where that is taken; 0 is any free one.
        """
        if port is None:
            port = DEFAULT_PORT if not accepts_connections(DEFAULT_PORT) else 0
        port = choose_port(port, "the dashboard", "--dashboard-port")
        command = [sys.executable, "-m", "ops.cli", "dashboard", "--port", str(port)]
        log = self.log_dir / "dashboard.log"
        self._dashboard = Child("dashboard", command, log, environment(self.settings))
        self._say(f"dashboard at http://{HOST}:{port}/")

    def role(self, role: Role) -> Child:
        """The child that runs this role."""
        return self._roles[role]

    def wait_ready(self, timeout_s: float = _START_S) -> None:
        """Return when every role is ready; raise on a dead child or after `timeout_s`."""
        waiting = dict.fromkeys(ROLES, "no word yet")
        deadline = time.monotonic() + timeout_s
        while waiting and time.monotonic() < deadline:
            self.check()
            pids = {str(child.pid): role for role, child in self._roles.items()}
            for status in read_statuses(self.settings):
                role = pids.get(status.instance.rpartition(":")[2])
                if role is not None and role in waiting:
                    waiting[role] = status.reason or "not ready"
                    if status.ready:
                        del waiting[role]
                        where = f", http://{status.http}/metrics" if status.http else ""
                        self._say(f"{role:<16} ready{where}")
            time.sleep(_POLL_S)
        if waiting:
            what = "; ".join(f"{role}: {reason}" for role, reason in waiting.items())
            msg = f"every role is ready within {timeout_s:.0f} s; {what}; see {self.log_dir}"
            raise EnvironmentProblem(msg)

    def check(self) -> None:
        """Raise ChildDied when a child has ended by itself."""
        for child in [*([self._broker] if self._broker else []), *self._roles.values()]:
            child.check()
        if self._dashboard is not None:
            try:
                self._dashboard.check()
            except ChildDied as error:  # nothing that serves depends on it
                self._say(f"without a dashboard from here on: {error}")
                self._dashboard = None

    def stop(self) -> None:
        """End every child: the roles first, so that they can still commit, then the broker."""
        roles = list(self._roles.values())
        stop_children([*roles, *([self._dashboard] if self._dashboard else [])], _ROLE_GRACE_S)
        self._roles.clear()
        self._dashboard = None
        if self._broker is not None:
            stop_children([self._broker], _BROKER_GRACE_S)
            self._broker = None

    def _start_broker(self) -> None:
        kafka, redis = self._ports
        data = self._data_dir / "broker"
        data.mkdir(parents=True, exist_ok=True)
        command = embedded_command(data, kafka, redis)
        self._broker = Child("broker", command, self.log_dir / "broker.log")
        deadline = time.monotonic() + _START_S
        while not (accepts_connections(kafka) and accepts_connections(redis)):
            self._broker.check()
            if time.monotonic() > deadline:
                msg = f"the broker answers within {_START_S:.0f} s; see {self._broker.log}"
                raise EnvironmentProblem(msg)
            time.sleep(_POLL_S)
        self._say(f"broker   Kafka on {HOST}:{kafka}, Redis on {HOST}:{redis}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def with_addresses(settings: Settings, bootstrap_servers: str, redis_url: str) -> Settings:
    """The settings with Kafka and Redis elsewhere."""
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update={"bootstrap_servers": bootstrap_servers}),
            "redis": settings.redis.model_copy(update={"url": SecretStr(redis_url)}),
        }
    )


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment with exactly these settings, for a child."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PENSTOCK_") or name in _INHERITED
    }
    variables["PENSTOCK_NAMESPACE"] = settings.namespace
    if settings.instance is not None:
        variables["PENSTOCK_INSTANCE"] = settings.instance
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            variables[f"PENSTOCK_{name.upper()}"] = to_json(_reveal(section)).decode()
    return variables


def _reveal(section: BaseModel) -> dict[str, Any]:
    """The section's values, secrets in clear: a child must be able to log in."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in section
    }


def _loopback_port(what: str, where: str) -> int:
    """The port of an address on this machine; EnvironmentProblem for one elsewhere."""
    host, _, port = where.split(",")[0].rpartition(":")
    if host not in (HOST, "localhost") or not port.isdigit():
        msg = (
            f"the embedded stack runs on this machine; [{what}] names {where}; "
            f"use what runs there (--external), or give a port here (--{what}-port)"
        )
        raise EnvironmentProblem(msg)
    return int(port)
