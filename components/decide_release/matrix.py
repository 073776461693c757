"""The decision matrix: criteria with weights, scores that can be added, and what would flip them.

Rules:
1. the better of both models scores 1 and the other its share of it: value / best where more is
   better, best / value where less is; an AUC counts from a half, which chance reaches;
2. what is a tie by the rules of choice.py (an interval that includes zero, latencies within 5
   percent), trainings that took the same within 10 percent, and ones of which only a part is known,
   since they were resumed, score 1 for both: a difference that may be luck moves no sum;
3. a model's sum is that of its scores times the weights over the weights' own sum, so that only
   their proportions matter; sums within SUM_TIE are a tie, and then what is preferred decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.core.measures import AREAS, MORE_IS_BETTER, task_of
from components.core.policy import Policy
from components.decide_release.choice import Evidence, by_latency, by_metric

SUM_TIE = 1e-9
CHANCE = 0.5
TRAINING_SECONDS = "training_seconds"
COST_TIE = 0.1
# The criterion that each weight is of, but for quality.
ROWS = {
    "latency": "one_row_ms",
    "size": "size_bytes",
    "training_cost": TRAINING_SECONDS,
    "portability": "forms",
}


@dataclass(frozen=True)
class Matrix:
    """The policy's weights by name, each one's scores by model, and the metric of quality."""

    given: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]]
    quality: str

    @property
    def models(self) -> tuple[str, ...]:
        """The two models that are weighed."""
        return tuple(next(iter(self.scores.values())))

    @property
    def weights(self) -> dict[str, float]:
        """The weights, of sum 1."""
        return {name: weight / sum(self.given.values()) for name, weight in self.given.items()}

    def total(self, model: str) -> float:
        """Return a model's weighted sum."""
        return sum(weight * self.scores[name][model] for name, weight in self.weights.items())

    def advantage(self, model: str, other: str) -> float:
        """Return how far a model's sum lies above the other's; 0 for a tie."""
        ahead = self.total(model) - self.total(other)
        return 0.0 if abs(ahead) <= SUM_TIE else ahead

    def best(self) -> str | None:
        """Return the model of the larger sum, None for a tie."""
        first, second = self.models
        ahead = self.advantage(first, second)
        return None if ahead == 0 else first if ahead > 0 else second

    def reason(self) -> str:
        """Say both sums and what they are made of."""
        first, second = self.models
        parts = ", ".join(
            f"{name} {weight:.3g} x {self.scores[name][first]:.4g} and "
            f"{self.scores[name][second]:.4g}"
            for name, weight in self.weights.items()
            if weight
        )
        sums = f"{self.total(first):.4f} for {first} and {self.total(second):.4f} for {second}"
        said = f"The weighted sum is {sums} ({parts})"
        return f"{said}." if self.best() else f"{said}: a tie."

    def flips(self, winner: str, loser: str) -> Iterator[str]:
        """Yield each change of one weight, the others as they are, that would flip the winner."""
        ahead = self.advantage(winner, loser) * sum(self.given.values())
        for name, weight in self.given.items():
            gain = self.scores[name][winner] - self.scores[name][loser]
            needed = weight - ahead / gain if gain else 0.0
            if needed > 0:
                word = "over" if gain < 0 else "under"
                yield (
                    f"With policy.weights.{name} {word} {needed:.4g} (now {weight:g}) the "
                    f"candidate would be {loser}."
                )


def matrix(policy: Policy, evidence: Evidence) -> Matrix | None:
    """Return the matrix of the policy's weights; None without weights or a second model."""
    if policy.weights is None or len(evidence.candidates) == 1:
        return None
    given = policy.weights.model_dump()
    quality = policy.quality(task_of(evidence.evaluation))
    return Matrix(given, {name: _scores(name, quality, evidence) for name in given}, quality)


def criterion_of(weight: str, weighed: Matrix) -> str:
    """Return the name of the criterion, as a row of the decision, that a weight is of."""
    return weighed.quality if weight == "quality" else ROWS[weight]


def _scores(name: str, quality: str, evidence: Evidence) -> dict[str, float]:
    """Return both models' scores of a criterion (rules 1 and 2)."""
    if name == "quality":
        return _of_quality(quality, evidence)
    if name == "latency" and by_latency(evidence).better is None:
        return _equal(evidence)
    if name == "training_cost":
        return _of_cost(evidence)
    if name == "portability":
        counts = {model: float(len(evidence.forms(model))) for model in evidence.candidates}
        return _shares(counts, more_is_better=True)
    value_of = evidence.latency if name == "latency" else evidence.size_bytes
    return _shares({model: value_of(model) for model in evidence.candidates}, more_is_better=False)


def _of_cost(evidence: Evidence) -> dict[str, float]:
    taken = evidence.training_seconds()
    if taken is None or cheaper(taken) is None:
        return _equal(evidence)
    return _shares(taken, more_is_better=False)


def cheaper(taken: Mapping[str, float]) -> str | None:
    """Return the model whose training took less; None where they are within COST_TIE."""
    least = min(taken, key=lambda model: taken[model])
    return None if taken[least] >= (1 - COST_TIE) * max(taken.values()) else least


def _of_quality(metric: str, evidence: Evidence) -> dict[str, float]:
    if by_metric(metric, evidence).better is None:
        return _equal(evidence)
    values = {model: evidence.overall(model, metric) for model in evidence.candidates}
    by_chance = CHANCE if metric in AREAS else 0.0
    above = {model: max(0.0, value - by_chance) for model, value in values.items()}
    return _shares(above, more_is_better=metric in MORE_IS_BETTER)


def _equal(evidence: Evidence) -> dict[str, float]:
    return dict.fromkeys(evidence.candidates, 1.0)


def _shares(values: Mapping[str, float], *, more_is_better: bool) -> dict[str, Any]:
    """Apply rule 1 to values that are not below zero."""
    best = max(values.values()) if more_is_better else min(values.values())
    if more_is_better:
        return {model: value / best if best else 1.0 for model, value in values.items()}
    return {model: best / value if value else 1.0 for model, value in values.items()}
