"""One page that tells an operator in five seconds how the whole goes."""

from ops.dashboard.serve import DEFAULT_PORT, serve

__all__ = ["DEFAULT_PORT", "serve"]
