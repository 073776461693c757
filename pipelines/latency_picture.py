"""What one row takes in every form of every model: a table's rows, and each as a line.

Rules: a line runs from the median to the 99th percentile, on one logarithmic scale for all, because
forms lie decades apart; its numbers are the row's cells; what was not measured has no line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.summary import forms_of, milliseconds_text, size_text

PERCENTILES = ("p50", "p95", "p99")
WIDTH, HEIGHT = 200, 26


@dataclass(frozen=True)
class Line:
    """The places of the percentiles, from the left of WIDTH, and their numbers in words."""

    places: tuple[float, ...]
    title: str


@dataclass(frozen=True)
class FormRow:
    """A form of a model: the table's cells, and its line."""

    model: str
    cells: tuple[str, ...]
    line: Line | None


@dataclass(frozen=True)
class Latency:
    """Every form that was measured, and the scale: (place, text) of each power of ten."""

    rows: tuple[FormRow, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class _Scale:
    """A logarithmic scale between two latencies."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a latency lies on WIDTH."""
        return round(WIDTH * math.log(value / self.low) / math.log(self.high / self.low), 1)


def latency(measurements: Mapping[str, Any]) -> Latency:
    """Return what the measurements show."""
    forms = list(_forms(measurements))
    scale = _scale([form["one_row_ms"] for _, _, form in forms])
    rows = tuple(
        FormRow(model, _cells(model, name, form), _line(form["one_row_ms"], scale))
        for model, name, form in forms
    )
    return Latency(rows, tuple(_ticks(scale)))


def _forms(measurements: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (model, form, what was measured), a form from its features on by itself."""
    for model in measurements.get("models", {}):
        for name, form in forms_of(measurements, model).items():
            yield model, name, form
            if "from_features" in form:
                yield model, f"{name}, from features on", form["from_features"]


def _cells(model: str, name: str, form: Mapping[str, Any]) -> tuple[str, ...]:
    one_row, per_second = form["one_row_ms"], form.get("rows_per_second")
    return (
        model,
        name,
        *(milliseconds_text(one_row.get(percentile)) for percentile in PERCENTILES),
        f"{per_second:,.0f} ({form['batch_rows']})" if per_second else "-",
        size_text(form.get("size_bytes")),
        milliseconds_text(form.get("load_ms")),
    )


def _scale(measured: Sequence[Mapping[str, float]]) -> _Scale | None:
    """Return the scale that holds all, a tenth wider than they are; None where there are none."""
    values = [one_row[p] for one_row in measured for p in PERCENTILES if one_row.get(p, 0) > 0]
    return _Scale(min(values) / 1.1, max(values) * 1.1) if values else None


def _line(one_row: Mapping[str, float], scale: _Scale | None) -> Line | None:
    found = {p: one_row[p] for p in PERCENTILES if one_row.get(p, 0) > 0}
    if scale is None or not found:
        return None
    title = ", ".join(f"{p} {milliseconds_text(value)}" for p, value in found.items())
    return Line(tuple(scale.place(value) for value in found.values()), title)


def _ticks(scale: _Scale | None) -> Iterator[tuple[float, str]]:
    """Yield the powers of ten within the scale."""
    if scale is not None:
        for power in range(
            math.ceil(math.log10(scale.low)), math.floor(math.log10(scale.high)) + 1
        ):
            yield scale.place(10.0**power), f"{10.0**power:g}"
