"""The sections of a training: how both models are trained, and what of it is searched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from components.core.model_settings import HYPER_PARAMETERS, ModelFamily
from components.core.settings import (
    Count,
    Flag,
    Integer,
    Number,
    OtherForm,
    Positive,
    Section,
    no_truth,
)
from components.core.words import nearest


class Between(Section):
    """Numbers from low to high, both included; whole ones where both are whole."""

    low: Annotated[int | float, BeforeValidator(no_truth)]
    high: Annotated[int | float, BeforeValidator(no_truth)]
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
