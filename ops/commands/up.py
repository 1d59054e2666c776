"""`penstock up`."""

from __future__ import annotations

import contextlib
import time

from ops.commands.options import DashboardPort, External, KafkaPort, RedisPort, WithDashboard
from ops.console import err
from ops.signals import sigterm_as_interrupt
from ops.stack import Stack
from schemas.settings import Settings, load_settings

_CHECK_S = 0.5


def up(
    kafka_port: KafkaPort = None,
    redis_port: RedisPort = None,
    external: External = False,
    dashboard: WithDashboard = True,
    dashboard_port: DashboardPort = None,
) -> None:
    """Run the whole stack on this machine until Ctrl-C.

    Starts the embedded broker (Kafka and Redis protocol), creates the topics, and runs both
    labellers, the trainer, the index node and the dashboard. Data, logs and checkpoints lie under
    `embedded.data_dir` (`.penstock`) and are found again at the next start.

    **Examples**

    `penstock up`

    `penstock up --kafka-port 0 --redis-port 0` : on free ports, which it prints

    `penstock up --external` : the roles only, on the Kafka and Redis of the settings
    """
    stack = Stack(
        load_settings(),
        kafka_port=kafka_port,
        redis_port=redis_port,
        external=external,
        say=lambda line: err.print(line),
    )
    with sigterm_as_interrupt(), contextlib.suppress(KeyboardInterrupt), stack:
        err.print(f"[bold green]up[/], logs in {stack.log_dir}; Ctrl-C ends it")
        for line in _how_to_reach(stack.settings):
            err.print(line, soft_wrap=True)
        if dashboard:
            stack.start_dashboard(dashboard_port)
        while True:
            stack.check()
            time.sleep(_CHECK_S)
    err.print("stopped")


def _how_to_reach(settings: Settings) -> list[str]:
    """What another terminal has to export, where the addresses are not the default ones."""
    if settings.kafka.bootstrap_servers == load_settings().kafka.bootstrap_servers:
        return []
    return [
        "in another terminal first:",
        f"  export PENSTOCK_KAFKA__BOOTSTRAP_SERVERS={settings.kafka.bootstrap_servers}",
        f"  export PENSTOCK_REDIS__URL={settings.redis.url.get_secret_value()}",
    ]
