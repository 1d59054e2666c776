from __future__ import annotations

from ops.commands.pretrain import MethodName
from ops.evaluation.models import GROUPS
from towers.graph.methods import METHODS


def test_the_command_line_and_the_evaluation_know_every_method() -> None:
    assert [method.value for method in MethodName] == list(METHODS)
    assert GROUPS["embeddings"] == list(METHODS)
    assert GROUPS["warm-starts"] == [f"warm-{method}" for method in METHODS]
