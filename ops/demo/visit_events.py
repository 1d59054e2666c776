"""What one visit publishes; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.events import CLICK, EXPOSURE, Event, FeatureValue


def visit_events(
    user_id: str,
    request_id: str,
    shown: Sequence[str],
    clicked: Iterable[str],
    ts_ms: int,
    context: dict[str, FeatureValue],
) -> list[Event]:
    """An exposure of each item shown, then the clicks, all at one moment."""
    return [
        *(
            Event(EXPOSURE, user_id, item_id, request_id, ts_ms, position, context)
            for position, item_id in enumerate(shown)
        ),
        *(Event(CLICK, user_id, item_id, request_id, ts_ms, None, context) for item_id in clicked),
    ]
