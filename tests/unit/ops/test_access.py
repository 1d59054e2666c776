"""The table of rights: against the topics that there are, the docs, and Kafka's tool's words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from ops.access import (
    PARTIES,
    Party,
    kafka_commands,
    kafka_rights,
    redis_command,
    redis_rules,
    topics_of,
)
from ops.cli import app
from schemas.settings import Settings
from schemas.topics import topic_specs

DOCS = Path(__file__).parents[3] / "docs" / "security.md"


def _names(settings: Settings, operation: str) -> set[str]:
    return {
        right.name
        for party in PARTIES
        for right in kafka_rights(settings, party)
        if right.resource == "topic" and right.operation == operation and not right.prefixed
    }


def test_every_party_is_listed() -> None:
    assert set(get_args(Party)) == set(PARTIES)


def test_somebody_writes_and_somebody_reads_every_topic() -> None:
    settings = Settings(namespace="ns")
    topics = {spec.name for spec in topic_specs(settings)}
    assert _names(settings, "Write") == topics
    assert _names(settings, "Read") == topics - {"ns.dead-letters"}  # which operators read


def test_only_prefixes_reach_beyond_a_name_and_none_beyond_the_namespace() -> None:
    for party in PARTIES:
        for right in kafka_rights(Settings(namespace="ns"), party):
            assert right.name.startswith("ns."), (party, right)
            assert not right.prefixed or party in ("operator", "admin", "trainer", "index")


def test_a_role_looks_at_its_own_topics() -> None:
    settings = Settings(namespace="ns")
    assert topics_of(settings, "label-positives") == {
        "ns.events",
        "ns.positives",
        "ns.dead-letters",
    }
    assert topics_of(settings, "trainer") == {
        "ns.positives",
        "ns.negatives",
        "ns.items",
        "ns.item-vectors",
    }


def _rights_in(command: str) -> set[tuple[str, str, str, bool]]:
    """What a command line of kafka-acls.sh gives, read word by word."""
    words = command.split()
    (operation,) = [words[at + 1] for at, word in enumerate(words) if word == "--operation"]
    prefixed = command.endswith(" --resource-pattern-type prefixed")
    return {
        (operation, word.removeprefix("--"), words[at + 1], prefixed)
        for at, word in enumerate(words)
        if word in ("--topic", "--group")
    }


@pytest.mark.parametrize("party", PARTIES)
def test_the_commands_give_the_rights_and_no_others(party: Party) -> None:
    settings = Settings(namespace="ns")
    given: set[tuple[str, str, str, bool]] = set()
    for command in kafka_commands(settings, party, "somebody"):
        assert "--allow-principal User:somebody " in command
        given |= _rights_in(command)
    assert given == {tuple(right) for right in kafka_rights(settings, party)}


def test_redis_rules_name_commands_and_keys() -> None:
    settings = Settings(namespace="ns")
    assert redis_rules(settings, "index") == [
        "(+set +del ~ns:role:index:*)",
        "(+mget ~ns:user:1:* ~ns:context:1:*)",
    ]
    assert redis_rules(settings, "trainer") == [
        "(+set +del ~ns:role:trainer:*)",
        "(+set +del ~ns:user:1:* ~ns:context:1:*)",
    ]
    assert redis_command(settings, "producer", "somebody") == []
    assert redis_command(settings, "label-positives", "somebody") == [
        *("ACL", "SETUSER", "somebody", "on", "resetkeys", "-@all"),
        "(+set +del ~ns:role:label-positives:*)",
    ]


def test_the_command_prints_a_script_a_table_or_json(tmp_path: Path) -> None:
    run = CliRunner()
    script = run.invoke(app, ["acls", "trainer", "--users", "recsys-{party}"]).stdout
    assert script.startswith("# trainer\nkafka-acls.sh ")
    assert "User:recsys-trainer" in script
    assert "redis-cli ACL SETUSER recsys-trainer on" in script
    rows = json.loads(run.invoke(app, ["acls", "--json"]).stdout)
    assert [row["party"] for row in rows] == list(PARTIES)
    assert "item-vectors" in run.invoke(app, ["acls", "--table"]).stdout
    wrong = run.invoke(app, ["acls", "trainr"])
    assert wrong.exit_code != 0
    assert "a party is one of" in str(wrong.exception)


def _table() -> str:
    """The rights as the docs show them."""
    settings = Settings()
    lines = ["| Party | Kafka | Redis |", "|---|---|---|"]
    for party in PARTIES:
        by_operation: dict[str, list[str]] = {}
        for right in kafka_rights(settings, party):
            name = right.name + ("*" if right.prefixed else "")
            what = f"group `{name}`" if right.resource == "group" else f"`{name}`"
            by_operation.setdefault(right.operation, []).append(what)
        kafka = "; ".join(f"{what} {', '.join(names)}" for what, names in by_operation.items())
        redis = ", ".join(f"`{rule}`" for rule in redis_rules(settings, party))
        who = f"`{party}`"
        lines.append(f"| {who} | {kafka} | {redis} |")
    return "\n".join(lines)


def test_the_docs_show_the_rights() -> None:
    found = re.search(r"<!-- rights:.*?-->\n(.*?)\n<!-- end of rights -->", DOCS.read_text(), re.S)
    assert found is not None
    assert found[1] == _table(), f"docs/security.md must show:\n{_table()}"
