from __future__ import annotations

import io
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.evaluation.charts import Bars, Chart, Lines, charts_of, spread
from ops.evaluation.files import write_files
from ops.evaluation.judge import Judged
from ops.evaluation.report import Report, report_of
from ops.evaluation.rows import Evaluated
from ops.evaluation.svg import svg_of
from schemas.errors import EnvironmentProblem
from tests.unit.ops.evaluation.streams import event, stream_of

_CLICKS = 400


def evaluated(model: str, interval: str, chance: float) -> Evaluated:
    random = np.random.default_rng(int(chance * 100))
    ranks = np.where(random.random(_CLICKS) < chance, 5, 0)
    ages_ms = np.full(_CLICKS, 10**9)
    users = np.arange(_CLICKS) % 20
    return Evaluated(model, interval, [Judged(ranks, ages_ms, ages_ms, users, 3, 9)], 1)


RESULTS = [
    evaluated("random", "live", 0.0),
    evaluated("item-knn", "live", 0.2),
    evaluated("penstock", "live", 0.4),
    evaluated("penstock", "1h", 0.3),
    evaluated("no-trend", "live", 0.1),
    evaluated("no-trend", "1h", 0.1),
]


def outcome() -> tuple[Report, list[Chart]]:
    stream = stream_of([event("click", "u", "a")])
    report = report_of("te<st", stream, False, RESULTS)
    return report, charts_of(RESULTS, report.rows)


def test_charts_say_what_the_rows_say() -> None:
    report, (at_10, at_50, over_time, freshness) = outcome()
    assert isinstance(at_10, Bars) and isinstance(at_50, Bars)
    assert {bar.label: bar.value for bar in at_10.bars} == {
        title: row["recall@10"]
        for row, title in zip(
            report.rows,
            ["random", "item-knn", "penstock", "penstock @1h", "no-trend", "no-trend @1h"],
            strict=True,
        )
    }
    tones = {bar.label: bar.tone for bar in at_10.bars}
    assert (tones["penstock"], tones["no-trend"], tones["item-knn"]) == (
        "main", "variant", "baseline",
    )  # fmt: skip
    assert isinstance(over_time, Lines) and isinstance(freshness, Lines)
    hits = (RESULTS[2].judged[0].ranks == 5).astype(float)
    line = next(series for series in over_time.series if series.label == "penstock")
    assert line.ys[-1] == pytest.approx(hits[-20:].mean())
    assert [tick.text for tick in freshness.ticks] == ["live", "1h"]
    curve = next(series for series in freshness.series if series.label == "recall@50")
    assert list(curve.ys) == [report.rows[2]["recall@50"], report.rows[3]["recall@50"]]


def test_one_interval_gives_no_freshness_curve() -> None:
    report = report_of("test", stream_of([event("click", "u", "a")]), False, RESULTS[:3])
    assert len(charts_of(RESULTS[:3], report.rows)) == 3


def test_bars_are_as_long_as_their_values() -> None:
    at_10 = outcome()[1][0]
    assert isinstance(at_10, Bars)
    root = ElementTree.fromstring(svg_of(at_10))
    widths = [float(rect.attrib["width"]) for rect in root.iter("rect")]
    values = [bar.value for bar in at_10.bars]
    longest = max(values)
    assert widths == pytest.approx([v / longest * max(widths) for v in values], abs=0.1)


def test_lines_go_through_their_values() -> None:
    freshness = outcome()[1][3]
    assert isinstance(freshness, Lines)
    root = ElementTree.fromstring(svg_of(freshness))
    top = max(freshness.series, key=lambda series: series.ys[0])
    heights: dict[str, float] = {}
    for line in root.iter("polyline"):
        title = line.find("title")
        assert title is not None and title.text is not None
        heights[title.text] = float(re.split("[ ,]", line.attrib["points"])[1])
    base = 360 - 46
    for series in freshness.series:
        share = series.ys[0] / top.ys[0]
        assert base - heights[series.label] == pytest.approx(
            share * (base - heights[top.label]), abs=0.2
        )


def test_files_stand_alone(tmp_path: Path) -> None:
    report, charts = outcome()
    paths = list(write_files(tmp_path / "new", report, charts))
    assert [path.name for path in paths] == [
        "evaluation.json", "evaluation.html", "evaluation.png",
    ]  # fmt: skip
    page = paths[1].read_text()
    assert "te&lt;st" in page and "te<st" not in page
    assert "no-trend @1h" in page
    assert "http" not in page and "src=" not in page
    picture = matplotlib.image.imread(io.BytesIO(paths[2].read_bytes()))
    assert picture.shape[1] == 1350


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    report, charts = outcome()
    with pytest.raises(EnvironmentProblem, match="taken"):
        list(write_files(taken, report, charts))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(0.1, 30))
def test_labels_keep_apart_in_their_order(wanted: list[float], gap: float) -> None:
    places = spread(wanted, gap, 0, 100)
    held = min(gap, 100 / max(len(wanted) - 1, 1))
    ordered = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for low, high in pairwise(ordered):
        assert places[high] - places[low] >= held - 1e-6
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in places)
    if len(wanted) == 1:
        assert places == wanted
