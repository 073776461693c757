"""Latencies as lines on one scale, and the table that has their numbers."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.latency_picture import WIDTH, latency


def form(*percentiles: float) -> dict[str, Any]:
    return {"one_row_ms": dict(zip(("p50", "p95", "p99"), percentiles, strict=False))}


def measured(**forms: dict[str, Any]) -> dict[str, Any]:
    return {"models": {"pytorch": {"forms": forms}}}


def test_a_decade_is_as_long_everywhere_on_the_scale() -> None:
    found = latency(measured(onnx=form(0.01, 0.1, 1.0), litert=form(0.1, 1.0, 10.0)))
    fast, slow = (row.line.places for row in found.rows if row.line)
    steps = [fast[1] - fast[0], fast[2] - fast[1], slow[2] - slow[1]]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.11)
    assert fast[1:] == slow[:2]
    assert 0 < fast[0] < slow[-1] < WIDTH


def test_the_scale_names_the_powers_of_ten_within_it() -> None:
    found = latency(measured(onnx=form(0.05, 0.5, 5.0)))
    assert [text for _, text in found.ticks] == ["0.1", "1"]
    (line,) = [row.line for row in found.rows]
    assert line is not None
    assert line.places[0] < found.ticks[0][0] < line.places[1] < found.ticks[1][0]
    assert line.title == "p50 0.05 ms, p95 0.5 ms, p99 5 ms"


def test_a_form_without_a_percentile_has_the_others_and_one_without_any_no_line() -> None:
    found = latency(measured(onnx=form(0.05), litert=form()))
    assert [row.line.title if row.line else None for row in found.rows] == ["p50 0.05 ms", None]
    assert found.rows[1].cells == ("pytorch", "litert", "-", "-", "-", "-", "-", "-")


def test_a_run_that_measured_nothing_has_neither_rows_nor_a_scale() -> None:
    assert latency({}) == latency({"models": {}})
    assert latency({}).ticks == latency({}).rows == ()


def test_a_second_and_more_is_written_in_digits() -> None:
    found = latency(measured(onnx=form(0.9994, 999.4, 1066.4)))
    assert found.rows[0].cells[2:5] == ("0.999 ms", "999 ms", "1,066 ms")
