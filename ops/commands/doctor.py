"""`penstock doctor`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from ops.checks import check_all, check_roles
from ops.commands.options import AsJson
from ops.commands.run import RoleName
from ops.console import out, print_json
from schemas.settings import load_settings
from schemas.status import ROLES

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(
    role: Annotated[
        RoleName | None, typer.Option(help="Only whether this role runs and is ready.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check versions, Kafka, Redis, topics and roles; say what to do about each failure.

    Exits with 1 when a check failed.

    **Examples**

    `penstock doctor`

    `penstock doctor --role trainer` : a health check
    """
    settings = load_settings()
    if role is None:
        checks = list(check_all(settings))
    else:
        checks = list(check_roles(settings, tuple(r for r in ROLES if r == role.value)))
    if as_json:
        print_json(checks)
    else:
        table = Table("check", "", "found", "what to do")
        for check in checks:
            state = f"[{_COLOURS[check.state]}]{check.state}[/]"
            table.add_row(check.name, state, check.found, check.advice)
        out.print(table)
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(1)
