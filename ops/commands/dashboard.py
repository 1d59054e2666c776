"""`penstock dashboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.console import err
from ops.dashboard import DEFAULT_PORT
from ops.logs import configure_logs
from schemas.settings import load_settings


def dashboard(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the page; 0 takes any free one.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen on; it asks nobody for a password.")
    ] = "127.0.0.1",
) -> None:
    """Serve one page that tells how the whole goes, until Ctrl-C.

    The chain from events to recall with rates, lag and health; freshness and recall latency as
    live charts; dead letters; roles up and down. It reads Kafka and Redis, writes nothing, and is
    right when a role is dead. `penstock up` and `penstock demo` serve it too.

    **Examples**

    `penstock dashboard`

    `penstock dashboard --port 0` : on any free port, which it prints
    """
    from ops.dashboard.serve import serve  # its libraries are nobody else's

    configure_logs(debug=False)
    serve(load_settings(), host, port, lambda url: err.print(f"dashboard at {url}", soft_wrap=True))
