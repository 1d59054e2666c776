"""How far each role is behind, as Kafka itself says it: right also when a role is dead."""

from ops.lag.reader import LagReader
from ops.lag.rows import LagRow, lag_row, worst
from ops.lag.spans import span
from ops.lag.subscriptions import Subscription, subscriptions

__all__ = ["LagReader", "LagRow", "Subscription", "lag_row", "span", "subscriptions", "worst"]
