"""The sections of a run's settings, each a frozen value that refuses unknown keys.

Here are the types that all share and the sections of models and their release; those of the data
are in components/core/data_settings.py.

A section is what one or more stages depend on; the DAG hands each stage only its own sections, so
a change of one section repeats only the stages that read it. The file as a whole is RunSettings in
pipelines/settings.py. Paths and secrets do not belong here: they come from the environment.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from components.core.words import nearest

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
Flag = Annotated[bool, Field(strict=True)]  # 1 and "yes" are none
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_no_truth)]


class Section(BaseModel):
    """A frozen part of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Family = Literal["wide_and_deep", "dcn_v2", "ft_transformer"]
Framework = Literal["pytorch", "tensorflow"]
_DEEP = ("hidden_units", "embedding_dim", "dropout", "normalisation")
# What each built-in family reads; a family of the user's own may read all.
HYPER_PARAMETERS: Mapping[Family, tuple[str, ...]] = {
    "wide_and_deep": _DEEP,
    "dcn_v2": (*_DEEP, "cross_layers", "cross_rank", "structure"),
    "ft_transformer": ("token_dim", "blocks", "attention_heads", "feed_forward_factor", "dropout"),
}


def _only_binary(value: Any) -> Any:
    """Refuse what the models could give and no other stage could take yet."""
    if value in ("multi_class", "regression"):
        raise ValueError(
            f"{value} is not offered: the target is yes or no, and evaluation, gates and "
            "contract are those of a probability; only binary is"
        )
    return value


class ModelFamily(Section):
    """The architecture that both frameworks build: a built-in family, or two functions."""

    family: Family | None = Field(
        default=None, description="a built-in family; or give pytorch and tensorflow instead"
    )
    pytorch: ModelFunction | None = Field(
        default=None, description="module:function of a family of your own in PyTorch"
    )
    tensorflow: ModelFunction | None = Field(
        default=None, description="module:function of the same family in Keras"
    )
    head: Annotated[Literal["binary"], BeforeValidator(_only_binary)] = Field(
        default="binary", description="binary: one logit a row, the only head so far"
    )
    hidden_units: tuple[Count, ...] = Field(
        default=(128, 64), description="wide_and_deep, dcn_v2: units of each hidden layer"
    )
    embedding_dim: Integer = Field(
        default=8, ge=1, le=512, description="wide_and_deep, dcn_v2: width of an id's embedding"
    )
    dropout: Number = Field(default=0.0, ge=0, lt=1, description="share of units dropped")
    normalisation: Literal["none", "layer", "batch"] = Field(
        default="none", description="wide_and_deep, dcn_v2: between a hidden layer and its relu"
    )
    cross_layers: Count = Field(default=2, description="dcn_v2: cross layers")
    cross_rank: Count | None = Field(
        default=None, description="dcn_v2: rank of a cross layer's kernel; full if not given"
    )
    structure: Literal["stacked", "parallel"] = Field(
        default="stacked", description="dcn_v2: the hidden layers behind or beside the cross layers"
    )
    token_dim: Count = Field(default=32, description="ft_transformer: width of a token")
    blocks: Count = Field(default=2, description="ft_transformer: attention blocks")
    attention_heads: Count = Field(
        default=4, description="ft_transformer: heads of each block; they divide token_dim"
    )
    feed_forward_factor: Positive = Field(
        default=4 / 3, description="ft_transformer: feed-forward width over token_dim"
    )

    def function(self, framework: Framework) -> str:
        """Return the model function of a framework: the user's own, or the built-in family's."""
        own = self.pytorch if framework == "pytorch" else self.tensorflow
        return own or f"components.train_{framework}.families.{self.family}:build_model"

    @model_validator(mode="after")
    def _one_architecture(self) -> ModelFamily:
        functions = (self.pytorch, self.tensorflow)
        if self.family is None and None in functions:
            families = ", ".join(HYPER_PARAMETERS)
            raise ValueError(f"give family ({families}), or both pytorch and tensorflow")
        if self.family is not None and functions != (None, None):
            raise ValueError("give family, or pytorch and tensorflow, not both")
        if self.token_dim % self.attention_heads:
            raise ValueError("token_dim is not a multiple of attention_heads")
        return self

    @model_validator(mode="after")
    def _no_unused_hyper_parameters(self) -> ModelFamily:
        if unused := sorted(self.model_fields_set & self._unused()):
            raise ValueError(
                f"{self.family} does not use {', '.join(unused)}; it has "
                f"{', '.join(HYPER_PARAMETERS[self.family or 'wide_and_deep'])}"
            )
        return self

    @model_serializer(mode="wrap")
    def _used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what the family does not use, so that what is read again is accepted."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name not in self._unused()}

    def _unused(self) -> frozenset[str]:
        if self.family is None:
            return frozenset({"family"})
        every = {name for names in HYPER_PARAMETERS.values() for name in names}
        return frozenset(every - {*HYPER_PARAMETERS[self.family]} | {"pytorch", "tensorflow"})


class Between(Section):
    """Numbers from low to high, both included; whole ones where both are whole."""

    low: Annotated[int | float, BeforeValidator(_no_truth)]
    high: Annotated[int | float, BeforeValidator(_no_truth)]
    log: Flag = Field(default=False, description="draw the logarithm evenly, not the number")

    @model_validator(mode="after")
    def _ordered(self) -> Between:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithm needs a low above 0")
        return self

    def drawn(self) -> Iterator[tuple[str, Any]]:
        """Yield values that stand for all that a trial may take, with what each of them is."""
        yield "low", self.low
        yield "high", self.high
        if not (isinstance(self.low, int) and isinstance(self.high, int)):
            yield "between low and high", self.low + (self.high - self.low) / math.pi


class OneOf(Section):
    """Values of which each trial takes one."""

    one_of: tuple[Any, ...] = Field(min_length=2)

    def drawn(self) -> Iterator[tuple[str, Any]]:
        """Yield the values with what each of them is."""
        yield from ((f"one_of.{place}", value) for place, value in enumerate(self.one_of))


class Search(Section):
    """Which settings each trainer searches, before it trains with the best ones found."""

    trials: Count = 20
    parameters: Mapping[str, Between | OneOf] = Field(
        min_length=1, description="by key: train.learning_rate, model.dropout and the like"
    )

    @model_validator(mode="after")
    def _searchable(self) -> Search:
        known = [f"train.{name}" for name in SEARCHED_TRAIN]
        known += [f"model.{name}" for names in HYPER_PARAMETERS.values() for name in names]
        for key in sorted(self.parameters.keys() - known):
            near = "" if key in _every_setting() else nearest(key, known)
            names = near or f"; these can: {', '.join(dict.fromkeys(known))}"
            raise ValueError(f"{key} cannot be searched{names}")
        return self


def _every_setting() -> list[str]:
    sections: Mapping[str, type[Section]] = {"train": Train, "model": ModelFamily}
    return [f"{key}.{name}" for key, section in sections.items() for name in section.model_fields]


# What stands beside ONNX, which is always there.
OtherForm = Literal[
    "torch_export", "saved_model", "litert", "onnx_int8_dynamic", "onnx_int8_static", "litert_int8"
]
FormName = Literal["onnx", OtherForm]
SEARCHED_TRAIN = (
    "learning_rate",
    "batch_size",
    "schedule",
    "warmup_steps",
    "clip_norm",
    "weight_decay",
)
Device = Literal["auto", "cpu", "cuda", "tpu"]
Precision = Literal["fp32", "bf16", "fp16"]


class Train(Section):
    """How both models are trained."""

    epochs: Integer = Field(default=4, ge=1, le=10_000)
    batch_size: Count = 2048
    learning_rate: Positive = 1e-3
    seed: Integer = Field(default=13, ge=0, lt=2**31)
    shuffle_window: Count | None = Field(
        default=None,
        description="rows among which a batch is drawn, for features that do not fit into memory: "
        "they lie in 64 blocks, drawn anew each epoch; not given: all rows",
    )
    threads: Count = Field(default=1, description="threads of each trainer")
    device: Device = Field(
        default="auto",
        description="what both train on; `auto` is an accelerator where the framework finds one, "
        "else the CPU; one that is named and absent is refused",
    )
    processes: Count = Field(
        default=1,
        description="processes of each trainer, which take every batch together, each a part of "
        "it, with `threads` and, where there are as many, a GPU each",
    )
    parallel: Literal["replicated", "sharded"] = Field(
        default="replicated",
        description="several processes: each holds the whole model (DDP; MirroredStrategy), or "
        "PyTorch's hold parts of it (FSDP2)",
    )
    precision: Precision = Field(
        default="fp32",
        description="of the arithmetic in training; weights stay float32, and so do the exports",
    )
    compile: Flag = Field(
        default=False,
        description="compile the step with torch.compile and XLA, after its outputs and gradients "
        "were compared with those of the step that is not compiled",
    )
    schedule: Literal["constant", "cosine", "linear"] = Field(
        default="constant",
        description="how the learning rate goes on after the warm-up: it stays, or falls to zero "
        "over the steps of all epochs along half a cosine or a line",
    )
    warmup_steps: Integer = Field(
        default=0, ge=0, description="first steps, over which the rate rises to learning_rate"
    )
    clip_norm: Positive | None = Field(
        default=None, description="the largest global norm of a step's gradients; longer are scaled"
    )
    weight_decay: Number = Field(
        default=0.0,
        ge=0,
        description="AdamW: each step first takes rate x weight_decay of every trained weight away",
    )
    class_weights: Literal["balanced"] | tuple[Positive, ...] | None = Field(
        default=None,
        description="what a row counts in the loss by its class: one number a class, or "
        "`balanced`: rows / (classes x rows of the class)",
    )
    validation_share: Number = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the training rows, drawn by the seed, that no step sees and whose "
        "loss is measured after each epoch; the evaluation split is never looked at",
    )
    patience: Count | None = Field(
        default=None,
        description="epochs in a row without a better validation loss after which training stops",
    )
    min_delta: Number = Field(
        default=0.0, ge=0, description="by how much a validation loss must be lower to be better"
    )
    best_weights: Flag = Field(
        default=True,
        description="keep the weights of the best validation loss, not those of the last epoch",
    )
    checkpoint_steps: Integer = Field(
        default=1000,
        ge=0,
        description="steps between two checkpoints, which an interrupted training goes on from; "
        "0: only when it is stopped",
    )
    forms: tuple[OtherForm, ...] = Field(
        default=("torch_export", "saved_model", "litert"),
        description="what is exported beside ONNX, each by its own framework; leave out what the "
        "model's operators cannot be carried to; those of 8 bits (int8) are asked for by name",
    )
    search: Search | None = Field(
        default=None,
        description="trials whose validation loss decides what each trainer trains with",
    )

    @model_validator(mode="after")
    def _in_processes(self) -> Train:
        if self.processes == 1 and self.parallel == "sharded":
            raise ValueError("parallel: sharded needs processes above 1")
        if self.processes > self.batch_size:
            raise ValueError(f"{self.processes} processes have no part each of a batch_size below")
        if self.processes > 1 and self.compile:
            raise ValueError("compile is not offered with processes above 1")
        if self.parallel == "sharded" and self.precision == "fp16":
            raise ValueError("fp16 is not offered with parallel: sharded; bf16 is")
        return self

    @model_validator(mode="after")
    def _measured(self) -> Train:
        for name in ("patience", "search"):
            if getattr(self, name) is not None and not self.validation_share:
                raise ValueError(f"{name} needs a validation_share above 0")
        return self


class Evaluate(Section):
    """What is measured on the last span."""

    slices: tuple[tuple[Name, ...], ...] = Field(
        default=(), description="columns to slice by; more than one name is a cross"
    )
    minimum_slice_rows: Count = 100
    confidence: Number = Field(default=0.95, gt=0, lt=1)
    batch_rows: Count = Field(
        default=1024, description="rows of a batch when timing, rows per second among it"
    )
    latency_runs: Integer = Field(default=200, ge=10, description="single rows that are timed")


Comparison = Literal[">=", "<="]


class MetricGate(Section):
    """A gate on one metric of one model: the interval's worse bound against a threshold."""

    metric: Literal["auc", "log_loss", "calibration_error", "accuracy"]
    operator: Comparison
    threshold: Number
    slice: str = Field(default="overall", description="a slice's key, such as origin=JFK")


class FormGate(Section):
    """A gate on what was measured of a form; it judges the models that have such a form."""

    form: FormName = "onnx"
    metric: Literal["p50_ms", "p95_ms", "p99_ms", "rows_per_second", "size_bytes", "load_ms"] = (
        Field(description="p50_ms, p95_ms and p99_ms are of one row, rows_per_second of a batch")
    )
    operator: Comparison
    threshold: Number


class Policy(Section):
    """What a model must meet to be registered, and what decides between two that do."""

    gates: tuple[MetricGate, ...] = Field(min_length=1)
    form_gates: tuple[FormGate, ...] = Field(
        default=(), description="gates on the speed, size and loading time of a form"
    )
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
