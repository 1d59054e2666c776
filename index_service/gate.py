"""Many readers, or one who must be alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Who wants to be alone waits for those inside, and holds up those who come after."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._wanted = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Inside together with other readers."""
        with self._changed:
            while self._wanted:
                self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                if self._wanted and not self._inside:
                    self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside alone. One thread at a time may ask for this."""
        with self._changed:
            self._wanted = True
            while self._inside:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._wanted = False
                self._changed.notify_all()
