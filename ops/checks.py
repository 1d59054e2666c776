"""What `penstock doctor` looks at, each check with what to do when it fails."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

import msgspec
import redis
from packaging.requirements import Requirement

from ops.broker import admin, existing_topics, wrong_topics
from ops.role_status import address, connect, read_statuses
from schemas.errors import PenstockError
from schemas.settings import Settings
from schemas.status import ROLES, Role, RoleStatus

_MIN_REDIS = 6


class Check(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    name: str
    state: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""
    """What to do; empty when ok."""


def check_all(settings: Settings) -> Iterator[Check]:
    """Every check, from what the others stand on upwards."""
    yield from check_versions()
    yield from _guarded("kafka", lambda: _check_kafka(settings))
    yield from _guarded("redis", lambda: _check_redis(settings))
    yield from _guarded("roles", lambda: check_roles(settings, ROLES))


def check_versions() -> Iterator[Check]:
    """Python and every library that the project asks for."""
    yield Check("python", "ok", platform.python_version())
    yield from _check_libraries()
    try:
        yield Check("extra embedded", "ok", f"noida-db {version('noida-db')}")
    except PackageNotFoundError:
        advice = "`pip install 'penstock[embedded]'`, unless Kafka and Redis run elsewhere"
        yield Check("extra embedded", "warning", "not installed", advice)


def check_roles(settings: Settings, roles: tuple[Role, ...]) -> Iterator[Check]:
    """Whether each of these roles runs and is ready."""
    statuses = read_statuses(settings)
    for role in roles:
        mine = [status for status in statuses if status.role == role]
        ready = [status for status in mine if status.ready]
        if ready:
            yield Check(f"role {role}", "ok", "; ".join(_describe(status) for status in ready))
        elif mine:
            reasons = "; ".join(f"{status.instance}: {status.reason}" for status in mine)
            yield Check(f"role {role}", "failed", f"not ready: {reasons}", "wait, or see its log")
        else:
            advice = f"start it: `penstock run {role}`, or the whole stack: `penstock up`"
            yield Check(f"role {role}", "failed", "not running", advice)


def _check_libraries() -> Iterator[Check]:
    wrong = []
    wanted = [Requirement(line) for line in requires("penstock") or ()]
    core = [need for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    for need in core:
        try:
            found = version(need.name)
        except PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(found, prereleases=True):
            wrong.append(f"{need.name} {found}, wanted {need.specifier}")
    if wrong:
        advice = f"`{sys.executable} -m pip install penstock` again"
        yield Check("libraries", "failed", "; ".join(wrong), advice)
    else:
        yield Check("libraries", "ok", f"{len(core)} as required")


def _check_kafka(settings: Settings) -> Iterator[Check]:
    with admin(settings) as client:
        yield Check("kafka", "ok", settings.kafka.bootstrap_servers)
        wrong = wrong_topics(settings, existing_topics(client))
    if wrong:
        advice = "`penstock topics create`; where partitions differ, correct [topics]"
        yield Check("topics", "failed", "; ".join(wrong), advice)
    else:
        yield Check("topics", "ok", f"all there, namespace {settings.namespace}")


def _check_redis(settings: Settings) -> Iterator[Check]:
    where = address(settings.redis)
    advice = "start it (`penstock up`), or set PENSTOCK_REDIS__URL"
    try:
        with connect(settings.redis) as client:
            found = str(client.info("server").get("redis_version", "unknown"))
    except redis.RedisError as error:
        yield Check("redis", "failed", f"{where}: {error}", advice)
        return
    major = found.partition(".")[0]
    if major.isdigit() and int(major) < _MIN_REDIS:
        yield Check("redis", "failed", f"{where}: version {found}", "use Redis 6 or later")
    else:
        yield Check("redis", "ok", f"{where}: version {found}")


def _describe(status: RoleStatus) -> str:
    where = f", http://{status.http}" if status.http else ""
    return f"{status.instance}, up {(status.reported_ms - status.started_ms) // 1000} s{where}"


def _guarded(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks, or one failed check in place of those that could not be made."""
    try:
        yield from checks()
    except PenstockError as error:
        rule, _, advice = str(error).rpartition("; ")
        yield Check(name, "failed", rule, advice)
