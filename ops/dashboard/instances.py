"""Which processes of each role are there, and which were and are gone; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ops.dashboard.snapshot import Health, InstanceRow, InstanceState
from schemas.status import ROLES, STATUS_TTL_MS, Role, RoleStatus

SILENT_S = 3.0
"""Roles report once a second; with a look a second, a dead one shows within 5 s."""
_STOPPED_S = 1e-3 * STATUS_TTL_MS - 1.5
"""A report that goes away sooner than this after its renewal did not expire: it was taken away."""
_REPLACED_S = 60.0
_STOPPED_KEPT_S = 60.0
_GONE_KEPT_S = 3_600.0

_HEALTH: dict[InstanceState, Health] = {
    "ready": "ok",
    "waiting": "warn",
    "silent": "bad",
    "gone": "bad",
    "stopped": "idle",
    "replaced": "idle",
    "absent": "bad",
    "unknown": "unknown",
}


@dataclass
class _Seen:
    status: RoleStatus
    heard_s: float
    """When its report was last renewed, by our clock: the roles' clocks may differ."""
    left_s: float | None = None
    """When its report was found missing."""
    stopped: bool = False


class Instances:
    """Remembers every process that has reported."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Role, str], _Seen] = {}
        self._blind = True

    def update(self, statuses: Iterable[RoleStatus] | None, now_s: float) -> None:
        """Take a look's statuses; None where Redis did not answer."""
        self._blind = statuses is None
        if statuses is None:
            return
        present = {(status.role, status.instance): status for status in statuses}
        for key, status in present.items():
            seen = self._seen.get(key)
            if seen is None or seen.status.reported_ms != status.reported_ms:
                self._seen[key] = _Seen(status, now_s)
        for key, seen in self._seen.items():
            if key not in present and seen.left_s is None:
                seen.left_s = now_s
                seen.stopped = now_s - seen.heard_s < _STOPPED_S
        self._forget(now_s)

    def live(self, role: Role, now_s: float) -> list[RoleStatus]:
        """What the role's living processes last said."""
        return [
            seen.status
            for (owner, _), seen in self._seen.items()
            if owner == role and self._here(seen, now_s)
        ]

    def rows(self, now_s: float) -> list[InstanceRow]:
        """Every process, by role in the order of the chain, oldest first; at least one a role."""
        rows: list[InstanceRow] = []
        for role in ROLES:
            mine = [seen for (owner, _), seen in self._seen.items() if owner == role]
            if not mine:
                state: InstanceState = "unknown" if self._blind else "absent"
                rows.append(InstanceRow(role, "", state, _HEALTH[state], "", 0.0, 0.0))
            replaced = self._replaced(mine, now_s)
            for seen in sorted(mine, key=lambda one: one.status.started_ms):
                state = self._state(seen, now_s, id(seen) in replaced)
                rows.append(_row(seen, state, now_s))
        return rows

    def role_health(self, role: Role, now_s: float) -> tuple[Health, str]:
        """How the role is as a whole, in a few words."""
        if self._blind:
            return "unknown", "Redis does not answer"
        rows = [row for row in self.rows(now_s) if row.role == role and row.instance]
        lost = [row for row in rows if row.health == "bad"]
        here = [row for row in rows if row.state in ("ready", "waiting")]
        if lost:
            row = lost[-1]
            if here:
                return "bad", f"{len(lost)} of {len(here) + len(lost)} gone"
            return "bad", f"gone, last heard {row.heard_s:.0f} s ago"
        if not here:
            return "bad", "stopped" if rows else "not running"
        ready = [row for row in here if row.state == "ready"]
        if not ready:
            return "warn", here[0].says
        return "ok", "ready" if len(here) == 1 else f"{len(ready)} of {len(here)} ready"

    def _here(self, seen: _Seen, now_s: float) -> bool:
        return seen.left_s is None and (self._blind or now_s - seen.heard_s <= SILENT_S)

    def _state(self, seen: _Seen, now_s: float, replaced: bool) -> InstanceState:
        if seen.stopped:
            return "stopped"
        if replaced:
            return "replaced"
        if seen.left_s is not None:
            return "gone"
        if self._blind:
            return "unknown"
        if now_s - seen.heard_s > SILENT_S:
            return "silent"
        return "ready" if seen.status.ready else "waiting"

    def _replaced(self, mine: list[_Seen], now_s: float) -> set[int]:
        """The lost ones for which another has started since; each newcomer replaces one."""
        lost = [seen for seen in mine if not seen.stopped and not self._here(seen, now_s)]
        newcomers = [seen for seen in mine if self._here(seen, now_s)]
        replaced = set()
        for seen in sorted(lost, key=lambda one: one.status.reported_ms):
            for newcomer in newcomers:
                if newcomer.status.started_ms >= seen.status.reported_ms:
                    replaced.add(id(seen))
                    newcomers.remove(newcomer)
                    break
        return replaced

    def _forget(self, now_s: float) -> None:
        for role in ROLES:
            mine = {key: seen for key, seen in self._seen.items() if key[0] == role}
            replaced = self._replaced(list(mine.values()), now_s)
            for key, seen in mine.items():
                kept_s = _GONE_KEPT_S
                if seen.stopped:
                    kept_s = _STOPPED_KEPT_S
                elif id(seen) in replaced:
                    kept_s = _REPLACED_S
                if seen.left_s is not None and now_s - seen.left_s > kept_s:
                    del self._seen[key]


def _row(seen: _Seen, state: InstanceState, now_s: float) -> InstanceRow:
    status = seen.status
    says = {"waiting": status.reason or "not ready", "stopped": "stopped by itself"}.get(state, "")
    return InstanceRow(
        role=status.role,
        instance=status.instance,
        state=state,
        health=_HEALTH[state],
        says=says,
        up_s=1e-3 * (status.reported_ms - status.started_ms),
        heard_s=round(now_s - seen.heard_s, 1),
    )
