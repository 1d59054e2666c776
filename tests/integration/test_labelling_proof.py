"""A long log through two workers of each role that are killed, and a broker that restarts."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.broker import create_topics
from schemas.events import EXPOSURE, Event
from schemas.settings import KafkaSettings, Settings
from schemas.topics import NEGATIVES, POSITIVES
from streams import EventProducer
from tests.support.batch_labeller import batch_labels, final_labels
from tests.support.label_workers import (
    LABEL_ROLES,
    LabelRoleName,
    LabelWorkers,
    label_workers,
    read_samples,
)
from tests.support.live import now_ms
from tests.support.proof_stream import RULES, proof_stream
from tests.support.servers import KafkaServer

EVENTS_VARIABLE = "PENSTOCK_PROOF_EVENTS"
"""How many events; the nightly form has 1,000,000."""
_EVENTS = 200_000
_SLICE = 4_000  # four partitions of a thousand events a record
_KILLED: list[tuple[LabelRoleName, int]] = [
    ("label-positives", 0),
    ("label-negatives", 0),
    ("label-negatives", 1),
    ("label-positives", 1),
    ("label-negatives", 0),
]


@contextmanager
def workers_on(kafka: KafkaServer, namespace: str, folder: Path) -> Iterator[LabelWorkers]:
    """Two workers of each role, which share the partitions."""
    settings = Settings(
        namespace=namespace,
        kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
        labelling=RULES,
    )
    create_topics(settings)
    with label_workers(settings, folder) as workers:
        for role in LABEL_ROLES:
            for number in range(2):
                workers.start(role, number)
        for role in LABEL_ROLES:
            workers.await_owners(role, 2)
        yield workers


@pytest.mark.timeout(900)
def test_kills_and_a_broker_restart_change_no_label(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = proof_stream(int(os.environ.get(EVENTS_VARIABLE, _EVENTS)), now_ms() - 10**8)
    started_s = time.monotonic()
    with workers_on(kafka, "proof", tmp_path) as workers:

        def kill_and_start(role: LabelRoleName, number: int) -> None:
            workers.kill(f"{role}-{number}")
            workers.start(role, number)
            workers.await_owners(role, 2)

        def restart_broker() -> None:
            kafka.kill()
            kafka.start()

        troubles: list[Callable[[], None]] = [
            lambda role=role, number=number: kill_and_start(role, number)  # type: ignore[misc]
            for role, number in _KILLED
        ]
        troubles.insert(3, restart_broker)
        share = len(events) // (len(troubles) + 1)
        lags: list[dict[str, int]] = []
        with EventProducer(workers.settings) as producer:
            for number, trouble in enumerate([*troubles, None]):
                last = trouble is None
                _publish(producer, events[number * share : None if last else (number + 1) * share])
                if trouble is not None:
                    lags.append({role: workers.lag(role) for role in LABEL_ROLES})
                    trouble()
        workers.await_labelled(timeout_s=300)
        figures = _compare(workers.settings, events)
    figures |= {
        "seconds": round(time.monotonic() - started_s, 1),
        "kills": len(_KILLED),
        "broker_restarts": 1,
        "records_behind_at_each": lags,
    }
    with capsys.disabled():
        print("\n" + json.dumps({"case": "labelling proof", **figures}))


def _publish(producer: EventProducer, events: list[Event]) -> None:
    for start in range(0, len(events), _SLICE):
        producer.send_many(events[start : start + _SLICE])
    producer.flush()


def _compare(settings: Settings, events: list[Event]) -> dict[str, object]:
    """Ids, kinds and weights on both topics are the batch's; returns what came, and how often."""
    expected = batch_labels(events, RULES.positives, RULES.signals)
    positives = list(read_samples(settings, POSITIVES))
    negatives = list(read_samples(settings, NEGATIVES))
    assert {sample.kind for sample in positives} == {"positive", "signal"}
    assert {sample.kind for sample in negatives} == {"exposure_negative"}
    final = final_labels([*positives, *negatives])
    lost, extra = expected - final.labels, final.labels - expected
    assert not lost and not extra, f"lost {len(lost)}, extra {len(extra)}"
    actions = Counter(event.action for event in events)
    repeated = {
        topic: len(samples) - len({sample.sample_id for sample in samples})
        for topic, samples in ((POSITIVES, positives), (NEGATIVES, negatives))
    }
    assert sum(repeated.values()) == final.duplicates
    return {
        "events": len(events),
        "ctr": round(actions["click"] / actions[EXPOSURE], 4),
        "labels": dict(Counter(label.kind for label in final.labels)),
        "duplicates": repeated,
        "negatives_taken_back": final.taken_back,
    }
