"""How far the data moved, as a table with pictures: what was measured, and the threshold of each.

Rules: what a gate judged comes first, the nearest to its threshold on top, then the columns without
a threshold that moved most, at most `MOST_OTHERS`; a bar stands for a span and its distance from
the span before it, a bar alone for one split against the other; a picture's title has its numbers.
Geometry only: nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MEASURES = {"l_infinity_distance": "L-infinity", "jensen_shannon_divergence": "Jensen-Shannon"}
KINDS = {"drift": "drift", "skew": "skew", "label_shift": "label shift"}
MOST_OTHERS = 10
WIDTH, HEIGHT, WIDEST_BAR = 200.0, 40.0, 24.0
ABOVE = 1.25  # of the threshold, so that what stays below it is seen to


@dataclass(frozen=True)
class Bar:
    """A distance's bar; `is_over` where it passes the threshold."""

    x: float
    y: float
    width: float
    height: float
    is_over: bool


@dataclass(frozen=True)
class Picture:
    """The bars, the height of the threshold's line, and all of it in words."""

    title: str
    bars: tuple[Bar, ...]
    limit_y: float | None


@dataclass(frozen=True)
class Row:
    """A column's row; without a gate there is no threshold, and `gate` is empty."""

    column: str
    kind: str
    measure: str
    compared: str
    value: float | None
    gate: Mapping[str, Any]
    picture: Picture


Series = Sequence[tuple[str, float | None]]


def rows(gates: Iterable[Mapping[str, Any]], drift: Mapping[str, Any] | None) -> list[Row]:
    """Return the table's rows, given the run's gates and its drift.json."""
    series = _series(drift or {})
    judged = [gate for gate in gates if gate["name"].partition(":")[0] in KINDS]
    judged.sort(key=lambda gate: (-_share_of_limit(gate), gate["name"], gate["slice"]))
    named = {gate["name"] for gate in judged}
    others = {name: row for name, row in series.items() if f"drift:{name}" not in named}
    return [*(_judged(gate, series) for gate in judged), *_others(others)]


def _series(drift: Mapping[str, Any]) -> dict[str, Series]:
    """Return each column's distances with the spans that they are of; none has all None."""
    spans = drift.get("spans", ())[1:]
    return {
        name: tuple(zip(spans, distances, strict=True))
        for name, distances in drift.get("distances", {}).items()
        if any(distance is not None for distance in distances)
    }


def _share_of_limit(gate: Mapping[str, Any]) -> float:
    return float(gate["value"] / gate["threshold"] if gate["threshold"] else gate["value"])


def _judged(gate: Mapping[str, Any], series: Mapping[str, Series]) -> Row:
    """Return a gate's row; of drift over the spans, of anything else with its one value."""
    kind, _, column = gate["name"].partition(":")
    alone = ((gate["slice"], gate["value"]),)
    over_spans = series.get(column, alone) if kind == "drift" else alone
    return Row(
        column=column,
        kind=KINDS[kind],
        measure=MEASURES.get(gate["metric"], gate["metric"].replace("_", " ")),
        compared=gate["slice"],
        value=gate["value"],
        gate=gate,
        picture=_picture(over_spans, gate["threshold"] if gate["operator"] == "<=" else None),
    )


def _others(series: Mapping[str, Series]) -> Iterator[Row]:
    """Yield the columns that moved most, on one scale."""
    largest = {name: max(_known(row)) for name, row in series.items()}
    ranked = sorted(largest, key=lambda name: (-largest[name], name))[:MOST_OTHERS]
    scale = max((largest[name] for name in ranked), default=0.0)
    for name in ranked:
        span = next(span for span, distance in series[name] if distance == largest[name])
        picture = _picture(series[name], None, scale)
        yield Row(name, "drift", "", f"largest: {span}", largest[name], {}, picture)


def _known(series: Series) -> list[float]:
    return [distance for _, distance in series if distance is not None]


def _picture(series: Series, limit: float | None, scale: float = 0.0) -> Picture:
    """Draw the distances up to the largest, to the threshold and some more, or to `scale`."""
    top = max([scale, (limit or 0.0) * ABOVE, *_known(series)]) or 1.0
    step = WIDTH / max(len(series), 1)
    bars = tuple(
        _bar(step * (place + 0.5), min(step * 0.8, WIDEST_BAR), distance / top, limit, distance)
        for place, (_, distance) in enumerate(series)
        if distance is not None
    )
    told = ", ".join(f"{span} {'not measured' if d is None else f'{d:.4f}'}" for span, d in series)
    title = told if limit is None else f"{told}; threshold {limit:g}"
    return Picture(title, bars, None if limit is None else round(HEIGHT * (1 - limit / top), 1))


def _bar(middle: float, width: float, part: float, limit: float | None, distance: float) -> Bar:
    """Return a bar that is seen where its distance is not zero."""
    height = max(HEIGHT * part, 0.8) if distance > 0 else 0.0
    is_over = limit is not None and distance > limit
    place = (middle - width / 2, HEIGHT - height, width, height)
    x, y, width, height = (round(number, 1) for number in place)
    return Bar(x, y, width, height, is_over)
