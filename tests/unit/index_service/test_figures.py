"""What a node counts and times."""

from __future__ import annotations

from index_service.figures import NodeFigures, Window


def test_percentiles_are_of_the_latest_thousand() -> None:
    window = Window()
    assert window.percentile(50) == 0.0
    for value in range(3_001):
        window.add(float(value))
    assert (window.percentile(0), window.percentile(50)) == (2_001.0, 2_500.5)


def test_a_skip_counts_in_all_and_by_reason() -> None:
    figures = NodeFigures()
    figures.skip("bad_reply_topic")
    figures.skip("no_reply_topic")
    figures.event_to_searchable_ms.add(4.0)
    report = figures.report()
    assert (report["skipped"], report["skipped_bad_reply_topic"], report["recalls"]) == (2, 1, 0)
    assert report["event_to_searchable_p99_ms"] == 4.0
