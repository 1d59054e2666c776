"""`[http]`: metrics and health of a role."""

from __future__ import annotations

from pydantic import Field

from schemas.settings.section import Section


class HttpSettings(Section):
    """Metrics and health of a role: `/metrics`, `/healthz` and `/readyz`."""

    enabled: bool = True
    """Whether a role serves HTTP at all."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all, where a firewall stands in front."""
    port: int = Field(default=0, ge=0, le=65_535)
    """0 takes any free one, which the log and `penstock doctor` name."""
    alive_within_s: float = Field(default=60.0, gt=0)
    """A role is alive when its loop has turned within this time."""
    ready_within_s: float = Field(default=60.0, gt=0)
    """A labeller is ready when no record of events has waited for it for longer."""
