"""One page that tells an operator in five seconds how the whole goes."""

DEFAULT_PORT = 8484
