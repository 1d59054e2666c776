"""What the labelling processes do on a real Kafka when a record waits, or partitions move."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.events import Event
from schemas.samples import Sample
from schemas.topics import NEGATIVES, POSITIVES, topic_name
from tests.support.batch_labeller import batch_labels, final_labels
from tests.support.label_stage import RULES, Events, await_negatives_of, stage
from tests.support.label_workers import LABEL_ROLES, LabelRoleName, LabelWorkers, lag, read_samples
from tests.support.polling import eventually
from tests.support.servers import KafkaServer

_TRAINER = "trainer"


def test_a_waiting_record_holds_back_the_commit_of_those_after_it(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    """Acknowledged out of order they would take its offset with them, and its labels be lost."""
    role: LabelRoleName = "label-negatives"
    with stage(kafka, "held", tmp_path) as (workers, events):
        workers.start(role)
        events.shown(0, "waits", 5)
        marks = {events.mark(0) for _ in range(99)}
        events.flush()
        await_negatives_of(workers, marks)
        # Commits take all partitions together: one on another partition shows that one was made.
        for round_number in range(2):
            events.put(1, [Event("view", "u", "i", f"view-{round_number}", events.start_ms)])
            events.flush()
            eventually(
                lambda: workers.committed(role).get(1),
                lambda offset, expected=round_number + 1: offset == expected,  # type: ignore[misc]
                "the view on partition 1 is committed",
            )
        assert workers.committed(role).get(0) is None
        workers.kill(f"{role}-0")
        workers.start(role)
        events.close_windows(workers.settings.topics.partitions)
        await_equal(workers, events, NEGATIVES)


def test_what_waits_is_rebuilt_where_a_rebalance_delivers_it_again(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    """A second worker comes, the first commits and goes; no label is lost, and none comes twice."""
    role: LabelRoleName = "label-negatives"
    with stage(kafka, "rebuilt", tmp_path) as (workers, events):
        partitions = range(workers.settings.topics.partitions)

        def await_read() -> None:
            marks = {events.mark(partition) for partition in partitions}
            events.flush()
            await_negatives_of(workers, marks)

        workers.start(role, 0)
        workers.await_owners(role, 1)
        for partition in partitions:
            events.shown(partition, f"before-{partition}", 10)
        await_read()
        workers.start(role, 1)
        workers.await_owners(role, 2)
        for partition in partitions:
            clicked = Event("click", "u", "item-3", f"before-{partition}", events.start_ms)
            events.put(partition, [clicked])
        await_read()
        workers.stop_one(f"{role}-0")
        workers.await_owners(role, 1)
        await_read()
        assert waiting_sent(workers) == []
        events.close_windows(len(partitions))
        await_equal(workers, events, NEGATIVES)
        sent = waiting_sent(workers)
        assert len(sent) == len(set(sent)) == 9 * len(partitions)


@pytest.mark.parametrize("role", LABEL_ROLES)
def test_partitions_spread_move_and_come_back(
    kafka: KafkaServer, tmp_path: Path, role: LabelRoleName
) -> None:
    """Two workers, one after a kill, two again, one after a stop: the labels are the batch's."""
    with stage(kafka, f"moved-{role}", tmp_path) as (workers, events):
        partitions = range(workers.settings.topics.partitions)

        def publish(request_id: str) -> None:
            for partition in partitions:
                events.shown(partition, f"{request_id}-{partition}", 5)
                clicked = Event(
                    "click", "u", "item-1", f"{request_id}-{partition}", events.start_ms
                )
                events.put(partition, [clicked])
            events.flush()

        workers.start(role, 0)
        workers.start(role, 1)
        first = workers.await_owners(role, 2)
        assert [len(share) for share in first.values()] == [len(partitions) // 2] * 2
        publish("two")
        workers.kill(f"{role}-0")
        publish("killed")
        workers.await_owners(role, 1)
        workers.start(role, 0)
        workers.await_owners(role, 2)
        publish("back")
        workers.stop_one(f"{role}-1")
        workers.await_owners(role, 1)
        publish("one")
        events.close_windows(len(partitions))
        await_equal(workers, events, NEGATIVES if role == "label-negatives" else POSITIVES)


def test_without_a_trainer_all_is_labelled_and_the_lag_shows_it(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    with stage(kafka, "untrained", tmp_path) as (workers, events):
        for role in LABEL_ROLES:
            workers.start(role)
        partitions = range(workers.settings.topics.partitions)
        for number in range(100):
            request_id = f"r{number}"
            events.shown(number % len(partitions), request_id, 500)
            clicked = Event("click", "u", "item-7", request_id, events.start_ms)
            events.put(number % len(partitions), [clicked])
        events.close_windows(len(partitions))
        for topic in (POSITIVES, NEGATIVES):
            await_equal(workers, events, topic)
            trainer = topic_name(workers.settings.namespace, _TRAINER)
            records = workers.ends(topic)
            assert lag(workers.settings, trainer, topic) == sum(records.values()) > 0
        workers.await_labelled()


def waiting_sent(workers: LabelWorkers) -> list[int]:
    """Ids of the negatives on the topic that are of no mark, as often as they are there."""
    samples = read_samples(workers.settings, NEGATIVES)
    return [sample.sample_id for sample in samples if not sample.request_id.startswith("mark")]


def await_equal(workers: LabelWorkers, events: Events, topic: str) -> None:
    """Wait for the last label, then compare the topic with the batch, late negatives taken back."""
    expected = batch_labels(events.sent, RULES.positives, RULES.signals)
    here = {
        label for label in expected if (label.kind == "exposure_negative") == (topic == NEGATIVES)
    }

    def found() -> list[Sample]:
        return list(read_samples(workers.settings, topic))

    samples = eventually(
        found,
        lambda samples: {label.sample_id for label in here} <= {s.sample_id for s in samples},
        f"all {len(here)} labels on {topic}",
    )
    assert final_labels(samples).labels == here
