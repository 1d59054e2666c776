"""Which processes are there and which are gone."""

from __future__ import annotations

from ops.dashboard.instances import SILENT_S, Instances
from schemas.status import ROLES, STATUS_TTL_MS, Role, RoleStatus

LOOK_S = 1.0
TTL_S = 1e-3 * STATUS_TTL_MS


def status(
    instance: str, at_s: float, role: Role = "index", started_s: float = 0.0, ready: bool = True
) -> RoleStatus:
    started_ms, at_ms = int(1e3 * started_s), int(1e3 * at_s)
    return RoleStatus(role, instance, started_ms, at_ms, ready, "" if ready else "loading")


def states(seen: Instances, now_s: float) -> dict[str, str]:
    return {row.instance: row.state for row in seen.rows(now_s) if row.instance}


def test_a_killed_role_is_red_within_five_seconds_of_its_death() -> None:
    """Its last report comes at most a second before its death, and stays in Redis for its life."""
    for last_report_s in (9.01, 9.5, 10.0):
        killed_s = 10.0
        seen = Instances()
        red_s = None
        at_s = 8.0
        while red_s is None:
            at_s += LOOK_S
            reported_s = min(at_s, last_report_s)
            there = at_s < last_report_s + TTL_S
            seen.update([status("a:1", reported_s)] if there else [], at_s)
            if seen.role_health("index", at_s)[0] == "bad":
                red_s = at_s
        assert killed_s < red_s <= killed_s + 5.0


def test_it_is_gone_when_its_report_expires_and_stopped_when_it_takes_it_away() -> None:
    killed, stopped = Instances(), Instances()
    for seen in (killed, stopped):
        seen.update([status("a:1", 10.0)], 10.0)
    stopped.update([], 11.0)
    assert states(stopped, 11.0) == {"a:1": "stopped"}
    killed.update([status("a:1", 10.0)], 14.0)
    assert states(killed, 14.0) == {"a:1": "silent"}
    killed.update([], 15.5)
    assert states(killed, 15.5) == {"a:1": "gone"}
    for seen in (killed, stopped):
        assert seen.role_health("index", 15.5)[0] == "bad"  # nobody else does its work


def test_a_role_by_our_clock_alone() -> None:
    """Reports of a machine whose clock is a day behind are as fresh as any."""
    seen = Instances()
    for second in range(5):
        seen.update([status("a:1", second - 86_400.0)], 100.0 + second)
    assert states(seen, 104.0) == {"a:1": "ready"}
    assert states(seen, 104.0 + SILENT_S + 0.1) == {"a:1": "silent"}


def test_one_of_two_is_gone_until_another_comes() -> None:
    seen = Instances()
    seen.update([status("a:1", 10.0), status("b:2", 10.0)], 10.0)
    seen.update([status("a:1", 10.0), status("b:2", 20.0)], 20.0)
    assert seen.role_health("index", 20.0) == ("bad", "1 of 2 gone")
    newcomer = status("a:3", 21.0, started_s=20.5)
    seen.update([status("b:2", 21.0), newcomer], 21.0)
    assert states(seen, 21.0) == {"a:1": "replaced", "b:2": "ready", "a:3": "ready"}
    assert seen.role_health("index", 21.0) == ("ok", "2 of 2 ready")
    for at_s in (50.0, 90.0):
        seen.update([status("b:2", at_s), status("a:3", at_s, started_s=20.5)], at_s)
    assert states(seen, 90.0) == {"b:2": "ready", "a:3": "ready"}  # told for long enough


def test_a_standby_beside_a_leader_is_no_trouble() -> None:
    seen = Instances()
    leader, standby = status("a:1", 1.0, "trainer"), status("b:2", 1.0, "trainer", ready=False)
    seen.update([leader, standby], 1.0)
    assert seen.role_health("trainer", 1.0) == ("ok", "1 of 2 ready")
    seen.update([standby], 1.0)
    assert seen.role_health("trainer", 1.0)[0] == "warn"


def test_without_redis_nothing_is_claimed() -> None:
    seen = Instances()
    assert seen.role_health("index", 0.0)[0] == "unknown"
    seen.update([], 1.0)
    assert seen.role_health("index", 1.0) == ("bad", "not running")
    assert {(row.role, row.state) for row in seen.rows(1.0)} == {(role, "absent") for role in ROLES}
    seen.update([status("a:1", 2.0)], 2.0)
    seen.update(None, 60.0)
    assert seen.role_health("index", 60.0)[0] == "unknown"
    assert states(seen, 60.0) == {"a:1": "unknown"}
