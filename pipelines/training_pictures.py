"""What the trainers recorded of their way: the loss by epoch as curves, and the trials of a search.

Rules: the numbers are those of the records of work; a trainer whose result came from the cache has
no curve, because its record of this run has none. Geometry only: nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, LEFT, BELOW = 300, 170, 56, 34
LOSSES = {"epoch_losses": "Training loss", "validation_losses": "Validation loss"}
Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class LossCurve:
    """A trainer's losses: an SVG path, and in words where it began, ended and was lowest."""

    framework: str
    path: str
    told: str


@dataclass(frozen=True)
class LossChart:
    """The trainers' curves over `epochs` epochs, between the losses `low` and `high`."""

    title: str
    curves: tuple[LossCurve, ...]
    epochs: int
    low: float
    high: float


def loss_charts(records: Records) -> Iterator[LossChart]:
    """Yield a chart for each kind of loss that was recorded for more than one epoch."""
    for name, title in LOSSES.items():
        losses = {
            view["stage"].removeprefix("train_"): view["facts"][name]
            for view in _completed(records)
            if len(view.get("facts", {}).get(name, ())) > 1
        }
        if losses:
            yield _chart(title, dict(sorted(losses.items())))


def _chart(title: str, losses: Mapping[str, Sequence[float]]) -> LossChart:
    epochs = max(map(len, losses.values()))
    low, high = min(map(min, losses.values())), max(map(max, losses.values()))
    curves = tuple(
        LossCurve(framework, _path(values, epochs, low, high), _told(values))
        for framework, values in losses.items()
    )
    return LossChart(title, curves, epochs, low, high)


def _path(values: Sequence[float], epochs: int, low: float, high: float) -> str:
    """Return the polyline through the losses; the lowest lies at the bottom."""
    across, scale = WIDTH / (epochs - 1), HEIGHT / ((high - low) or 1.0)
    places = (
        f"{LEFT + number * across:.1f},{(high - value) * scale + 6:.1f}"
        for number, value in enumerate(values)
    )
    return "M" + " L".join(places)


def _told(values: Sequence[float]) -> str:
    best = min(range(len(values)), key=values.__getitem__)
    return (
        f"{values[0]:.4f} after the first epoch, {values[-1]:.4f} after the last, "
        f"lowest {values[best]:.4f} after epoch {best + 1}"
    )


def _completed(records: Records) -> Iterator[Mapping[str, Any]]:
    """Yield the records of trainers that did the work in this run."""
    for view in records:
        if view["event"] == "COMPLETE" and view["stage"].startswith("train_"):
            yield view


def searches(records: Records) -> Iterator[dict[str, Any]]:
    """Yield each search of the run's trainers: its settings' names and a row for each trial."""
    for view in _completed(records):
        if search := view.get("facts", {}).get("search"):
            names = list(search["trials"][0]["values"])
            rows = [
                (number, *(trial["values"][name] for name in names), _loss_text(trial))
                for number, trial in enumerate(search["trials"], start=1)
            ]
            best = search["best_trial"]
            yield {"stage": view["stage"], "names": names, "rows": rows, "best": best}


def _loss_text(trial: Mapping[str, Any]) -> str:
    if "failed" in trial:
        return f"failed: {trial['failed']}"
    return f"{trial['validation_loss']:.6g}"
