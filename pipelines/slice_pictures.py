"""Every metric that counts by slice: a table for each, with the intervals as pictures.

Rules: the task's main metrics come first, then what else the policy has a gate on, then how far the
candidates lie from the champion, where a gate asks for that; a metric that a slice does not define
has a dash and no picture; all pictures of a table have one scale. Geometry only: nothing is
computed here that the evaluation did not measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.core.candidates import CHAMPION, OVER_CHAMPION, candidates
from components.core.measures import measures_of, words
from components.core.slice_keys import OVERALL
from pipelines.summary import Estimate

BAR_WIDTH, LINE_HEIGHT = 220, 12
Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class SliceMetric:
    """A metric of a slice: of a class, at a threshold, or among the k most probable, if so told."""

    metric: str
    at: float | None = None
    of_class: str | None = None
    k: int | None = None

    @classmethod
    def of_gate(cls, gate: Mapping[str, Any]) -> SliceMetric:
        """Return what a gate of the policy is on."""
        return cls(gate["metric"], gate.get("at"), gate.get("of_class"), gate.get("k"))

    @property
    def title(self) -> str:
        """The metric in words."""
        if self.of_class is not None:
            return f"{words(self.metric)} of {self.of_class}"
        told = self.at if self.at is not None else self.k
        return words(self.metric) + (f" at {told:g}" if told is not None else "")

    def of(self, of_slice: Metrics) -> Estimate | None:
        """Return what was measured; None where that slice does not have it."""
        found: Any = of_slice
        if self.of_class is not None:
            found = of_slice.get("classes", {}).get(self.of_class, {})
        elif self.at is not None:
            found = _entry(of_slice.get("thresholds", ()), "threshold", self.at)
        elif self.k is not None:
            return Estimate.of(_entry(of_slice.get("top_k", ()), "k", self.k).get("accuracy"))
        return Estimate.of(found.get(self.metric))


def _entry(entries: Sequence[Metrics], key: str, value: float) -> Metrics:
    return next((entry for entry in entries if entry[key] == value), {})


@dataclass(frozen=True)
class Bar:
    """A model's value and interval in a slice, as places in a picture of BAR_WIDTH."""

    model: str
    left: float
    right: float
    value: float
    y: int
    text: str


@dataclass(frozen=True)
class SliceRow:
    """A slice: its rows, each model's value in words, and their bars."""

    key: str
    n: str
    values: tuple[str, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class SliceTable:
    """One metric by slice; `zero` is the place of 0 where it is a difference."""

    title: str
    models: tuple[str, ...]
    rows: tuple[SliceRow, ...]
    zero: float | None = None

    @property
    def height(self) -> int:
        """The height of a picture: a line for each model."""
        return LINE_HEIGHT * len(self.models) + 6


Found = Mapping[str, Mapping[str, Estimate | None]]


def slice_tables(evaluation: Mapping[str, Any], policy: Mapping[str, Any]) -> Iterator[SliceTable]:
    """Yield the tables, given the run's policy as its arguments have it."""
    models = evaluation.get("models", {})
    names = (*candidates(models), *(name for name in models if name == CHAMPION))
    rows = {name: models[name].get("slices", {}) for name in names}
    for asked in _metrics(evaluation, policy):
        found = {
            key: {name: asked.of(rows[name].get(key, {})) for name in names} for key in _keys(rows)
        }
        yield _table(_capital(asked.title), names, found, rows)
    for metric in _over_champion(evaluation, policy):
        yield _differences(metric, evaluation, rows)


def _metrics(evaluation: Metrics, policy: Metrics) -> list[SliceMetric]:
    """Return the task's main metrics and what has a gate beside, each once."""
    main = [SliceMetric(name) for name in measures_of(evaluation).shown]
    return list(dict.fromkeys([*main, *map(SliceMetric.of_gate, policy.get("gates", ()))]))


def _over_champion(evaluation: Metrics, policy: Metrics) -> list[str]:
    """Return the metrics whose difference to the champion has a gate, where there is a champion."""
    if CHAMPION not in evaluation.get("models", {}):
        return []
    primary = measures_of(evaluation).primary
    gates = policy.get("champion_gates", ())
    return list(dict.fromkeys(gate.get("metric") or primary for gate in gates))


def _differences(metric: str, evaluation: Metrics, rows: Mapping[str, Metrics]) -> SliceTable:
    """Return the table of the candidates' differences to the champion, in each slice paired."""
    names, whole = candidates(rows), evaluation["comparison"][CHAMPION]
    found = {
        key: {
            name: Estimate.of(
                (
                    whole[name]
                    if key == OVERALL
                    else rows[name].get(key, {}).get(OVER_CHAMPION, {})
                ).get(f"{metric}_difference")
            )
            for name in names
        }
        for key in _keys(rows)
    }
    title = f"{_capital(words(metric))} minus the champion's, paired"
    return _table(title, names, found, rows, is_difference=True)


def _keys(rows: Mapping[str, Metrics]) -> list[str]:
    """Return the slices of all models: the whole first, crosses last."""
    keys = {key for slices in rows.values() for key in slices}
    return sorted(keys, key=lambda key: (key != OVERALL, key.count(","), key))


def _table(
    title: str,
    names: tuple[str, ...],
    found: Found,
    rows: Mapping[str, Metrics],
    *,
    is_difference: bool = False,
) -> SliceTable:
    scale = Scale.of([e for of_slice in found.values() for e in of_slice.values()], is_difference)
    told = tuple(
        SliceRow(
            key,
            next((f"{s[key]['n']:,}" for s in rows.values() if "n" in s.get(key, {})), "-"),
            tuple(str(estimate or "-") for estimate in of_slice.values()),
            tuple(scale.bars(of_slice)),
        )
        for key, of_slice in found.items()
    )
    return SliceTable(title, names, told, scale.place(0.0) if is_difference else None)


@dataclass(frozen=True)
class Scale:
    """The values at the left and the right of all pictures of a table."""

    low: float
    high: float

    @classmethod
    def of(cls, estimates: Sequence[Estimate | None], with_zero: bool) -> Scale:
        """Return the scale that holds every interval, and 0 where that says something."""
        ends = [end for estimate in estimates if estimate for end in _ends(estimate)]
        ends += [0.0] if with_zero else []
        return cls(min(ends, default=0.0), max(ends, default=1.0))

    def place(self, value: float) -> float:
        """Return how far from the left a value lies."""
        return round((value - self.low) * BAR_WIDTH / ((self.high - self.low) or 1.0), 1)

    def bars(self, of_slice: Mapping[str, Estimate | None]) -> Iterator[Bar]:
        """Yield a bar for each model that has the metric, one below the other."""
        for number, (model, estimate) in enumerate(of_slice.items()):
            if estimate:
                left, right = map(self.place, _ends(estimate))
                y = LINE_HEIGHT * number + 9
                yield Bar(model, left, right, self.place(estimate.value), y, str(estimate))


def _ends(estimate: Estimate) -> tuple[float, float]:
    value = estimate.value
    lower = value if estimate.lower is None else estimate.lower
    return lower, value if estimate.upper is None else estimate.upper


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
