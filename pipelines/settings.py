"""A run's settings: one YAML file, parsed once, frozen, its unknown keys refused.

The sections are defined in components/core/settings.py; this module joins them and checks what
holds between them. loaded_settings.py reads the file and its companions.

Rules:
1. a key that no section knows is refused, and the nearest right name is given;
2. a column known only after the prediction (leakage, or the target's own) is never a feature, a
   drift feature, a slice or a date that is kept; a feature of a date is of one that is;
3. a gate's slice is one that the evaluation computes, its form one that is exported;
4. a window's spans are of the source's unit, and two at least where the last is evaluated on or
   drift is judged;
5. what a search may draw is what the setting itself may be;
6. weights of classes are for a target of classes, one for each.
It doesn't look at the data: a column that the schema lists may still be missing there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from components.core.artifacts import write_json
from components.core.data_settings import (
    ONLY_SPAN,
    WHOLE,
    Beam,
    Checks,
    DataCard,
    Schedule,
    Source,
    Transform,
    Window,
)
from components.core.model_settings import ModelFamily
from components.core.policy import Policy
from components.core.prices import Prices
from components.core.settings import Evaluate, Governance, Name, Registry, Section
from components.core.training_settings import Train
from components.core.words import nearest
from pipelines.settings_errors import explain
from pipelines.settings_file import REPOSITORY
from pipelines.target import Target

AnySection = TypeVar("AnySection", bound=Section)


def _or_a_file(schema: dict[str, Any]) -> None:
    """Let the policy be a path in the JSON Schema: the file's content stands in its place."""
    file = {"type": "string", "description": "path of a policy file (YAML)"}
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, file]


class RunSettings(Section):
    """Everything a run depends on that a person writes down."""

    name: Name = Field(description="the use case's name")
    source: Source
    window: Window = WHOLE
    schedule: Schedule = Schedule()
    schema_file: str = Field(alias="schema", description="path of the TFMD schema (text proto)")
    card: str = Field(description="path of the data card (YAML)")
    checks: Checks = Checks()
    waivers: tuple[str, ...] = Field(
        default=(), description="paths of signed waivers of data gates; `tandem waive` writes them"
    )
    transform: Transform
    beam: Beam = Beam()
    model: ModelFamily
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    policy: Policy = Field(json_schema_extra=_or_a_file)
    governance: Governance = Governance()
    registry: Registry
    prices: Prices | None = Field(
        default=None, description="what an hour of a processor costs; records name each stage's"
    )

    @model_validator(mode="after")
    def _consistent(self) -> RunSettings:
        for check in (
            self._wrong_window,
            self._leaking_columns,
            self._dates_not_kept,
            self._unmet_policy,
            self._statistics_of_parts,
            self._unfit_searches,
            self._unfit_for_the_target,
        ):
            for problem in check():
                raise ValueError(problem)
        return self

    def _wrong_window(self) -> Iterable[str]:
        """Rule 4."""
        example = {"month": "2013-01", "day": "2013-01-31", "none": ONLY_SPAN}
        unit = self.source.spans.unit
        if len(self.window.first) != len(example[unit]):
            yield f"window: spans of unit {unit} are written like {example[unit]}"
        elif self.source.splits.by == "span" and self.window.first == self.window.last:
            yield "window: the last span is evaluated on, so at least two are needed"
        elif self.checks.drift and self.window.first == self.window.last:
            yield (
                "checks.drift compares the last span with the one before it, and the window has "
                "one; checks.skew compares the splits"
            )

    def _leaking_columns(self) -> Iterable[str]:
        """Rule 2."""
        later = self.source.known_later | {self.source.target.name}
        uses = {
            "transform.features": set(itertools.chain(*self.transform.inputs().values())),
            "transform.sample_weight": {self.transform.sample_weight or ""},
            "checks.drift": set(self.checks.drift),
            "checks.skew": set(self.checks.skew),
            "evaluate.slices": {name for cross in self.evaluate.slices for name in cross},
            "evaluate.sensitive": set(self.evaluate.sensitive),
            "source.dates": set(self.source.dates),
        }
        for place, names in uses.items():
            if found := sorted(names & later):
                yield f"{place} uses what is known only after the prediction: {', '.join(found)}"

    def _dates_not_kept(self) -> Iterable[str]:
        """Rule 2."""
        for name, feature in self.transform.features.items():
            date = feature.column or name
            if feature.kind == "date" and date not in self.source.dates:
                near = nearest(date, self.source.dates)
                yield f"transform.features.{name}: source.dates does not keep {date}{near}"

    def _unmet_policy(self) -> Iterable[str]:
        """Rule 3; ONNX is always exported."""
        target = self.source.target
        measured = (self.evaluate.model_dump(), self.train.forms, target.task, target.classes or ())
        for problem in self.policy.problems(*measured):
            yield f"policy.{problem}"
        for problem in self.evaluate.problems(target.task):
            yield f"evaluate.{problem}"

    def _statistics_of_parts(self) -> Iterable[str]:
        """Refuse what would be computed from one process's part of a batch."""
        if self.train.processes > 1 and self.model.normalisation == "batch":
            yield (
                "model.normalisation: batch would see only one process's part of each batch; "
                "layer is the same in however many processes"
            )

    def _unfit_searches(self) -> Iterable[str]:
        """Rule 5; whether values of several settings go together, the trial will say."""
        spaces = self.train.search.parameters if self.train.search else {}
        for key, space in spaces.items():
            place, (section, _, name) = f"train.search.parameters.{key}", key.partition(".")
            settings = self.train if section == "train" else self.model
            if name not in (known := settings.model_dump()):
                yield f"{place}: {self.model.family} does not use {name}{nearest(name, known)}"
            alone = sum(other.startswith(f"{section}.") for other in spaces) == 1
            for what, value in space.drawn():
                if problem := _unfit(settings, name, value, together=alone):
                    yield f"{place}: {what}: {problem}"

    def _unfit_for_the_target(self) -> Iterable[str]:
        """Rule 6."""
        target, weights = self.source.target, self.train.class_weights
        if weights is not None and target.task == "regression":
            yield "train.class_weights: the target is a number, which has no classes"
        classes = len(target.classes or ("0", "1"))
        if isinstance(weights, tuple) and len(weights) != classes:
            yield f"train.class_weights: {len(weights)} numbers for the target's {classes} classes"


def _unfit(settings: Section, name: str, value: Any, *, together: bool) -> str | None:
    """Say what is wrong with another value of a setting; `together`: with the others too."""
    try:
        type(settings).model_validate(settings.model_dump() | {name: value})
    except ValidationError as error:
        if together or any(problem["loc"] for problem in error.errors()):
            return explain(type(settings), error).removeprefix(f"{name}: ")
    return None


# What a person writes, and the schema of it.
SCHEMA_FILES: Mapping[Path, type[Section]] = {
    REPOSITORY / "schemas" / "settings.schema.json": RunSettings,
    REPOSITORY / "schemas" / "data_card.schema.json": DataCard,
    REPOSITORY / "schemas" / "policy.schema.json": Policy,
    REPOSITORY / "schemas" / "target.schema.json": Target,
}


def json_schema(kind: type[Section]) -> dict[str, Any]:
    """Return the JSON Schema of a file that people write, as committed in schemas/."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **kind.model_json_schema(by_alias=True),
    }


def write_schemas() -> None:
    """Write the committed schemas again, after a section changed."""
    for path, kind in SCHEMA_FILES.items():
        write_json(path, json_schema(kind))
