"""`penstock click`."""

from __future__ import annotations

import time
import uuid
from typing import Annotated

import typer

from ops.commands.options import AsJson, Context
from ops.commands.written import parse_context
from ops.console import out, print_json
from ops.user_records import wait_for_refresh
from schemas.events import CLICK, Event
from schemas.settings import load_settings
from streams import EventProducer

_WAIT_S = 10.0


def click_item(
    user: Annotated[str, typer.Option(help="Who clicks.")],
    item: Annotated[str, typer.Option(help="What is clicked.")],
    action: Annotated[str, typer.Option(help="Another action than a click.")] = CLICK,
    request: Annotated[
        str | None, typer.Option(help="Request that showed the item. [default: a new one]")
    ] = None,
    context: Context = None,
    wait: Annotated[bool, typer.Option(help="Wait until the user's vector has it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Publish one click and tell how soon the user's vector knew of it.

    **Examples**

    `penstock click --user 196 --item 242`

    `penstock click --user 196 --item 242 --action view --context city=Oslo --no-wait`
    """
    settings = load_settings()
    with EventProducer(settings) as producer:
        event = Event(
            action=action,
            user_id=user,
            item_id=item,
            request_id=request or f"cli-{uuid.uuid4()}",
            ts_ms=time.time_ns() // 1_000_000,
            context=parse_context(context or []),
        )
        producer.send(event)
        producer.flush()
    waited = wait_for_refresh(settings, user, event.ts_ms, _WAIT_S) if wait else None
    if as_json:
        print_json({"request_id": event.request_id, "click_to_user_vector_ms": waited})
        return
    out.print(f"{action} of {item} by {user} published (request {event.request_id})")
    if waited is not None:
        out.print(f"user vector refreshed {waited:.0f} ms after it")
