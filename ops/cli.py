"""The console script `penstock`."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.acls import acls
from ops.commands.bench import bench
from ops.commands.click_item import click_item
from ops.commands.dashboard import dashboard
from ops.commands.data import data
from ops.commands.demo import demo
from ops.commands.doctor import doctor
from ops.commands.evaluate import evaluate
from ops.commands.index import index
from ops.commands.label import label
from ops.commands.lag import lag
from ops.commands.pretrain import pretrain
from ops.commands.recall import recall
from ops.commands.replay import replay
from ops.commands.run import run
from ops.commands.tail import tail
from ops.commands.topics import topics
from ops.commands.up import up
from ops.console import err
from schemas.errors import PenstockError
from schemas.settings import CONFIG_VARIABLE

app = typer.Typer(
    name="penstock",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Start with `penstock demo`, or with `penstock up` and, in another terminal, "
        "`penstock replay movielens-100k` and `penstock recall --user 196`."
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"penstock {version('penstock')}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option(envvar=CONFIG_VARIABLE, help="Settings file. [default: penstock.toml]"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Streaming recall: a click changes what the same user is offered next, within a moment.

    Settings come from penstock.toml and from `PENSTOCK_` variables, such as
    `PENSTOCK_KAFKA__BOOTSTRAP_SERVERS=broker:9092`.
    """
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)  # children of this process read the same file


_COMMANDS = (
    up,
    demo,
    replay,
    data,
    label,
    evaluate,
    pretrain,
    run,
    recall,
    tail,
    lag,
    dashboard,
    doctor,
    acls,
)
for command in _COMMANDS:
    app.command()(command)
app.command("click")(click_item)
# All that follows a benchmark's name is the benchmark's, its --help too.
_PASSED_ON = {"allow_interspersed_args": False, "allow_extra_args": True}
app.command("bench", context_settings=_PASSED_ON)(bench)
app.add_typer(topics, name="topics")
app.add_typer(index, name="index")


def main() -> None:
    """Run the command line; errors become one line and exit code 1, tracebacks with --debug."""
    try:
        app()
    except PenstockError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        for line in str(error).splitlines():
            err.print("[bold red]error:[/]", Text(line), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
