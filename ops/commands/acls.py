"""`penstock acls`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.table import Table

from ops.access import PARTIES, Party, kafka_commands, kafka_rights, redis_command, redis_rules
from ops.commands.options import AsJson
from ops.console import out, print_json
from schemas.errors import SettingsError
from schemas.settings import Settings, load_settings


def acls(
    parties: Annotated[
        list[str] | None, typer.Argument(help="Whose; all without any.", metavar="[PARTY]...")
    ] = None,
    users: Annotated[
        str, typer.Option(help="How users are named; {party} stands for the party.")
    ] = "penstock-{party}",
    table: Annotated[bool, typer.Option("--table", help="Show the rights as a table.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the commands that give each party the rights it needs on Kafka and Redis, and no more.

    Parties are the four roles, `producer` (publishes events and items), `client` (asks for
    recall), `operator` (doctor, lag, tail, dashboard), `loader` (`penstock index load`) and `admin`
    (`penstock topics create`). Each runs with its own user: PENSTOCK_KAFKA__USERNAME,
    PENSTOCK_KAFKA__PASSWORD and PENSTOCK_REDIS__URL. No password is printed or set.

    **Examples**

    `penstock acls` : for all, as a shell script

    `penstock acls trainer index --users 'recsys-{party}'`

    `penstock acls --table`
    """
    settings = load_settings()
    chosen = [_known(party) for party in parties or PARTIES]
    if as_json:
        print_json([_row(settings, party, users) for party in chosen])
    elif table:
        _show(settings, chosen)
    else:
        for party in chosen:
            for line in _script(settings, party, users.replace("{party}", party)):
                typer.echo(line)


def _known(party: str) -> Party:
    if party not in PARTIES:
        msg = f"a party is one of {', '.join(PARTIES)}; got {party!r}; name one of them"
        raise SettingsError(msg)
    return party


def _script(settings: Settings, party: Party, user: str) -> list[str]:
    lines = [f"# {party}", *kafka_commands(settings, party, user)]
    command = redis_command(settings, party, user)
    if command:
        lines.append(shlex.join(["redis-cli", *command]))
    return lines


def _row(settings: Settings, party: Party, users: str) -> dict[str, object]:
    return {
        "party": party,
        "user": users.replace("{party}", party),
        "kafka": [right._asdict() for right in kafka_rights(settings, party)],
        "redis": redis_rules(settings, party),
    }


def _show(settings: Settings, parties: list[Party]) -> None:
    shown = Table("party", "right", "on")
    for party in parties:
        for right in kafka_rights(settings, party):
            name = f"{right.name}*" if right.prefixed else right.name
            shown.add_row(party, right.operation, f"{right.resource} {name}")
        for rule in redis_rules(settings, party):
            shown.add_row(party, "Redis", rule)
        shown.add_section()
    out.print(shown)
