"""The gates on a label of several classes, and on one that is a number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_examples import SMALL_SCHEMA, small_rows, write_examples

from components.core.data_settings import Checks, Source, Window
from components.core.errors import GateError, SettingsError
from components.core.outcome import Outcome
from components.validate_examples.gate_names import DataGates
from components.validate_examples.schema import parse_schema
from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow
Make = Callable[..., ValidateSettings]
OF_CLASSES = {"task": "multi_class", "classes": ("low", "middle", "high")}
THREE = SMALL_SCHEMA.replace("min: 0 max: 1", "min: 0 max: 2")
NUMBER = SMALL_SCHEMA.replace("type: INT int_domain { min: 0 max: 1 }", "type: FLOAT")


def months(folder: Path, of_label: dict[str, Any], *labels: pa.Array) -> Path:
    """Examples of three months, the last evaluated, each with its labels."""
    shards = {}
    for number, label in enumerate(labels, 1):
        rows = small_rows(len(label), 1000 * number)
        place = rows.column_names.index("late")
        split = "eval" if number == len(labels) else "train"
        shards[split, f"2013-0{number}"] = rows.set_column(place, "late", label)
    return write_examples(folder / "examples", shards, **of_label)


def validate(settings: ValidateSettings, examples: Path) -> Outcome:
    folders = {n: examples.parent / "out" / n for n in ("statistics", "validation")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return validate_examples(settings=settings, examples=examples, **folders)


def cycle(*counts: int) -> pa.Array:
    """Labels 0, 1, ... as often as the counts say."""
    return pa.array([n for n, count in enumerate(counts) for _ in range(count)], pa.int64())


def test_the_rarest_of_several_classes_is_what_a_share_is_asked_of(
    small_settings: Make, tmp_path: Path
) -> None:
    labels = (cycle(100, 90, 10), cycle(100, 90, 10), cycle(60, 38, 2))
    settings = small_settings({"schema": THREE}, minimum_class_share=0.04)
    with pytest.raises(GateError) as caught:
        validate(settings, months(tmp_path, OF_CLASSES, *labels))
    assert "class_share:late in eval: expected a share of at least 0.04, found 0.0200" in (
        caught.value.message
    )
    shares = [g["value"] for g in caught.value.gates if g["name"] == "class_share:late"]
    assert shares == [0.05, 0.02]


def test_a_shift_of_labels_is_that_of_the_class_that_moved_most(
    small_settings: Make, tmp_path: Path
) -> None:
    labels = (cycle(50, 30, 20), cycle(50, 30, 20), cycle(50, 15, 35))
    settings = small_settings({"schema": THREE}, label_shift=0.1)
    with pytest.raises(GateError, match=r"difference of at most 0\.1, found 0\.1500"):
        validate(settings, months(tmp_path, OF_CLASSES, *labels))


def test_a_label_that_is_a_number_has_a_distance_and_no_classes(
    small_settings: Make, tmp_path: Path
) -> None:
    near = pa.array([float(n % 50) for n in range(200)])
    far = pa.array([float(n % 50) + 40 for n in range(200)])
    settings = small_settings({"schema": NUMBER}, label_shift=0.3)
    of_number = {"task": "regression"}

    (tmp_path / "near").mkdir()
    outcome = validate(settings, months(tmp_path / "near", of_number, near, near, near))
    gates = {gate.name: gate for gate in outcome.gates}
    assert gates["label_shift:late"].metric == "jensen_shannon_divergence"
    assert gates["label_shift:late"].slice == "2013-03 against 2013-02"
    assert "class_share:late" not in gates

    (tmp_path / "far").mkdir()
    with pytest.raises(GateError, match="label_shift:late in 2013-03 against 2013-02"):
        validate(settings, months(tmp_path / "far", of_number, near, near, far))


def test_only_a_label_of_classes_has_a_gate_on_their_share() -> None:
    values = {"table": {"location": "a.csv"}, "spans": {"unit": "month", "columns": ["y", "m"]}}

    def gates(**question: Any) -> DataGates:
        target = {"name": "late", "column": "delay", **question}
        source = Source.model_validate(values | {"target": target})
        window = Window(first="2013-01", last="2013-02")
        return DataGates("shop", Checks(), source, window, parse_schema(SMALL_SCHEMA))

    gates(classes=["a", "b", "c"]).require("class_share:late")
    with pytest.raises(SettingsError, match="no data gate class_share:late"):
        gates(number=True).require("class_share:late")
