"""The embedded broker: one child process that speaks Kafka and Redis, for one machine.

noida-db answers a fetch that finds nothing at once, and its consumers then ask thousands of times
a second. The front before it lets a fetch wait for `min_bytes` or `max_wait_ms`, as Kafka does.
"""

from ops.embedded.commands import embedded_command
from ops.embedded.ports import HOST, accepts_connections, choose_port

__all__ = ["HOST", "accepts_connections", "choose_port", "embedded_command"]
