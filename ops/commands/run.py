"""`penstock run`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ops.logs import configure_logs
from ops.roles import run_role
from schemas.settings import load_settings
from schemas.status import ROLES

RoleName = StrEnum("RoleName", {role.replace("-", "_"): role for role in ROLES})  # type: ignore[misc]
"""The roles as choices of the command line."""


def run(
    role: Annotated[RoleName, typer.Argument(help="Which role.")],
    instance: Annotated[
        str | None, typer.Option(help="Name of this process in its group; see the settings.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log at debug level.")] = False,
) -> None:
    """Run one role until SIGTERM or Ctrl-C, for production.

    It waits for Kafka if that is not there yet, and reconnects when it goes away. Logs go to stderr
    as key=value, or as JSON with `PENSTOCK_LOG_FORMAT=json`.

    **Examples**

    `penstock run trainer`

    `penstock run label-positives --instance worker-2` : back at once after a kill

    `PENSTOCK_KAFKA__BOOTSTRAP_SERVERS=broker:9092 penstock run index`
    """
    configure_logs(debug=verbose)
    settings = load_settings()
    if instance is not None:
        settings = settings.model_copy(update={"instance": instance})
    for known in ROLES:
        if known == role.value:
            run_role(settings, known)
