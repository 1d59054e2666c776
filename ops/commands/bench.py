"""`penstock bench`."""

from __future__ import annotations

import ast
import difflib
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.console import out
from schemas.errors import EnvironmentProblem

_FOLDER = Path("tests") / "benchmarks"


def bench(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Which benchmark; without it, all are listed.")
    ] = None,
) -> None:
    """Run a benchmark of this checkout; what follows its name are its own options.

    It prints rates and ratios side by side, from one run on this machine, as a table or with
    `--json` as one list. Rates of different runs compare badly; ratios less so.

    **Examples**

    `penstock bench` : which there are

    `penstock bench labelling --help` : its options, and what it times

    `penstock bench labelling --cases memory --json`
    """
    root = Path(__file__).parents[2]
    known = find_benches(root)
    if name is None:
        for found, line in known.items():
            out.print(f"{found:<12}{line}", soft_wrap=True)
        return
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        msg = f"a benchmark is one of `penstock bench`; got {name!r}; {advice}"
        raise EnvironmentProblem(msg)
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *context.args]
    raise typer.Exit(_run(command, root))


def _run(command: list[str], folder: Path) -> int:
    """Its exit code. Ctrl-C reaches the benchmark too, which ends its processes in order."""
    with subprocess.Popen(command, cwd=folder) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def find_benches(root: Path) -> dict[str, str]:
    """Each module of the checkout's benchmarks that has a `main`, and its docstring's first line.

    Raises EnvironmentProblem where `root` is no checkout.
    """
    folder = root / _FOLDER
    if not folder.is_dir():
        msg = (
            f"benchmarks lie in a checkout; {root} has no {_FOLDER}; clone Penstock, "
            "`pip install -e '.[embedded,dev]'` there, and run its `penstock bench`"
        )
        raise EnvironmentProblem(msg)
    parsed = {path.stem: ast.parse(path.read_bytes()) for path in sorted(folder.glob("*.py"))}
    return {
        name: (ast.get_docstring(tree) or "").partition("\n")[0]
        for name, tree in parsed.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    }
