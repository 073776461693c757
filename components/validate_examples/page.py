"""The statistics as pictures: statistics.html, one file that opens without a network.

Rules:
1. the page shows what the protos beside it hold, top values of the data too: it stays in the
   artifact and never enters a record;
2. equal statistics and manifest give equal bytes; every name and value is escaped;
3. it stays bounded: `MOST_COLUMNS` columns, the spans of `SpanDrift`, `MOST_DRIFTING` rows of the
   heat map, and what is left out is said.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from components.core.artifacts import write_text
from components.core.data_settings import ONLY_SPAN
from components.core.examples import SPLITS, ExamplesManifest
from components.validate_examples import facets
from components.validate_examples import page_pictures as pictures
from components.validate_examples.drift_over_spans import SpanDrift, measure
from components.validate_examples.page_features import MOST_VALUES, Column, columns_of, shown
from components.validate_examples.page_template import TEMPLATE
from components.validate_examples.statistics import StatisticsSet

FILE_NAME = "statistics.html"
MOST_COLUMNS, MOST_DRIFTING = 300, 40
_KINDS = {"int64": "whole number", "float64": "number", "string": "text"}
_LARGE = 1e15


@dataclass(frozen=True)
class _Split:
    """A split, its rows, and its spans in words where they are not those of the others."""

    name: str
    rows: int
    spans: str


@dataclass(frozen=True)
class _Side:
    """A column in one split, as the table of all columns shows it."""

    missing: float
    centre: str


@dataclass(frozen=True)
class _Card:
    """One column: its picture, and each of its measures by split."""

    name: str
    kind: str
    is_label: bool
    sides: Sequence[_Side]
    histogram: pictures.Histogram | None
    bars: Sequence[pictures.ValueBar]
    measures: Sequence[tuple[str, Sequence[str]]]
    drift: float | None


@dataclass(frozen=True)
class _HeatRow:
    """One column's distances over the spans."""

    name: str
    cells: Sequence[pictures.Cell]


def write_page(
    folder: Path, computed: StatisticsSet, manifest: ExamplesManifest, drift: SpanDrift
) -> None:
    """Write statistics.html into the statistics artifact."""
    write_text(folder / FILE_NAME, render(computed, manifest, drift))


def drift_of(computed: StatisticsSet, manifest: ExamplesManifest) -> SpanDrift:
    """Return how far the spans are from each other in the columns that are shown."""
    return measure(computed, manifest, _first_columns(manifest))


def render(computed: StatisticsSet, manifest: ExamplesManifest, drift: SpanDrift) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "count": _count,
        "number": _number,
        "percent": _percent,
        "distance": _distance,
        "place": lambda value: f"{value:.1f}",
        "shown": shown,
        "index_of": lambda name, splits: [split.name for split in splits].index(name),
    }
    return environment.from_string(TEMPLATE).render(_context(computed, manifest, drift))


def _context(
    computed: StatisticsSet, manifest: ExamplesManifest, drift: SpanDrift
) -> dict[str, Any]:
    names = _first_columns(manifest)
    spans, distances = drift.spans, drift.distances
    by_span = {span: columns_of(computed.spans[span]) for span in spans}
    splits: dict[str, Mapping[str, Column]] = {
        split: columns_of(computed.splits[split]) for split in SPLITS if split in computed.splits
    }
    rows = {span: int(computed.spans[span].datasets[0].num_examples) for span in spans}
    heat, cell_width = _heat(spans, distances), pictures.cell_width(len(spans) - 1)
    return {
        "manifest": manifest,
        "facets": facets,
        "splits": [_split(name, computed, manifest) for name in splits],
        "spans": spans,
        "spans_left_out": len(computed.spans) - len(spans),
        "dropped": sum(drop.rows for drop in manifest.dropped),
        "rows_chart": pictures.chart(rows),
        "label_chart": pictures.chart(_label_shares(by_span, manifest)),
        "heat": heat,
        "heat_left_out": len(manifest.columns) - len(heat),
        "heat_width": pictures.LABEL_WIDTH + (len(spans) - 1) * cell_width + 4,
        "heat_height": 26 + len(heat) * pictures.CELL_HEIGHT,
        "left": pictures.LABEL_WIDTH,
        "cell_width": cell_width,
        "cell_height": pictures.CELL_HEIGHT,
        "cards": [_card(name, splits, manifest, distances[name]) for name in names],
        "columns_left_out": len(manifest.columns) - len(names),
    }


def _label_shares(
    spans: Mapping[str, Mapping[str, Column]], manifest: ExamplesManifest
) -> dict[str, float]:
    """Return the share of rows with the label 1 in each span, of a label that is binary."""
    return pictures.label_means(spans, manifest.label) if manifest.task == "binary" else {}


def _first_columns(manifest: ExamplesManifest) -> list[str]:
    """Return the columns that are shown: the label, then the others by name."""
    others = sorted(name for name in manifest.columns if name != manifest.label)
    return [manifest.label, *others][:MOST_COLUMNS]


def _split(name: str, computed: StatisticsSet, manifest: ExamplesManifest) -> _Split:
    spans = [span for split, spans in manifest.splits.items() if split == name for span in spans]
    words = f"{spans[0]} to {spans[-1]}" if len(spans) > 1 else "".join(spans)
    words = "" if words == ONLY_SPAN else words
    return _Split(name, int(computed.splits[name].datasets[0].num_examples), words)


def _heat(spans: Sequence[str], distances: Mapping[str, Sequence[float | None]]) -> list[_HeatRow]:
    """Return the columns that moved most, the one with the largest distance first."""
    moved = {name: _largest(row) for name, row in distances.items()}
    measured = [(name, largest) for name, largest in moved.items() if largest is not None]
    ranked = sorted(measured, key=lambda item: (-item[1], item[0]))[:MOST_DRIFTING]
    return [_HeatRow(name, pictures.cells(spans, distances[name])) for name, _ in ranked]


def _largest(distances: Sequence[float | None]) -> float | None:
    return max((distance for distance in distances if distance is not None), default=None)


def _card(
    name: str,
    splits: Mapping[str, Mapping[str, Column]],
    manifest: ExamplesManifest,
    distances: Sequence[float | None],
) -> _Card:
    sides = {split: columns[name] for split, columns in splits.items() if name in columns}
    numbers = {split: side.numbers for split, side in sides.items() if side.numbers}
    texts = {split: side.texts for split, side in sides.items() if side.texts}
    rows = [_measures(columns.get(name)) for columns in splits.values()]
    measures = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    return _Card(
        name=name,
        kind=_KINDS[manifest.columns[name]],
        is_label=name == manifest.label,
        sides=[
            _Side(side.missing_share if side else 1.0, _centre(side))
            for side in (columns.get(name) for columns in splits.values())
        ],
        histogram=pictures.histogram(numbers),
        bars=pictures.value_bars(texts, MOST_VALUES),
        measures=[(measure, [row.get(measure, "-") for row in rows]) for measure in measures],
        drift=_largest(distances),
    )


def _measures(column: Column | None) -> dict[str, str]:
    """Return what a card's table says of a column in one split."""
    if column is None:
        return {}
    said = {"missing": _percent(column.missing_share)}
    if numbers := column.numbers:
        said |= {
            "min": _number(numbers.minimum),
            "mean": _number(numbers.mean),
            "median": _number(numbers.median),
            "max": _number(numbers.maximum),
            "standard deviation": _number(numbers.deviation),
            "zeros": _percent(numbers.zeros),
        }
        if numbers.not_numbers:
            said["not a number"] = _percent(numbers.not_numbers)
    if texts := column.texts:
        said |= {"distinct": _count(texts.unique), "mean length": _number(texts.mean_length)}
    return said


def _centre(column: Column | None) -> str:
    if column and column.numbers:
        return _number(column.numbers.mean)
    return _count(column.texts.unique) if column and column.texts else "-"


def _count(value: float) -> str:
    """Return a number of things with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u2009")


def _number(value: float) -> str:
    """Return a number with five digits that count; a whole number with all of them."""
    if not math.isfinite(value):
        return "-" if math.isnan(value) else "infinite" if value > 0 else "-infinite"
    if value.is_integer() and abs(value) < _LARGE:
        return _count(value)
    return f"{value:.5g}"


def _percent(share: float) -> str:
    """Return a share in percent; what is there at all is never 0 %, what is not all never 100 %."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{100 * share:.0f} %" if share in (0, 1) else f"{100 * share:.1f} %"


def _distance(value: float) -> str:
    """Return a distance in three digits, without the zero before the point."""
    return f"{value:.3f}".removeprefix("0")
