"""Settings reach a child through its environment exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from ops.stack import environment, with_addresses
from schemas.settings import KafkaSettings, LabellingSettings, Settings

CHILD = """
import json
from ops.stack import environment
from schemas.settings import load_settings
print(json.dumps(environment(load_settings())))
"""


def test_a_childs_settings_are_its_parents(tmp_path: Path) -> None:
    given = with_addresses(
        Settings(
            namespace="child",
            kafka=KafkaSettings(password=SecretStr("s3cret"), username="me"),
            labelling=LabellingSettings(window_ms=7, positives={"buy": 5.0}),
        ),
        "127.0.0.1:1",
        "redis://127.0.0.1:2/0",
    )
    variables = environment(given)
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    ours = {name for name in variables if name.startswith("PENSTOCK_")}
    assert {name: told[name] for name in ours} == {name: variables[name] for name in ours}
    assert json.loads(told["PENSTOCK_LABELLING"])["positives"] == {"buy": 5.0}
    assert json.loads(told["PENSTOCK_KAFKA"])["password"] == "s3cret"
