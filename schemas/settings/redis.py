"""`[redis]`: where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from schemas.settings.section import Section
from schemas.settings.tls import trusting


class RedisSettings(Section):
    """Where Redis is."""

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """redis://, or rediss:// for TLS, with user and password where there are any."""
    ca_file: Path | None = None
    """Certificates to trust for TLS; the system's when not given."""
    user_ttl_s: int = Field(default=30 * 86_400, ge=1)
    """A user's record is forgotten this long after its last refresh."""

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments beside the URL. Raises SettingsError when `ca_file` can't be used."""
        if self.ca_file is None or not self.url.get_secret_value().startswith("rediss://"):
            return {}
        trusting("redis", self.ca_file)
        return {"ssl_ca_certs": str(self.ca_file)}
