"""What a working trainer is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from schemas.settings import Settings
from towers.context_writer import ContextWriter
from towers.inbox import Inbox
from towers.learner import Learner
from towers.published_log import ReadBack
from towers.publisher import Publisher
from towers.redis_writer import RedisWriter
from towers.user_writer import UserWriter
from towers.vector_writer import VectorWriter


class Core(NamedTuple):
    """What a checkpoint holds, apart from positions, and what writes it out."""

    learner: Learner
    publisher: Publisher
    redis: RedisWriter
    users: UserWriter
    contexts: ContextWriter

    @classmethod
    def new(
        cls, settings: Settings, learner: Learner, redis: RedisWriter, now_ms: Callable[[], int]
    ) -> Core:
        """One that has published nothing and owes nothing."""
        users = UserWriter(settings, redis, now_ms)
        contexts = ContextWriter(settings, redis, now_ms)
        return cls(learner, Publisher(settings), redis, users, contexts)


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
