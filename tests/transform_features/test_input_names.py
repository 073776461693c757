"""Columns that a preprocessing_fn reads by names that a SavedModel cannot give its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from kinds_run import SOURCE
from schema_of_rows import examples_of

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.errors import SettingsError
from components.core.sources import SOURCES_VARIABLE
from components.transform_features.step import TransformSettings, transform_features

pytestmark = pytest.mark.slow
MODULE = "a_transform_of_named_columns"
NAMES = ("self", "_x", "age", "Age", "unit.price", "unit-price")
USERS = """import tensorflow as tf

def reads(*names):
    def features(inputs):
        values = [inputs[name] for name in names]
        return {f"_{n}.self": tf.nn.relu(value) for n, value in enumerate(values)}
    return features

own = reads("self")
hidden = reads("_x")
cases = reads("age", "Age")
marks = reads("unit.price", "unit-price")
one_mark = reads("unit.price", "age")
"""
Transform = Callable[..., None]


@pytest.fixture(autouse=True)
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{MODULE}.py").write_text(USERS)
    monkeypatch.setenv(SOURCES_VARIABLE, str(tmp_path))
    return iter(())


@pytest.fixture
def transform(tmp_path: Path) -> Transform:
    """Run the step with a function of the module, on rows whose columns have all the names."""

    def run(function: str, **train: Any) -> None:
        examples, rows = tmp_path / "examples", 60
        columns = {name: pa.array([float(n) for n in range(rows)]) for name in sorted(NAMES)}
        table = pa.table({**columns, "late": [n % 2 for n in range(rows)]})
        examples_of(examples, {"train": table.slice(0, 40), "eval": table.slice(40)}, "late")
        values = {
            "transform": {"preprocessing_fn": f"{MODULE}:{function}"},
            "source": SOURCE.model_dump(mode="json"),
            "schema": "any",
            "beam": {},
            "train": train,
        }
        folders = [tmp_path / name for name in ("validation", "graph", "features")]
        for made in folders:
            made.mkdir()
        verdict = {"examples_sha256": tree_digest(examples), "schema_sha256": sha256_bytes(b"any")}
        write_json(folders[0] / "validation.json", verdict | {"passed": True})
        transform_features(
            settings=TransformSettings.model_validate(values),
            examples=examples,
            validation=folders[0],
            transform_graph=folders[1],
            features=folders[2],
        )

    return run


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        ("own", "column self cannot be an input of a SavedModel: TensorFlow has the name"),
        ("hidden", "column _x cannot be an input of a SavedModel: its name begins with neither"),
        ("cases", "column age cannot be an input of a SavedModel: .* from that of Age"),
        ("marks", r"column unit\.price cannot be an input .* from that of unit-price"),
    ],
)
def test_a_column_that_no_saved_model_can_name_is_refused_before_anything_is_fitted(
    transform: Transform, tmp_path: Path, function: str, cause: str
) -> None:
    with pytest.raises(SettingsError, match=cause) as caught:
        transform(function)
    assert "leave saved_model out of train.forms" in caught.value.remedy
    assert not any((tmp_path / "graph").iterdir())


@pytest.mark.parametrize(
    ("function", "forms"), [("marks", ["torch_export", "litert"]), ("one_mark", ["saved_model"])]
)
def test_without_a_saved_model_any_name_is_read_and_features_are_named_at_will(
    transform: Transform, tmp_path: Path, function: str, forms: list[str]
) -> None:
    transform(function, forms=forms, epochs=3)
    assert (tmp_path / "features").is_dir()
