"""What a model takes and gives, as its maker says: names and types of columns, and the output.

    inputs:
    - {name: distance, dtype: float32}
    - {name: origin, dtype: string}
    matrix: X              # the model's one input of all columns, [rows, columns]; else one each
    output: probabilities  # needed where the model has more than one
    positive: 1            # which column of [rows, 2] is the probability of a 1

Rules: a file is YAML or JSON of this form, or MLflow's, in which a model's `MLmodel` and
`signature.to_dict()` are written; what it does not say is read from the model itself, where that
says it. Columns are named as the examples name them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from components.core.contract import Contract, Input
from components.core.errors import SettingsError
from components.core.settings import Integer, Section

GIVEN_BY = "`--signature`, in a TFX pipeline `signature` of JudgeModel"
"""How a file of it is given."""
# MLflow's names of types, and ours: every number is a float32 in a raw row.
MLFLOW_TYPES = dict.fromkeys(("double", "float", "long", "integer"), "float32") | {
    "string": "string"
}


class Signature(Section):
    """What a model takes and gives (see the module)."""

    inputs: tuple[Input, ...] = Field(min_length=1)
    matrix: str | None = None
    output: str | None = None
    positive: Integer = Field(default=1, ge=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> Signature:
        names = [column.name for column in self.inputs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"inputs: {twice[0]} is named twice")
        if self.matrix is not None and len({column.dtype for column in self.inputs}) > 1:
            raise ValueError("matrix: its columns are of one dtype")
        return self


def read_signature(path: Path) -> Signature:
    """Return the signature in a file; SettingsError for one that cannot be used."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the signature {path} cannot be read: {error.strerror}",
            remedy=f"correct its path ({GIVEN_BY})",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is neither YAML nor JSON", remedy="correct it") from error
    remedy = "docs/registry.md shows what a signature says"
    if not isinstance(value, dict):
        raise SettingsError(f"{path} holds no signature", remedy=remedy)
    try:
        return Signature.model_validate(_of_mlflow(value.get("signature", value)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {place}: {first['msg']}", remedy=remedy) from error


def contract_signature(contract: Contract, said: Signature | None) -> Signature:
    """Return what a bundle takes; SettingsError where something else was said too."""
    if said is not None:
        raise SettingsError(
            "the contract of a bundle is its signature", remedy=f"leave the other out ({GIVEN_BY})"
        )
    return Signature(inputs=contract.inputs)


def named_numbers(model: Path, signature: Signature | None) -> Signature:
    """Return the signature of a model that cannot say one itself; SettingsError without it."""
    if signature is None or any(column.dtype == "string" for column in signature.inputs):
        raise SettingsError(
            f"{model.name} takes numbers and does not name the columns that it takes",
            remedy=f"name them, all float32, in a file ({GIVEN_BY})",
        )
    return signature


def _of_mlflow(value: Any) -> Any:
    """Return our form of MLflow's, whose inputs are a text of JSON; any other value as it is."""
    inputs = value.get("inputs") if isinstance(value, Mapping) else None
    if not isinstance(inputs, str):
        return value
    try:
        columns = json.loads(inputs)
    except ValueError:
        return value
    return {"inputs": [_of_column(column) for column in columns]}


def _of_column(column: Any) -> Any:
    """Return a column of MLflow's as ours; one that is no column, or of another type, as it is."""
    if not isinstance(column, Mapping):
        return column
    kind = column.get("type")
    return {"name": column.get("name"), "dtype": MLFLOW_TYPES.get(str(kind), kind)}
