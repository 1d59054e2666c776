"""Work in pieces, so that who can't wait for all of it is served in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Pieces = Generator[None, None, T]
"""Work that pauses after each piece, and returns its result at the end."""


def finished(pieces: Pieces[T]) -> T:
    """The result of all pieces, done at once."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: T = end.value
            return result
