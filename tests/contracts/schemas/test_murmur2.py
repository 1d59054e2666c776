"""The partition of a key is what Kafka's own clients choose."""

from __future__ import annotations

import pytest
from kafka.partitioner.default import murmur2

from schemas.topics import partition_of

# Kafka's own vectors: signed 32-bit hashes, from its UtilsTest.
VECTORS = [
    ("21", -973932308),
    ("foobar", -790332482),
    ("a-little-bit-long-string", -985981536),
    ("a-little-bit-longer-string", -1486304829),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ("abc", 479470107),
]


@pytest.mark.parametrize(("key", "signed"), VECTORS)
def test_the_hash_is_kafkas(key: str, signed: int) -> None:
    assert murmur2(key.encode()) & 0xFFFFFFFF == signed & 0xFFFFFFFF


@pytest.mark.parametrize(("key", "signed"), VECTORS)
@pytest.mark.parametrize("partitions", [1, 4, 7, 100])
def test_the_partition_is_the_hash_without_its_sign_modulo_the_partitions(
    key: str, signed: int, partitions: int
) -> None:
    assert partition_of(key.encode(), partitions) == (signed & 0x7FFFFFFF) % partitions
