"""`penstock topics`."""

from __future__ import annotations

import typer
from rich.table import Table

from ops.broker import admin, create_topics, existing_topics
from ops.commands.options import AsJson
from ops.console import out, print_json
from schemas.settings import load_settings
from schemas.topics import topic_specs

topics = typer.Typer(no_args_is_help=True, help="Create or list the topics of the settings.")


@topics.command()
def create(as_json: AsJson = False) -> None:
    """Create the topics that are missing; topics that are there stay as they are.

    **Example**: `penstock topics create`
    """
    created = create_topics(load_settings())
    if as_json:
        print_json({"created": [spec.name for spec in created]})
    else:
        for spec in created:
            out.print(f"created {spec.name} with {spec.partitions} partitions")
        if not created:
            out.print("every topic was there already")


@topics.command("list")
def list_topics(as_json: AsJson = False) -> None:
    """List the topics of the settings and whether the broker has them.

    **Example**: `penstock topics list --json`
    """
    settings = load_settings()
    with admin(settings) as client:
        existing = existing_topics(client)
    rows = [
        {
            "topic": spec.name,
            "partitions": spec.partitions,
            "on_broker": existing.get(spec.name),
            "config": spec.config,
        }
        for spec in topic_specs(settings)
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("topic", "partitions", "on the broker", "policy")
    for spec in topic_specs(settings):
        found = existing.get(spec.name)
        shown = "[red]missing[/]" if found is None else str(found)
        if found is not None and found != spec.partitions:
            shown = f"[red]{found}[/]"
        policy = ", ".join(f"{name}={value}" for name, value in spec.config.items())
        table.add_row(spec.name, str(spec.partitions), shown, policy)
    out.print(table)
