"""The contract of a model: what its bundle holds, takes, gives and was proven to give."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jsonschema
from pydantic import Field

from components.core.artifacts import read_json, write_json
from components.core.canonical import parse_json
from components.core.errors import IntegrityError
from components.core.features import IdFeature
from components.core.form_proof import AnyQuality, Parity
from components.core.outcome import Gate
from components.core.settings import FormName, Section
from components.core.task import Task

CONTRACT_NAME = "contract.json"
SCHEMA_NAME = "model_contract.schema.json"


class Input(Section):
    """One column of a raw row."""

    name: str
    dtype: Literal["float32", "string"]


class Output(Section):
    """What is given for each row: components/core/task.py says of which shape.

    `classes` are the names of the classes whose probabilities are given, in their order.
    """

    name: Literal["probability", "probabilities", "value"] = "probability"
    dtype: Literal["float32"] = "float32"
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: Task, classes: tuple[str, ...] = ()) -> Output:
        """Return what a model of a task gives."""
        return cls(name=OUTPUTS[task], classes=classes)

    @property
    def task(self) -> Task:
        """Return what is predicted."""
        return next(task for task, name in OUTPUTS.items() if name == self.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of predictions as a table; of several classes the last is CLASS."""
        if not self.classes:
            return (self.name,)
        return (*(f"probability_{name}" for name in self.classes), CLASS)


OUTPUTS: Mapping[Task, Literal["probability", "probabilities", "value"]] = {
    "binary": "probability",
    "multi_class": "probabilities",
    "regression": "value",
}
"""What a form of each task calls its only output."""
CLASS = "class"
"""The column beside those of the probabilities: the name of the class that has the highest."""


class Form(Section):
    """One exported form; `opset` is null unless it is ONNX, `operators` are by their set.

    It has one proof: `quality` if it is of 8 bits, else `parity`.
    """

    name: FormName
    path: str
    takes: Literal["raw_rows", "features"]
    opset: int | None = None
    operators: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    parity: Parity | None = None
    quality: AnyQuality | None = None

    @property
    def holds(self) -> bool:
        """Say whether there is a proof, and it holds."""
        proof = self.parity or self.quality
        return proof is not None and proof.holds

    def gates(self, model: str) -> tuple[Gate, ...]:
        """Return what its proof compared, in the model's name."""
        proof = self.parity or self.quality
        return proof.gates(f"{model} {self.name}") if proof is not None else ()


class FeatureInputs(Section):
    """The columns that forms which take features take, in their order."""

    dense: tuple[str, ...]
    ids: tuple[IdFeature, ...]


class Carried(Section):
    """What of the preprocessing is inside the forms that take raw rows."""

    preprocessing: Literal["complete"] = "complete"


class Contract(Section):
    """What a bundle takes, gives and holds; no times in it, so it repeats.

    `preprocessing` is the path of the ONNX model of raw rows to features, for forms of features.
    """

    version: Literal[1] = 1
    framework: Literal["pytorch", "tensorflow", "imported"]
    family: str
    inputs: tuple[Input, ...]
    output: Output = Output()
    features: FeatureInputs | None = None
    forms: tuple[Form, ...]
    files: dict[str, str]
    transform_sha256: str | None = None
    weights_sha256: str
    parameters: int
    carried: Carried = Carried()
    preprocessing: str | None = None

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Contract:
        """Return the contract; raise IntegrityError for what breaks the schema or a rule."""
        error = jsonschema.exceptions.best_match(_validator().iter_errors(value))
        if error is not None:
            raise _invalid(f"{error.json_path}: {error.message}")
        contract = cls.model_validate(value)
        contract._check_forms()
        return contract

    @classmethod
    def read(cls, folder: Path) -> Contract:
        """Return the contract of a bundle."""
        return cls.from_dict(read_json(folder / CONTRACT_NAME))

    def to_dict(self) -> dict[str, Any]:
        """Return the contract as a JSON object; what is unknown is left out."""
        value = self.model_dump(mode="json")
        for name in ("features", "preprocessing", "transform_sha256"):
            if value[name] is None:
                del value[name]
        if not value["output"]["classes"]:
            del value["output"]["classes"]
        for form in value["forms"]:
            if not form["operators"]:
                del form["operators"]
            for name in ("parity", "quality"):
                if form[name] is None:
                    del form[name]
            if "parity" in form and not form["parity"]["batch_sizes"]:
                del form["parity"]["batch_sizes"]
        return value

    def write(self, folder: Path) -> None:
        """Write the contract into a bundle."""
        write_json(folder / CONTRACT_NAME, self.to_dict())

    def form(self, name: str) -> Form:
        """Return the form of that name; raise IntegrityError if the bundle has none."""
        for form in self.forms:
            if form.name == name:
                return form
        raise _invalid(f"the bundle has no form {name}")

    @property
    def task(self) -> Task:
        """Return what the model predicts."""
        return self.output.task

    @property
    def input_types(self) -> dict[str, str]:
        """Return {column: dtype}, in the order of the contract, as `raw_inputs` takes it."""
        return {column.name: column.dtype for column in self.inputs}

    def _check_forms(self) -> None:
        """Check what JSON Schema cannot say: unique names, files that exist, proofs that hold."""
        if len({form.name for form in self.forms}) != len(self.forms):
            raise _invalid("two forms have the same name")
        if len(self.input_types) != len(self.inputs):
            raise _invalid("two inputs have the same name")
        if self.preprocessing is not None and self.preprocessing not in self.files:
            raise _invalid(f"preprocessing names {self.preprocessing}, which is not a file")
        for form in self.forms:
            if not any(
                file == form.path or file.startswith(f"{form.path}/") for file in self.files
            ):
                raise _invalid(f"form {form.name} names {form.path}, which is not among the files")
            if not form.holds:
                proof = form.parity or form.quality
                raise _invalid(f"form {form.name} is not within its tolerance: {proof}")


def _invalid(reason: str) -> IntegrityError:
    return IntegrityError(
        f"the model contract is not valid: {reason}", remedy="train and export the model again"
    )


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    text = importlib.resources.files("schemas").joinpath(SCHEMA_NAME).read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(parse_json(text))
