"""Lag on a real Kafka."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ops.lag import LagReader
from schemas.settings import KafkaSettings, Settings
from tests.support.lag_oracle import lag_is_what_was_written_less_what_was_committed, scenario
from tests.support.servers import KAFKA_HOME, KafkaServer


def settings_of(kafka: KafkaServer, namespace: str) -> Settings:
    return Settings(
        namespace=namespace, kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    )


def test_lag_against_the_oracle(kafka: KafkaServer) -> None:
    lag_is_what_was_written_less_what_was_committed(settings_of(kafka, "oracle"))


def test_lag_as_kafkas_own_tool_says(kafka: KafkaServer) -> None:
    settings = scenario(settings_of(kafka, "tool"))
    with LagReader(settings) as lags:
        ours = {
            (row.group, row.topic, row.partition): row.records
            for row in lags.read()
            if row.committed is not None
        }
    assert KAFKA_HOME is not None
    tool = Path(KAFKA_HOME) / "bin" / "kafka-consumer-groups.sh"
    command = [tool, "--bootstrap-server", kafka.bootstrap_servers, "--describe", "--all-groups"]
    said = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    theirs = {
        (group, topic, int(partition)): int(behind)
        for group, topic, partition, behind in re.findall(
            rf"^({settings.namespace}\S*) +(\S+) +(\d+) +\d+ +\d+ +(\d+)", said, re.MULTILINE
        )
    }
    assert ours == theirs
