"""Ports of this machine."""

from __future__ import annotations

import socket

from schemas.errors import EnvironmentProblem

HOST = "127.0.0.1"


def choose_port(port: int, what: str, option: str) -> int:
    """The port itself if it is free, or any free one for 0. Raises EnvironmentProblem if taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            msg = (
                f"{what} needs a free port; {HOST}:{port} is taken ({error.strerror}); "
                f"end what holds it, or give another by {option} (0 picks a free one)"
            )
            raise EnvironmentProblem(msg) from error
        return int(probe.getsockname()[1])


def accepts_connections(port: int) -> bool:
    """Whether something listens on the port of this machine."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
