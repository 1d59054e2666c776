"""How a row is called."""

from __future__ import annotations

from ops.evaluation.rows import Row
from ops.evaluation.sync import LIVE


def title_of(row: Row) -> str:
    """The model, and its interval unless that is `live`."""
    interval = row["sync_interval"]
    return str(row["model"]) if interval == LIVE.name else f"{row['model']} @{interval}"
