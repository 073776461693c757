"""Which of two models that pass is better, by what the policy prefers, and why.

Rules:
1. a metric: the model whose paired interval of the difference excludes zero in its favour; an
   interval that includes zero is a tie, and a tie goes to the lower latency;
2. latency: the median of one row; within 5 percent it is a tie (two measurements of the same model
   differ by that much), and a tie goes to the better value of the task's first metric;
3. what is still equal goes to the first name in the alphabet, so that a decision repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.core.candidates import candidates
from components.core.measures import MORE_IS_BETTER, Measures, measures_of, words
from components.core.words import places

LATENCY_TIE = 0.05
SERVED = "onnx"


@dataclass(frozen=True)
class Choice:
    """The better model and the reason in a sentence; no model is a tie."""

    better: str | None
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What the choice is made from: evaluation.json, measurements.json, each training.json."""

    evaluation: Mapping[str, Any]
    measurements: Mapping[str, Any]
    trainings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The models that may be released: two, or one that was imported."""
        return candidates(self.evaluation["models"])

    @property
    def measures(self) -> Measures:
        """The metrics of the evaluation's task."""
        return measures_of(self.evaluation)

    def overall(self, model: str, metric: str) -> float:
        """Return a metric's value on all rows."""
        return float(self.evaluation["models"][model]["slices"]["overall"][metric]["value"])

    def defined(self, metric: str) -> bool:
        """Say whether both models have a metric on all rows."""
        models = self.evaluation["models"]
        return all(models[name]["slices"]["overall"].get(metric) for name in self.candidates)

    def latency(self, model: str) -> float:
        """Return the median latency of one row in milliseconds, by the form that is served."""
        return float(self.forms(model)[SERVED]["one_row_ms"]["p50"])

    def size_bytes(self, model: str) -> float:
        """Return the size of the form that is served."""
        return float(self.forms(model)[SERVED]["size_bytes"])

    def training_seconds(self) -> dict[str, float] | None:
        """Return what training each model took; None unless the whole of each is known."""
        found = [self.trainings.get(model) for model in self.candidates]
        known = [one for one in found if one and one["resumed_from_step"] is None]
        if len(known) < len(self.candidates):
            return None
        clock = self.training_clock
        return {m: float(one[clock]) for m, one in zip(self.candidates, known, strict=True)}

    @property
    def training_clock(self) -> str:
        """The seconds that count: the CPUs' where all were trained on CPUs, else the wall's.

        What runs beside a training changes its CPU seconds little, and its wall seconds much.
        """
        on_cpus = all(one["device"] == "cpu" for one in self.trainings.values())
        return "cpu_seconds" if on_cpus else "wall_seconds"

    def forms(self, model: str) -> Mapping[str, Any]:
        """Return what was measured of each of a model's forms, by name."""
        found: Mapping[str, Any] = self.measurements["models"][model]["forms"]
        return found

    def difference(self, metric: str) -> Mapping[str, float] | None:
        """Return the paired difference, first minus second; None where there is none."""
        found: Mapping[str, float] | None = self.evaluation["comparison"][f"{metric}_difference"]
        return found


def choose(prefer: str, evidence: Evidence) -> tuple[str, list[str]]:
    """Return the better model and the reasons, one sentence for each rule that was needed."""
    primary = evidence.measures.primary
    order = ["latency", primary] if prefer == "latency" else [prefer, "latency"]
    reasons: list[str] = []
    for criterion in order:
        choice = by_latency(evidence) if criterion == "latency" else by_metric(criterion, evidence)
        reasons.append(choice.reason)
        if choice.better:
            return choice.better, reasons
    values = {model: evidence.overall(model, primary) for model in evidence.candidates}
    pick, word = (max, "larger") if primary in MORE_IS_BETTER else (min, "smaller")
    better = pick(values, key=lambda model: values[model])
    last = f"The {word} {words(primary)} decides, {values[better]:.6f}, for {better}."
    return better, [*reasons, last]


def by_metric(metric: str, evidence: Evidence) -> Choice:
    """Apply rule 1."""
    found = evidence.difference(metric)
    if found is None:
        return Choice(None, f"{words(metric)} is not defined on these rows: a tie.")
    first, second = evidence.candidates
    lower, upper = found["lower"], found["upper"]
    shown = 4 if lower <= 0 <= upper else places(lower, upper)
    interval = f"{found['value']:+.{shown}f} ({lower:+.{shown}f} to {upper:+.{shown}f})"
    what = f"{words(metric)} of {first} minus {second} is {interval}"
    if lower <= 0 <= upper:
        return Choice(None, f"{what}: the interval includes zero, a tie.")
    better = first if (lower > 0) == (metric in MORE_IS_BETTER) else second
    return Choice(better, f"{what}: better for {better}.")


def by_latency(evidence: Evidence) -> Choice:
    """Apply rule 2."""
    taken = {model: evidence.latency(model) for model in evidence.candidates}
    what = f"One row takes {' and '.join(f'{ms:.3f} ms in {name}' for name, ms in taken.items())}"
    if max(taken.values()) - min(taken.values()) <= LATENCY_TIE * max(taken.values()):
        return Choice(None, f"{what}: within {LATENCY_TIE:.0%}, a tie.")
    better = min(taken, key=lambda model: taken[model])
    return Choice(better, f"{what}: better for {better}.")
