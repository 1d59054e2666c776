"""The whole outcome, as `penstock evaluate --json` prints it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ops.evaluation.judge import DEPTH
from ops.evaluation.rows import Evaluated, Row, row_of, stream_figures
from ops.evaluation.stream import Stream


class Report(msgspec.Struct, frozen=True):
    """Figures of a data set and a row for each model."""

    dataset: str
    events: int
    unknown_actions: int
    """Events left out, as the settings do not know their action."""
    clicks: int
    """Positives that were judged."""
    depth: int
    """Length of each list; a rank beyond it counts as a miss, also in `mrr`."""
    exclude_own: bool
    """Whether a user's own items were no candidates."""
    stream: Row
    """What holds for every model alike."""
    rows: list[Row]


def report_of(
    dataset: str, stream: Stream, exclude_own: bool, results: Sequence[Evaluated]
) -> Report:
    """The report; `results` holds at least one."""
    return Report(
        dataset=dataset,
        events=stream.events,
        unknown_actions=stream.unknown_actions,
        clicks=stream.clicks,
        depth=DEPTH,
        exclude_own=exclude_own,
        stream=stream_figures(results[0].judged[0]),
        rows=[row_of(result) for result in results],
    )
