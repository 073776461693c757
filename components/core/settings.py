"""The sections of a run's settings, each a frozen value that refuses unknown keys.

Here are the types that all share and the sections of evaluation and registry; the policy is in
policy.py, those of models are in model_settings.py, of training in training_settings.py, of the
data in data_settings/.

A section is what one or more stages depend on; the DAG hands each stage only its own sections, so
a change of one section repeats only the stages that read it. The file as a whole is RunSettings in
pipelines/settings.py. Paths and secrets do not belong here: they come from the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)

from components.core.stock_metrics import StockName
from components.core.task import Task

LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*\S[^\x00-\x1f\x7f-\x9f]*$"
NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
FUNCTION_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
Line = Annotated[str, Field(pattern=LINE_PATTERN, max_length=2000)]
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]
ModelFunction = Annotated[str, Field(pattern=FUNCTION_PATTERN)]


def no_truth(value: Any) -> Any:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


# A type's own bounds stand before the validator, or they would not be bounds in the JSON Schema.
Integer = Annotated[int, BeforeValidator(no_truth)]
Count = Annotated[int, Field(ge=1), BeforeValidator(no_truth)]
Number = Annotated[float, BeforeValidator(no_truth)]
Positive = Annotated[float, Field(gt=0), BeforeValidator(no_truth)]
NotNegative = Annotated[float, Field(ge=0), BeforeValidator(no_truth)]
Flag = Annotated[bool, Field(strict=True)]  # 1 and "yes" are none
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(no_truth)]


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Section(BaseModel):
    """A frozen part of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Framework = Literal["pytorch", "tensorflow"]
OtherForm = Literal[
    "torch_export", "saved_model", "litert", "onnx_int8_dynamic", "onnx_int8_static", "litert_int8"
]
FormName = Literal["onnx", OtherForm]


Threshold = Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_truth)]


class StockMetric(Section):
    """A metric of TFMA, which takes rows one by one; plain values are its options, none is code."""

    class_name: StockName = Field(description="a class of tensorflow_model_analysis.metrics")
    config: dict[Name, bool | int | Finite | str | tuple[Finite, ...]] = Field(
        default={}, description="its options, such as {name: f1_at_0.3, thresholds: [0.3]}"
    )

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells its result from others: its name, and of which classes it is."""
        name = self.config.get("name", self.class_name)
        return (name, *(self.config.get(of) for of in ("class_id", "k", "top_k")))


class Evaluate(Section):
    """What is measured on the last span."""

    slices: tuple[tuple[Name, ...], ...] = Field(
        default=(), description="columns to slice by; more than one name is a cross"
    )
    minimum_slice_rows: Integer = Field(
        default=100, ge=2, description="smaller slices and groups are left out and counted"
    )
    confidence: Number = Field(default=0.95, gt=0, lt=1)
    thresholds: tuple[Threshold, ...] = Field(
        default=(0.5,),
        description="a prediction above a threshold says positive; precision, recall and the "
        "confusion matrix are given at each",
    )
    top_k: tuple[Annotated[int, Field(ge=2), BeforeValidator(no_truth)], ...] = Field(
        default=(2,),
        description="of several classes: how often the label is among the k most probable ones, "
        "for each k below the number of classes",
    )
    sensitive: tuple[Name, ...] = Field(
        default=(),
        description="columns whose groups are compared with each other; they need not be features",
    )
    robustness: Flag = Field(
        default=True,
        description="measure the AUC (of several classes the log loss, of a number the squared "
        "error) with each input column shuffled, missing and of unseen texts",
    )
    tfma_metrics: tuple[StockMetric, ...] = Field(
        default=(),
        description="metrics that stock TFMA computes beside ours, without intervals; it takes "
        "minutes for a hundred thousand rows",
    )
    batch_rows: Count = Field(
        default=1024, description="rows of a batch when timing, rows per second among it"
    )
    latency_runs: Integer = Field(default=200, ge=10, description="single rows that are timed")

    @field_validator("tfma_metrics")
    @classmethod
    def _told_apart(cls, metrics: tuple[StockMetric, ...]) -> tuple[StockMetric, ...]:
        keys = [metric.key for metric in metrics]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"two are called {key[0]}; give each a name in its config")
        return metrics

    def problems(self, task: Task) -> Iterator[str]:
        """Yield what cannot be measured of a target of this task."""
        if self.sensitive and task != "binary":
            what = "a number" if task == "regression" else "several classes"
            yield (
                f"sensitive: groups are compared by who is said to be positive, and the target is "
                f"{what}; slice by {', '.join(self.sensitive)} instead"
            )


class Approvals(Section):
    """How many people must have signed before a version may become the champion, by meaning.

    None of them is who submitted the run; with 0 and 0 whoever works alone can promote.
    """

    review: Annotated[int, Field(ge=0, le=100), BeforeValidator(no_truth)] = 0
    approval: Annotated[int, Field(ge=0, le=100), BeforeValidator(no_truth)] = 1


class Governance(Section):
    """What an organisation says of the model before it is used (SR 26-2, NIST AI RMF MANAGE 1.1).

    It stands in the record of the decision, whatever that is; it changes no decision.
    """

    owner: Line | None = Field(
        default=None, description="the role or pseudonym of who answers for the model"
    )
    intended_use: Line | None = Field(
        default=None, description="what the model is for, and the decisions that it is used in"
    )
    materiality: Literal["low", "medium", "high"] | None = Field(
        default=None, description="how much depends on it, by its purpose and the exposure to it"
    )
    next_review: date | None = Field(
        default=None, description="the day by which somebody looks at it again, YYYY-MM-DD"
    )


class Registry(Section):
    """The model's name in MLflow; the server comes from MLFLOW_TRACKING_URI."""

    model_name: Name
    experiment: Name = "tandem"
    approvals: Approvals = Approvals()
