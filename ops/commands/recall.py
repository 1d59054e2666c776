"""`penstock recall`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from index_service import RecallClient
from ops.commands.options import AsJson, Context
from ops.commands.written import parse_conditions, parse_context
from ops.console import err, out, print_json
from schemas.recall import RecallReply
from schemas.settings import load_settings


def recall(
    user: Annotated[str | None, typer.Option(help="Items for this user.")] = None,
    item: Annotated[
        list[str] | None, typer.Option(help="Items like this one; may be repeated, newest first.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    condition: Annotated[
        list[str] | None,
        typer.Option("--filter", help="genre=Comedy, genre=Comedy,Drama or year>=1990; repeat."),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this item out; repeat.")] = None,
    context: Context = None,
    seen: Annotated[bool, typer.Option(help="Let seen items come again.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Ask for recall as a service would, over Kafka.

    **Examples**

    `penstock recall --user 196 -k 10`

    `penstock recall --item 50 --filter "genre=Sci-Fi" --filter "year>=1980"`

    `penstock recall --user 196 --context city=Oslo --json`
    """
    settings = load_settings()
    with RecallClient(settings) as client:
        reply = client.recall(
            user,
            item_ids=item,
            k=k,
            filter=parse_conditions(condition or []),
            exclude=exclude or [],
            exclude_seen=not seen,
            context=parse_context(context or []),
            timeout_s=timeout,
        )
    if as_json:
        print_json(reply)
    else:
        _show(reply)


def _show(reply: RecallReply) -> None:
    if reply.status != "ok":
        err.print(f"[yellow]{reply.status}[/]: {reply.reason}")
    table = Table("", "item", "score", "channel")
    for rank, item in enumerate(reply.items, start=1):
        table.add_row(str(rank), item.item_id, f"{item.score:.3f}", item.channel)
    out.print(table)
    stages = ", ".join(f"{name} {ms:.1f}" for name, ms in reply.stages_ms.items())
    out.print(
        f"{len(reply.items)} items, {reply.shards_answered} of {reply.shards_asked} shards, "
        f"epoch {reply.epoch}, step {reply.step}; ms: {stages}"
    )
