"""The one error tree.

PenstockError
├── SettingsError            a setting is unknown, missing or out of range
├── DecodeError              bytes are not the message that they should be
├── EventRefused             an event is too large, or can't be written as a message
├── BrokerUnavailable        Kafka does not answer                          (retriable)
├── RedisUnavailable         Redis does not answer                          (retriable)
├── TopicError               a topic is missing, or laid out otherwise
├── CheckpointError          a checkpoint can't be read or written
├── SnapshotError            a shard's snapshot can't be used or written
├── DatasetError             a data set can't be found or read
├── EnvironmentProblem       this machine lacks something: a port, an extra, a program
├── ChildDied                a process of the stack ended by itself
└── RecallError              recall gave no list
    ├── RecallRefused        the request breaks a rule
    ├── RecallOverloaded     the service turned the request away           (retriable)
    └── RecallTimeout        no reply before the deadline                  (retriable)

A message gives the rule, the value that broke it, and what to do.
"""

from __future__ import annotations


class PenstockError(Exception):
    """Base of what Penstock raises on purpose; `retriable` says if trying again can help."""

    retriable = False


class SettingsError(PenstockError):
    """A setting is unknown, missing or out of range."""


class DecodeError(PenstockError):
    """Bytes are not the message that they should be."""


class EventRefused(PenstockError):
    """An event is too large, or holds what a message can't carry; it was not published."""


class BrokerUnavailable(PenstockError):
    """Kafka does not answer."""

    retriable = True


class RedisUnavailable(PenstockError):
    """Redis does not answer."""

    retriable = True


class TopicError(PenstockError):
    """A topic is missing, or has another layout than the settings say."""


class CheckpointError(PenstockError):
    """A checkpoint can't be read or written."""


class SnapshotError(PenstockError):
    """A shard's snapshot can't be used or written; the topic holds all that it would."""


class DatasetError(PenstockError):
    """A data set can't be found or read."""


class EnvironmentProblem(PenstockError):
    """This machine lacks something that the command needs: a free port, an extra, a program."""


class ChildDied(PenstockError):
    """A process of the stack ended by itself."""


class RecallError(PenstockError):
    """Recall gave no list."""


class RecallRefused(RecallError):
    """The request breaks a rule; sending it again unchanged gives the same answer."""


class RecallOverloaded(RecallError):
    """The service turned the request away; a later try may be served."""

    retriable = True


class RecallTimeout(RecallError):
    """No reply came before the deadline."""

    retriable = True
