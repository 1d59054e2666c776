"""`penstock recall`."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.table import Table

from index_service import RecallClient
from ops.commands.options import AsJson
from ops.console import err, out, print_json
from schemas.events import FeatureValue
from schemas.recall import Condition, Range, RecallReply, Scalar
from schemas.settings import load_settings

_BOUND = re.compile(r"^(?P<field>[^<>=]+)(?P<operator>>=|<=|>|<)(?P<value>.+)$")
_BOUND_NAMES = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}


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
    context: Annotated[
        list[str] | None,
        typer.Option(help="Where the user is, as in events: city=Oslo or city=Oslo,Bergen."),
    ] = None,
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


def parse_conditions(conditions: list[str]) -> dict[str, Condition]:
    """`field=value`, `field=a,b` and bounds as a request's filter; bounds on one field add up.

    A value that reads as a number or as true or false is one.
    """
    parsed: dict[str, Condition] = {}
    bounds: dict[str, dict[str, float]] = {}
    for text in conditions:
        bound = _BOUND.match(text)
        field, equals, value = text.partition("=")
        if bound:
            name = bound["field"].strip()
            number = _scalar(bound["value"])
            if isinstance(number, str | bool):
                msg = f"a bound is a number; got {bound['value']!r} in {text!r}"
                raise typer.BadParameter(msg)
            bounds.setdefault(name, {})[_BOUND_NAMES[bound["operator"]]] = float(number)
        elif equals and field.strip() and value:
            values = [_scalar(part) for part in value.split(",")]
            parsed[field.strip()] = values[0] if len(values) == 1 else values
        else:
            msg = f"a filter is field=value, field=a,b or field>=number; got {text!r}"
            raise typer.BadParameter(msg)
    parsed.update({name: Range(**limits) for name, limits in bounds.items()})
    return parsed


def parse_context(features: list[str]) -> dict[str, FeatureValue]:
    """`feature=value` and `feature=a,b` as a request's context; values as in `parse_conditions`."""
    parsed: dict[str, FeatureValue] = {}
    for text in features:
        feature, equals, value = text.partition("=")
        if not (equals and feature.strip() and value):
            msg = f"a context is feature=value or feature=a,b; got {text!r}"
            raise typer.BadParameter(msg)
        values = [part.strip() for part in value.split(",")]
        parsed[feature.strip()] = _scalar(values[0]) if len(values) == 1 else values
    return parsed


def _scalar(text: str) -> Scalar:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


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
