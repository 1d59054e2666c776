"""docker-compose.yml and Dockerfile against the settings, the roles and the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from ops.cli import app
from schemas.settings import Settings
from schemas.status import ROLES

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def _is_known(command: list[str]) -> bool:
    """Whether the command line knows this command and its options; --help keeps it from running."""
    program, *rest = command
    return program == "penstock" and CliRunner().invoke(app, [*rest, "--help"]).exit_code == 0


def test_each_role_is_a_service_that_runs_it() -> None:
    assert set(OURS) == {*ROLES, "topics"}
    for role in ROLES:
        assert OURS[role]["command"] == ["penstock", "run", role]
    assert OURS["topics"]["command"] == ["penstock", "topics", "create"]


@pytest.mark.parametrize("name", OURS)
def test_commands_are_known(name: str) -> None:
    assert _is_known(OURS[name]["command"])
    if "healthcheck" in OURS[name]:
        kind, *command = OURS[name]["healthcheck"]["test"]
        assert kind == "CMD"
        assert _is_known(command)


@pytest.mark.parametrize("command", ["penstock walk", "penstock doctor --rolle trainer", "top"])
def test_an_unknown_command_would_be_found(command: str) -> None:
    assert not _is_known(command.split())


def test_images_are_pinned() -> None:
    assert SERVICES["kafka"]["image"] == "apache/kafka:4.3.1"
    assert SERVICES["redis"]["image"] == "redis:8"
    for name in ("prometheus", "grafana"):
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert bases == {"python:3.11-slim"}


def test_every_service_that_stays_has_a_health_check_and_every_one_a_memory_limit() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name != "topics"), name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
    for role in ROLES:
        assert OURS[role]["healthcheck"]["test"][1:] == ["penstock", "doctor", "--role", role]


def test_roles_wait_for_their_topics() -> None:
    for role in ROLES:
        assert OURS[role]["depends_on"] == {
            "kafka": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
            "topics": {"condition": "service_completed_successfully"},
        }


def test_ports_are_those_of_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def _setting(variable: str) -> object:
    """The default of the setting that a `PENSTOCK_A__B` variable sets."""
    prefix = Settings.model_config["env_prefix"]
    assert variable.startswith(prefix)
    model: type[BaseModel] = Settings
    *sections, name = variable.removeprefix(prefix).lower().split("__")
    for section in sections:
        inner = model.model_fields[section].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        model = inner
    return model.model_fields[name].default


def test_variables_are_settings() -> None:
    named = {name for service in OURS.values() for name in service["environment"]}
    named |= set(re.findall(r"\bPENSTOCK_[A-Z_]+", DOCKERFILE))
    assert {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS",
        "PENSTOCK_REDIS__URL",
        "PENSTOCK_TRAINER__CHECKPOINT_DIR",
    } <= named
    for variable in named:
        _setting(variable)
    with pytest.raises(KeyError):
        _setting("PENSTOCK_KAFKA__BOOTSTRAP_SERVER")


def test_kafka_is_reached_by_its_listeners() -> None:
    kafka = SERVICES["kafka"]["environment"]
    advertised = dict(
        entry.split("://") for entry in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    )
    listening = dict(entry.split("://") for entry in kafka["KAFKA_LISTENERS"].split(","))
    secured = dict(
        entry.split(":") for entry in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    assert set(listening) == set(secured) == set(advertised) | {"CONTROLLER"}
    for role in ROLES:
        servers = OURS[role]["environment"]["PENSTOCK_KAFKA__BOOTSTRAP_SERVERS"]
        assert servers == advertised["INTERNAL"]
    assert advertised["HOST"] == _setting("PENSTOCK_KAFKA__BOOTSTRAP_SERVERS")
    for name, address in advertised.items():
        assert listening[name] == f":{address.rpartition(':')[2]}"


def test_what_must_survive_lies_in_volumes() -> None:
    def target(service: str, volume: str) -> str:
        (mount,) = [m for m in SERVICES[service]["volumes"] if m.startswith(f"{volume}:")]
        return str(mount.partition(":")[2])

    stores = {"kafka", "redis", "checkpoints", "prometheus", "grafana"}
    assert set(COMPOSE["volumes"]) == stores
    assert target("kafka", "kafka") == SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]
    assert target("redis", "redis") == "/data"
    folder = OURS["trainer"]["environment"]["PENSTOCK_TRAINER__CHECKPOINT_DIR"]
    assert target("trainer", "checkpoints") == folder
    assert f"penstock {folder}" in DOCKERFILE  # made for the user, before the volume hides it


def test_the_image_has_the_torch_of_the_project_and_another_user_than_root() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (torch,) = [d for d in project["dependencies"] if d.startswith("torch")]
    assert f"pip install {torch} --index-url https://download.pytorch.org/whl/cpu" in DOCKERFILE
    build, final = DOCKERFILE.split("\nFROM ")[-2:]
    assert "build-essential" in build
    assert "build-essential" not in final
    assert "\nUSER penstock\n" in final


def test_the_builder_gets_every_package() -> None:
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in ("schemas", "streams", "towers", "index_service", "ops"):
        assert f"!{name}/" in kept
    assert {"!pyproject.toml", "!README.md", "!LICENSE"} <= set(kept)


def _compose_command() -> list[str] | None:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    return None


def test_docker_compose_accepts_the_file() -> None:
    command = _compose_command()
    if command is None:
        pytest.skip("needs docker-compose, or docker with its compose plugin, on PATH")
    checked = subprocess.run(
        [*command, "--file", str(FILE), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
