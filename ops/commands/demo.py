"""`penstock demo`."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
from rich.live import Live

from index_service import RecallClient
from ops.broker import check_reachable, delete_topics
from ops.commands.options import (
    AsJson,
    DashboardPort,
    External,
    KafkaPort,
    RedisPort,
    WithDashboard,
)
from ops.console import err, out, print_json
from ops.demo.run import DemoRun
from ops.demo.show import live_view, plain_line, show_report
from ops.signals import sigterm_as_interrupt
from ops.stack import Stack
from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings, load_settings
from streams import EventProducer

_PLAIN_PERIOD_S = 5.0

# The loop learns from what it showed itself, within a minute. Were popularity counted by clicks
# alone, what is shown most would be clicked most and be shown more. So items are ranked by the log
# of their click-through rate instead, and set against what the same user passed over rather than
# against items that nobody was shown.
_TOWERS = {
    "positives_weight": 1.0,
    "exposures_weight": -1.0,
    # Learned weights find as much in the mean, but less in the first seconds (docs/evaluation.md).
    "learn_blend": False,
    "uniform_negatives": 32,
    "exposure_negatives": 10,
    "embedding_lr": 0.05,
    "history_decay": 0.7,  # a whole life of clicks is a minute long here
}


def demo(
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End after so long. [default: until Ctrl-C]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 0,
    visits: Annotated[float, typer.Option(min=1, help="Simulated visits a second.")] = 60.0,
    kafka_port: KafkaPort = None,
    redis_port: RedisPort = None,
    external: External = False,
    dashboard: WithDashboard = True,
    dashboard_port: DashboardPort = None,
    as_json: AsJson = False,
) -> None:
    """Show the loop: simulated users click, and what they are offered next changes.

    Starts a stack of its own on this machine with fresh data under `.penstock/demo`, and ends all
    of it; with `--external` it has topics of its own there, which go at the end. Users with hidden
    tastes visit a catalogue to which new items keep coming; 70 % of them get recall, 15 % what is
    most popular, 15 % random items.

    **Examples**

    `penstock demo`

    `penstock demo --seconds 45 --json`

    `penstock demo --kafka-port 0 --redis-port 0` : beside another Kafka and Redis
    """
    # A Kafka that stays would have the next demo begin with what this one's visitors liked.
    namespace = f"demo-{uuid.uuid4().hex[:8]}" if external else "demo"
    stack = Stack(
        demo_settings(load_settings(), namespace),
        kafka_port=kafka_port,
        redis_port=redis_port,
        external=external,
        say=lambda line: err.print(line),
    )
    data_dir = stack.settings.embedded.data_dir
    shutil.rmtree(data_dir, ignore_errors=True)
    with sigterm_as_interrupt():
        try:
            with ExitStack() as ending:
                if external:
                    check_reachable(stack.settings.kafka)  # or there will be no topic to delete
                    ending.callback(_delete_topics, stack.settings)
                ending.enter_context(stack)
                client = ending.enter_context(RecallClient(stack.settings))
                if dashboard:
                    stack.start_dashboard(dashboard_port)
                producer = ending.enter_context(EventProducer(stack.settings))
                run = DemoRun(stack.settings, client, producer, seed, seconds, visits)
                with _display(run) as show:
                    report = run.run(show, stack.check)
        except KeyboardInterrupt:
            err.print("ended before there was anything to show")
            raise typer.Exit(130) from None
    if as_json:
        print_json(report)
    else:
        show_report(out, report, run.clicks.clearest, run.world)


def demo_settings(settings: Settings, namespace: str) -> Settings:
    """The settings for a run of a minute: a namespace and a folder of its own, a short window."""
    data_dir = settings.embedded.data_dir / "demo"
    return settings.model_copy(
        update={
            "namespace": namespace,
            "embedded": settings.embedded.model_copy(update={"data_dir": data_dir}),
            "trainer": settings.trainer.model_copy(
                update={"checkpoint_dir": (data_dir / "checkpoints").absolute()}
            ),
            "towers": settings.towers.model_copy(update=_TOWERS),
            # Many trending items are many that nobody was shown yet.
            "index": settings.index.model_copy(update={"trending_share": 0.25}),
            "labelling": settings.labelling.model_copy(
                update={"window_ms": 5_000, "lateness_ms": 1_000}
            ),
        }
    )


def _delete_topics(settings: Settings) -> None:
    try:
        delete_topics(settings)
    except (BrokerUnavailable, TopicError) as error:  # the report is to be shown all the same
        err.print(f"topics of {settings.namespace} stay: {error}")


@contextmanager
def _display(run: DemoRun) -> Iterator[Callable[[], None]]:
    """A live panel on a terminal, a line now and then elsewhere."""
    if err.is_terminal:
        with Live(live_view(run), console=err, transient=True, auto_refresh=False) as live:
            yield lambda: live.update(live_view(run), refresh=True)
        return
    said = time.monotonic()

    def show() -> None:
        nonlocal said
        if time.monotonic() - said >= _PLAIN_PERIOD_S:
            said = time.monotonic()
            err.print(plain_line(run), soft_wrap=True)

    yield show
