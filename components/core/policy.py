"""The policy: what a model must meet to be released, and what decides between two that do.

A policy is a section of the settings or a file of its own. Rules:
1. a gate on a metric compares the bound of its interval that is worse for the model;
2. what a gate names must be measured: a slice by evaluate.slices, a form by train.forms. What only
   the data can tell (a slice with too few rows) is found by the stage, and is never a pass;
3. without weights the preferred criterion decides; weights, where given, decide by their sum;
4. a metric is one that the task of the target has; where a policy names none, it is the task's
   first (components.core.measures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from components.core.measures import MEASURES
from components.core.policy_gates import ChampionGate, Compared, FairnessGate, FormGate, MetricGate
from components.core.policy_of_task import of_other_tasks
from components.core.quantiles import least_count
from components.core.settings import FormName, NotNegative, Section
from components.core.slice_keys import OVERALL, key_columns, key_parts
from components.core.task import Task
from components.core.words import nearest

Preferred = Literal[Compared, "latency"]


def _too_few_calls(gate: FormGate, evaluate: Mapping[str, Any]) -> str | None:
    """Say how many calls a percentile's interval needs, where fewer are made."""
    quantile = {"p95_ms": 0.95, "p99_ms": 0.99}.get(gate.metric)
    runs, confidence = evaluate.get("latency_runs"), evaluate.get("confidence")
    if quantile is None or runs is None or confidence is None:
        return None
    needed = least_count(quantile, confidence)
    if runs >= needed:
        return None
    return f"{gate.metric} needs evaluate.latency_runs of {needed} or more, for its interval"


class Weights(Section):
    """What counts how much between models that pass; only their proportions matter."""

    quality: NotNegative = Field(
        default=0.0, description="the metric that is preferred, or the task's first"
    )
    latency: NotNegative = Field(default=0.0, description="median of one row, by ONNX")
    size: NotNegative = Field(default=0.0, description="bytes of the ONNX form")
    training_cost: NotNegative = Field(
        default=0.0,
        description="CPU seconds of the training; wall seconds where an accelerator trained",
    )
    portability: NotNegative = Field(default=0.0, description="how many proven forms there are")

    @model_validator(mode="after")
    def _something_counts(self) -> Weights:
        if not any(self.model_dump().values()):
            raise ValueError("one weight at least must be more than 0")
        return self


class Policy(Section):
    """What a model must meet to be registered, and what decides between two that do."""

    gates: tuple[MetricGate, ...] = Field(min_length=1)
    champion_gates: tuple[ChampionGate, ...] = Field(
        default=(ChampionGate(),), description="gates on the difference to the champion"
    )
    fairness_gates: tuple[FairnessGate, ...] = Field(
        default=(), description="gates on differences between groups of people"
    )
    form_gates: tuple[FormGate, ...] = Field(
        default=(), description="gates on the speed, size and loading time of a form"
    )
    forms: tuple[FormName, ...] = Field(
        default=(), description="forms that a released model must have, each proven"
    )
    prefer: Preferred | None = Field(
        default=None,
        description="by default the AUC; of several classes the log loss, of a number the mean "
        "squared error",
    )
    weights: Weights | None = Field(
        default=None, description="the weights of a decision matrix, instead of prefer alone"
    )

    def preferred(self, task: Task) -> str:
        """Return what decides between two that pass: what is preferred, or the task's first."""
        return self.prefer or MEASURES[task].primary

    def quality(self, task: Task) -> str:
        """Return the metric of quality: the preferred one, or the task's first."""
        return MEASURES[task].primary if self.prefer == "latency" else self.preferred(task)

    def gated_slices(self) -> Iterator[tuple[str, str]]:
        """Yield the place in the policy, such as gates.0, and the slice of each gate on one."""
        for number, gate in enumerate(self.gates):
            yield f"gates.{number}", gate.slice
        for number, of_champion in enumerate(self.champion_gates):
            yield f"champion_gates.{number}", of_champion.slice

    def problems(
        self,
        evaluate: Mapping[str, Any],
        exported: Sequence[str],
        task: Task = "binary",
        classes: Sequence[str] = (),
    ) -> Iterator[str]:
        """Yield what a run with these settings of the evaluation and these forms cannot judge.

        ONNX is always exported. What the settings do not say is left to the stage.
        """
        yield from of_other_tasks(self, task, classes)
        yield from self._slices_not_evaluated(evaluate.get("slices", ()))
        sensitive = evaluate.get("sensitive")
        for number, gate in enumerate(self.gates):
            for value, known in ((gate.at, "thresholds"), (gate.k, "top_k")):
                if value is not None and value not in evaluate.get(known, (value,)):
                    yield f"gates.{number}: {value:g} is not among evaluate.{known}"
        for number, fair in enumerate(self.fairness_gates):
            if sensitive is not None and fair.column not in sensitive:
                said = f"{fair.column} is not among evaluate.sensitive"
                yield f"fairness_gates.{number}: {said}{nearest(fair.column, sensitive)}"
        yield from self._forms_not_measured(evaluate, ("onnx", *exported))

    def _forms_not_measured(
        self, evaluate: Mapping[str, Any], exported: Sequence[str]
    ) -> Iterator[str]:
        for number, gate in enumerate(self.form_gates):
            if gate.form not in exported:
                yield f"form_gates.{number}: train.forms leaves {gate.form} out"
            elif problem := _too_few_calls(gate, evaluate):
                yield f"form_gates.{number}: {problem}"
        for form in self.forms:
            if form not in exported:
                yield f"forms: train.forms leaves {form} out"

    def _slices_not_evaluated(self, slices: Sequence[Sequence[str]]) -> Iterator[str]:
        crosses = [",".join(columns) for columns in slices]
        for place, key in self.gated_slices():
            asked = ",".join(key_columns(key))
            if asked not in ("", *crosses) or (not asked and key != OVERALL):
                near = nearest(asked, crosses)
                yield f"{place}: slice {key} is not among evaluate.slices{near}"
                continue
            for column in (name for name, value in key_parts(key) if not value):
                yield f"{place}: slice {key} names no value of {column}: {column}=* is each of them"
