"""Names and layout of topics."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import Settings, TopicSettings
from schemas.topics import partition_of, topic_specs


def test_labels_have_as_many_partitions_as_events_and_vectors_one_for_each_shard() -> None:
    settings = Settings.model_construct(
        namespace="shop", topics=TopicSettings(partitions=7, shards=3)
    )
    partitions = {spec.name: spec.partitions for spec in topic_specs(settings)}
    assert partitions == {
        "shop.events": 7,
        "shop.items": 7,
        "shop.positives": 7,
        "shop.negatives": 7,
        "shop.item-vectors": 3,
        "shop.recall.requests": 7,
        "shop.recall.replies": 7,
        "shop.recall.nodes": 1,
        "shop.recall.shard-queries": 7,
        "shop.recall.shard-replies": 7,
        "shop.dead-letters": 1,
    }


def test_only_the_catalogue_and_its_vectors_are_kept_for_ever() -> None:
    specs = topic_specs(Settings.model_construct())
    compacted = {spec.name for spec in specs if spec.config["cleanup.policy"] == "compact"}
    assert compacted == {"penstock.items", "penstock.item-vectors"}
    assert all("retention.ms" in spec.config for spec in specs if spec.name not in compacted)


@given(st.binary(max_size=64), st.integers(1, 500))
def test_a_partition_is_one_of_the_topic(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
