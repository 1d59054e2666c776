"""`[embedded]`: the stack on one machine."""

from __future__ import annotations

from pathlib import Path

from schemas.settings.section import Section


class EmbeddedSettings(Section):
    """The stack on one machine: Kafka and Redis protocol in one child process."""

    data_dir: Path = Path(".penstock")
    """Where its data, logs and checkpoints lie."""
