"""What is left undone, and in which order, when positives come faster than they are learned.

Negatives wait; when many wait they are thinned; then fewer positives are replayed; then steps are
left out (`trainer.waiting_positives`). Users' records are always written first.

All of it follows from how far behind the trainer is, in batches of positives that wait.
"""

from __future__ import annotations

PLENTY = 256
"""Records on the broker beyond which negatives are thinned."""
LEAST_SHARE = 1 / 16
"""Of negatives."""
_WAIT = 1.0
_THIN_REPLAY = 4.0
_NO_REPLAY = 8.0


def negatives_share(behind: float, waiting: int) -> float:
    """Which share of the next record's samples to take, when so many records wait; 0: not yet.

    Up to date, all of up to `PLENTY` records, and as many in all of more. Behind, none until more
    than that wait, then the least share of each.
    """
    if behind >= _WAIT:
        return LEAST_SHARE if waiting > PLENTY else 0.0
    return max(LEAST_SHARE, min(1.0, PLENTY / max(waiting, 1)))


def replay_share(behind: float) -> float:
    """Which share of `towers.replay` to learn again: all up to 4 batches behind, none from 8 on."""
    return min(1.0, max(0.0, (_NO_REPLAY - behind) / (_NO_REPLAY - _THIN_REPLAY)))
