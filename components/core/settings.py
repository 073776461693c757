"""The sections of a run's settings, each a frozen value that refuses unknown keys.

Here are the types that all share and the sections of models and their release; those of the data
are in components/core/data_settings.py.

A section is what one or more stages depend on; the DAG hands each stage only its own sections, so
a change of one section repeats only the stages that read it. The file as a whole is RunSettings in
pipelines/settings.py. Paths and secrets do not belong here: they come from the environment.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
FUNCTION_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]
ModelFunction = Annotated[str, Field(pattern=FUNCTION_PATTERN)]


def _no_truth(value: Any) -> Any:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


# A type's own bounds stand before the validator, or they would not be bounds in the JSON Schema.
Integer = Annotated[int, BeforeValidator(_no_truth)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_no_truth)]
Number = Annotated[float, BeforeValidator(_no_truth)]
Positive = Annotated[float, Field(gt=0), BeforeValidator(_no_truth)]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_no_truth)]


class Section(BaseModel):
    """A frozen part of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelFamily(Section):
    """The two model functions and what both read: one architecture, two frameworks."""

    pytorch: ModelFunction
    tensorflow: ModelFunction
    hidden_units: tuple[Count, ...] = (128, 64)
    embedding_dim: Integer = Field(default=8, ge=1, le=512)


class Train(Section):
    """How both models are trained."""

    epochs: Integer = Field(default=4, ge=1, le=10_000)
    batch_size: Count = 2048
    learning_rate: Positive = 1e-3
    seed: Integer = Field(default=13, ge=0, lt=2**31)
    threads: Count = Field(default=1, description="threads of each trainer")


class Evaluate(Section):
    """What is measured on the last span."""

    slices: tuple[tuple[Name, ...], ...] = Field(
        default=(), description="columns to slice by; more than one name is a cross"
    )
    minimum_slice_rows: Count = 100
    confidence: Number = Field(default=0.95, gt=0, lt=1)
    batch_rows: Count = Field(default=8192, description="rows of a batch when timing")
    latency_runs: Integer = Field(default=200, ge=10)


Comparison = Literal[">=", "<="]


class MetricGate(Section):
    """A gate on one metric of one model: the interval's worse bound against a threshold."""

    metric: Literal["auc", "log_loss", "calibration_error", "accuracy"]
    operator: Comparison
    threshold: Number
    slice: str = Field(default="overall", description="a slice's key, such as origin=JFK")


class Policy(Section):
    """What a model must meet to be registered, and what decides between two that do."""

    gates: tuple[MetricGate, ...] = Field(min_length=1)
    champion_auc_margin: Number = Field(
        default=0.0,
        description="what the candidate's AUC minus the champion's, if there is one, must reach "
        "with the lower bound of its interval: 0 demands a significantly better candidate, a "
        "negative margin says how much worse is still as good",
    )
    prefer: Literal["auc", "log_loss", "latency"] = "auc"


class Registry(Section):
    """The model's name in MLflow; the server comes from MLFLOW_TRACKING_URI."""

    model_name: Name
    experiment: Name = "tandem"
