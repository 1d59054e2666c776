"""What a working trainer is made of."""

from __future__ import annotations

from typing import NamedTuple

from towers.inbox import Inbox
from towers.learner import Learner
from towers.published_log import ReadBack
from towers.publisher import Publisher
from towers.user_writer import UserWriter
from towers.vector_writer import VectorWriter


class Core(NamedTuple):
    """What a checkpoint holds, apart from positions."""

    learner: Learner
    publisher: Publisher
    users: UserWriter


class Links(NamedTuple):
    """The connections to Kafka."""

    first: Inbox
    """Positives and items."""
    later: Inbox
    """Negatives."""
    vectors: VectorWriter
    read_back: ReadBack

    def close(self) -> None:
        """Disconnect."""
        self.first.close()
        self.later.close()
        self.vectors.close()
