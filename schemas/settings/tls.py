"""Certificates to trust, as kafka's and redis' sections name them."""

from __future__ import annotations

import ssl
from pathlib import Path

from schemas.errors import SettingsError


def trusting(section: str, ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies servers against these certificates. Raises SettingsError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        msg = (
            f"{section}.ca_file must be a PEM file of certificates; got {ca_file} ({error}); "
            "name one that is, or leave it out to trust the system's"
        )
        raise SettingsError(msg) from error
