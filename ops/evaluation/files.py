"""The outcome on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ops.evaluation.charts import Chart
from ops.evaluation.page import page_of
from ops.evaluation.picture import png_of
from ops.evaluation.report import Report
from schemas.errors import EnvironmentProblem


def write_files(folder: Path, report: Report, charts: Sequence[Chart]) -> Iterator[Path]:
    """Write and name `evaluation.json`, `.html` and `.png`, the last one last.

    Needs matplotlib. Raises EnvironmentProblem where the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield _written(folder / "evaluation.json", msgspec.json.encode(report) + b"\n")
        yield _written(folder / "evaluation.html", page_of(report, charts).encode())
        yield _written(folder / "evaluation.png", png_of(charts))
    except OSError as error:
        msg = f"the folder for the results can be written; {folder}: {error}; name another"
        raise EnvironmentProblem(msg) from error


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
