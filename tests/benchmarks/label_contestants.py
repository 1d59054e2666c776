"""Who labels on Kafka: the two roles, and the peers, each as its users run it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ops.children import Child
from ops.datasets.cache import default_cache_dir
from ops.stack import environment
from schemas.codec import Decoder
from schemas.errors import EnvironmentProblem
from schemas.samples import POSITIVE, SIGNAL, SampleBatch
from schemas.settings import LabellingSettings, Settings
from schemas.topics import EVENTS, NEGATIVES, POSITIVES, topic_name, topic_specs
from tests.benchmarks.label_brokered import Contestant
from tests.benchmarks.label_stream import Labels

PEERS_FOLDER = Path(__file__).parent / "peers"

_batches = Decoder[SampleBatch](SampleBatch)


class PeerLabel(msgspec.Struct):
    """What every peer writes."""

    request_id: str
    item_id: str
    label: int


_peer_labels = msgspec.json.Decoder(PeerLabel)


class Peer(NamedTuple):
    """A framework, in `peers/NAME` with its requirements."""

    name: str
    title: str
    command: tuple[str, ...]
    """Arguments of its own Python."""


FAUST_TABLE = Peer("faust_table", "Faust, Table", ("app.py", "worker", "-l", "warn"))
QUIX_STREAMS = Peer("quix_streams", "Quix Streams", ("app.py",))
BYTEWAX = Peer("bytewax_join", "Bytewax", ("-m", "bytewax.run", "app:flow"))


def role(
    settings: Settings, name: Literal["label-positives", "label-negatives"], folder: Path
) -> Contestant:
    """`penstock run label-...` with these settings, in a namespace of its own."""
    output = POSITIVES if name == "label-positives" else NEGATIVES
    log = folder / f"{settings.namespace}.log"
    command = [sys.executable, "-m", "ops.cli", "run", name]
    return Contestant(
        lambda: Child(name, command, log, environment(settings)),
        [spec.name for spec in topic_specs(settings)],
        topic_name(settings.namespace, EVENTS),
        topic_name(settings.namespace, output),
        _read_batch,
    )


def peer(of: Peer, python: Path, kafka: str, rules: LabellingSettings, folder: Path) -> Contestant:
    """The peer's process, in a group and with topics of its own."""
    group = f"{of.name}-{uuid.uuid4().hex[:8]}"
    events, labels = f"{group}.events", f"{group}.labels"
    variables = {
        "BROKER": kafka,
        "GROUP": group,
        "EVENTS": events,
        "LABELS": labels,
        "WINDOW_MS": str(rules.window_ms),
        "LATENESS_MS": str(rules.lateness_ms),
        "STATE_DIR": str(folder / group),
        "PYTHONPATH": str(PEERS_FOLDER / of.name),
    }
    command = [str(python), *of.command]
    if command[1].endswith(".py"):
        command[1] = str(PEERS_FOLDER / of.name / command[1])
    log = folder / f"{group}.log"
    return Contestant(
        lambda: Child(of.title, command, log, _clean() | variables),
        [events, labels],
        events,
        labels,
        _read_peer,
    )


def _clean() -> dict[str, str]:
    """This environment, less what points at our own packages."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PENSTOCK", "PYTHON", "VIRTUAL_ENV"))
    }


def _read_batch(value: bytes, labels: Labels) -> None:
    for sample in _batches.decode(value).stated():
        if sample.kind != SIGNAL:
            labels.add(sample.request_id, sample.item_id, sample.kind == POSITIVE)


def _read_peer(value: bytes, labels: Labels) -> None:
    label = _peer_labels.decode(value)
    labels.add(label.request_id, label.item_id, label.label == 1)


def python_of(of: Peer, say: Callable[[str], None]) -> Path:
    """The Python of the peer's virtual environment, made when first asked for.

    It lies in the cache folder, by the contents of its requirements. Raises EnvironmentProblem
    when it cannot be made.
    """
    requirements = PEERS_FOLDER / of.name / "requirements.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements.read_bytes() + version.encode()).hexdigest()[:12]
    folder = default_cache_dir(os.environ, Path.home()) / "peers" / f"{of.name}-{digest}"
    python = folder / "bin" / "python"
    made = folder / ".made"
    if made.exists():
        return python
    say(f"{of.title}: making its virtual environment in {folder}")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        _call(sys.executable, "-m", "venv", str(folder))
        _call(str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements))
        made.touch()
    except (subprocess.CalledProcessError, OSError) as error:
        words = getattr(error, "stderr", None) or str(error)
        msg = f"{of.title} installs from {requirements}; it did not: {words.strip()[-500:]}"
        raise EnvironmentProblem(msg) from error
    return python


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
