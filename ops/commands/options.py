"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]

KafkaPort = Annotated[
    int | None,
    typer.Option(help="Port of the embedded Kafka; 0 picks a free one. [default: the settings']"),
]

RedisPort = Annotated[
    int | None,
    typer.Option(help="Port of the embedded Redis; 0 picks a free one. [default: the settings']"),
]

External = Annotated[
    bool,
    typer.Option("--external", help="Use the Kafka and Redis of the settings, start only roles."),
]

WithDashboard = Annotated[
    bool, typer.Option("--dashboard/--no-dashboard", help="Serve the page that tells how it goes.")
]

DashboardPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        help="Port of the page; 0 picks a free one. [default: 8484, or a free one]",
    ),
]

Context = Annotated[
    list[str] | None,
    typer.Option(help="Where the user is: city=Oslo or city=Oslo,Bergen; repeat."),
]
