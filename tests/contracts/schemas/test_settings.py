"""Settings as a process reads them: file, environment, and what is said of mistakes.

Each case is a process of its own, since the environment belongs to a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.settings import KafkaSettings, RedisSettings, Settings

_PROGRAM = """
import sys
from schemas.errors import SettingsError
from schemas.settings import load_settings
try:
    settings = load_settings()
except SettingsError as error:
    sys.exit(str(error))
print(settings.kafka.bootstrap_servers, settings.topics.partitions, settings.labelling.window_ms)
print(repr(settings))
"""


def _read(folder: Path, toml: str | None = None, **variables: str) -> tuple[bool, str]:
    """Whether the settings were good, and what was printed or said."""
    if toml is not None:
        (folder / "penstock.toml").write_text(toml, encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode == 0, ran.stdout if ran.returncode == 0 else ran.stderr.strip()


def test_without_file_and_variables_the_defaults_hold(tmp_path: Path) -> None:
    good, told = _read(tmp_path)
    assert good
    assert told.splitlines()[0] == "127.0.0.1:9092 4 900000"


def test_the_environment_is_stronger_than_the_file(tmp_path: Path) -> None:
    good, told = _read(
        tmp_path,
        '[kafka]\nbootstrap_servers = "file:1"\n[topics]\npartitions = 9\n',
        PENSTOCK_KAFKA__BOOTSTRAP_SERVERS="env:2",
        PENSTOCK_LABELLING__WINDOW_MS="5",
    )
    assert good
    assert told.splitlines()[0] == "env:2 9 5"


def test_a_file_is_named_by_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("[topics]\npartitions = 3\n")
    good, told = _read(tmp_path, PENSTOCK_CONFIG=str(path))
    assert good
    assert told.splitlines()[0] == "127.0.0.1:9092 3 900000"
    good, told = _read(tmp_path, PENSTOCK_CONFIG=str(tmp_path / "gone.toml"))
    assert not good
    assert told.startswith("settings file not found: ")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (
            "[kafka]\nbootstrap_server = 'x:1'\n",
            "setting kafka.bootstrap_server is unknown; did you mean 'bootstrap_servers'?",
        ),
        ("[trainr]\nbatch = 1\n", "setting trainr is unknown; did you mean 'trainer'?"),
        ("[topics]\npartitions = 0\n", "setting topics.partitions: Input should be greater than"),
        ("[topics]\npartitions = 0\nshards = 0\n", "setting topics.shards"),
        ("[topics\n", "penstock.toml is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, toml: str, told: str) -> None:
    good, said = _read(tmp_path, toml)
    assert not good
    assert told in said


def test_a_mistake_in_a_variable_is_named(tmp_path: Path) -> None:
    good, said = _read(tmp_path, PENSTOCK_TOPICS__SHARD="3")
    assert not good
    assert said == "setting topics.shard is unknown; did you mean 'shards'?"


def test_a_section_in_a_variable_that_is_not_json_is_named(tmp_path: Path) -> None:
    good, said = _read(tmp_path, PENSTOCK_KAFKA="broker:9092")
    assert not good
    assert said.startswith("setting kafka: ")
    assert len(said.splitlines()) == 1


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    good, told = _read(
        tmp_path,
        PENSTOCK_KAFKA__PASSWORD="hunter2",
        PENSTOCK_REDIS__URL="redis://:hunter2@redis:6379/0",
    )
    assert good
    assert "hunter2" not in told
    assert "**********" in told


@pytest.mark.parametrize(
    "toml",
    [
        "[kafka]\npassword = 'hunter2'\nusernam = 'me'\n",
        "[kafka]\npassword = ['hunter2']\n",
        "[kafka]\npassword = 'hunter2'\nsecurity_protocol = 'none'\n",
    ],
)
def test_secrets_are_not_in_errors(tmp_path: Path, toml: str) -> None:
    good, said = _read(tmp_path, toml)
    assert not good
    assert said.startswith("setting kafka.")
    assert "hunter2" not in said


def test_a_password_reaches_the_clients() -> None:
    kafka = KafkaSettings.model_validate(
        {"security_protocol": "SASL_PLAINTEXT", "username": "me", "password": "hunter2"}
    )
    assert kafka.client_options()["sasl_plain_password"] == "hunter2"
    assert "hunter2" not in repr(kafka)
    assert "hunter2" not in f"{kafka.client_options()}"  # clients log what they are given
    assert RedisSettings().url.get_secret_value() == "redis://127.0.0.1:6379/0"


def test_every_setting_has_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        section = field.annotation
        for inner in getattr(section, "model_fields", {}).values():
            assert inner.description, f"{name}: {inner}"


def test_exposures_as_the_only_negatives_are_refused_with_the_reason(tmp_path: Path) -> None:
    only = "[towers]\nin_batch_negatives = false\nuniform_negatives = 0\n"
    good, told = _read(tmp_path, only)
    assert not good
    assert told.startswith("setting towers.exposures_only: recall must learn from negatives of the")
    assert "whole catalogue" in told and told.endswith("; got False")
    assert _read(tmp_path, only + "exposures_only = true\n")[0]
    assert not _read(tmp_path, only + "exposures_only = true\nexposure_negatives = 0\n")[0]
