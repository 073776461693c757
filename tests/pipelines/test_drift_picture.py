"""How far the data moved, as the report shows it: thresholds, order, and bars over the spans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.artifacts import write_json
from pipelines.drift_picture import HEIGHT, MOST_OTHERS, WIDTH, rows
from pipelines.home import Home
from pipelines.report import render
from pipelines.runs import RECORDS_FILE, read_run

SPANS = ["2013-01", "2013-02", "2013-03"]


def gate(name: str, value: float, threshold: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "metric": "l_infinity_distance",
        "value": value,
        "operator": "<=",
        "threshold": threshold,
        "slice": "2013-03 against 2013-02",
        "passed": value <= threshold,
        **more,
    }


def drift(**distances: list[float | None]) -> dict[str, Any]:
    return {"spans": SPANS, "distances": distances}


def test_a_judged_column_has_a_bar_for_each_span_and_a_line_at_its_threshold() -> None:
    (row,) = rows([gate("drift:origin", 0.04, 0.08)], drift(origin=[0.1, 0.04]))
    first, last = row.picture.bars
    # The largest distance and the threshold with a quarter above it are as high: 0.1.
    assert (first.height, first.y, first.is_over) == (HEIGHT, 0.0, True)
    assert (last.height, last.y, last.is_over) == (HEIGHT * 0.4, HEIGHT * 0.6, False)
    assert row.picture.limit_y == pytest.approx(HEIGHT * 0.2)
    assert 0 <= first.x < last.x < WIDTH - last.width
    assert row.picture.title == "2013-02 0.1000, 2013-03 0.0400; threshold 0.08"
    assert (row.column, row.measure) == ("origin", "L-infinity")


def test_what_is_nearest_to_its_threshold_comes_first_and_other_gates_are_left_out() -> None:
    gates = [gate("drift:a", 0.01, 0.1), gate("skew:b", 0.09, 0.1), gate("minimum_rows", 5, 1)]
    gates += [gate("label_shift:late", 0.3, 0.2), gate("drift:c", 0.01, 0.0)]
    found = rows(gates, None)
    assert [(row.kind, row.column) for row in found] == [
        ("label shift", "late"),
        ("skew", "b"),
        ("drift", "a"),
        ("drift", "c"),
    ]
    assert all(len(row.picture.bars) == 1 for row in found)


def test_skew_is_one_bar_though_its_column_has_a_distance_for_each_span() -> None:
    skew, _ = rows([gate("skew:origin", 0.05, 0.1)], drift(origin=[0.2, 0.3]))
    assert len(skew.picture.bars) == 1
    assert skew.picture.title == "2013-03 against 2013-02 0.0500; threshold 0.1"


def test_columns_without_a_threshold_follow_by_how_far_they_moved_and_stay_few() -> None:
    many = {f"c{number:02}": [number / 100, 0.0] for number in range(MOST_OTHERS + 5)}
    judged, *others = rows(
        [gate("drift:x", 0.0, 0.1)], drift(x=[0.0, 0.0], empty=[None, None], **many)
    )
    assert judged.column == "x"
    assert [row.column for row in others] == [f"c{n:02}" for n in range(14, 4, -1)]
    assert others[0].picture.bars[0].height == HEIGHT
    assert others[-1].picture.bars[0].height == pytest.approx(HEIGHT * 5 / 14, abs=0.05)
    assert (others[0].compared, others[0].gate, others[0].picture.limit_y) == (
        "largest: 2013-02",
        {},
        None,
    )


def test_a_span_that_was_not_measured_has_no_bar_and_is_said() -> None:
    (row,) = rows([gate("drift:origin", 1.0, 0.5)], drift(origin=[None, 1.0]))
    assert len(row.picture.bars) == 1
    assert row.picture.bars[0].x > WIDTH / 2
    assert row.picture.title.startswith("2013-02 not measured, 2013-03 1.0000")


def test_a_gate_on_a_column_that_is_not_there_has_no_threshold_to_draw() -> None:
    (row,) = rows([gate("drift:gone", 0, 1, operator="==", metric="columns")], drift())
    assert row.picture.limit_y is None
    assert row.picture.bars[0].height == 0


def test_the_page_shows_drift_where_the_data_stopped_the_run(
    record_run: Callable[..., Path],
) -> None:
    def stop(documents: dict[tuple[str, str, str], Any]) -> None:
        del documents["validate-examples", "validation", "validation.json"]

    folder = record_run(stop)
    view = {"index": 3, "event": "FAIL", "stage": "validate_examples", "attempt": 1, "time": "t"}
    view |= {"record": "6" * 64, "gates": [gate("drift:origin", 0.4, 0.1)]}
    write_json(folder / RECORDS_FILE, {"records": [view]})
    page = render(read_run(folder), Home(folder.parents[1]))
    shown = page.partition("<h2>Drift</h2>")[2].partition("<h2>")[0]
    assert "2013-03 against 2013-02 0.4000; threshold 0.1" in shown
    assert 'class="mark over"' in shown
    assert "NOT PASSED" in shown
