"""Targets of several classes and of numbers: what a label is, and which rows have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_source import HEADER, Make, ingest

from components.core.errors import DataError
from components.core.examples import ExamplesManifest, read_split

CLASSES = ["late", "early", "on time"]
WORDS = ["early", "late", "on time", "late", "early", "on time", "late"]


def table(values: list[Any]) -> str:
    """Rows of two months by turns, each with a value."""
    rows = [f"2020,{1 + n % 2},3,P{n},{value},1," for n, value in enumerate(values)]
    return "\n".join([HEADER, *rows]) + "\n"


def target(**question: Any) -> dict[str, Any]:
    return {"name": "outcome", "column": "delay", **question}


def labels(folder: Path, split: str) -> list[Any]:
    return read_split(folder, split, ["outcome"])["outcome"].to_pylist()


def test_a_class_is_its_place_in_the_settings_list_and_the_manifest_keeps_their_order(
    make_settings: Make, tmp_path: Path
) -> None:
    settings = make_settings(table(WORDS), target=target(classes=CLASSES))
    manifest = ingest(settings, tmp_path / "examples")

    assert (manifest.task, manifest.classes) == ("multi_class", tuple(CLASSES))
    assert manifest.columns["outcome"] == "int64"
    assert labels(tmp_path / "examples", "train") == [1, 2, 1, 0]
    assert labels(tmp_path / "examples", "eval") == [0, 0, 2]


def test_whole_numbers_are_classes_by_their_digits(make_settings: Make, tmp_path: Path) -> None:
    values = [30, 10, 20, 30, 10, 20]
    settings = make_settings(table(values), target=target(classes=["10", "20", "30"]))
    ingest(settings, tmp_path / "examples")
    assert labels(tmp_path / "examples", "train") == [2, 1, 0]


def test_a_number_is_its_own_label_and_a_row_without_one_is_dropped_and_counted(
    make_settings: Make, tmp_path: Path
) -> None:
    settings = make_settings(table([1.5, 2, -3, "NA", 7, 4]), target=target(number=True))
    manifest = ingest(settings, tmp_path / "examples")

    assert (manifest.task, manifest.classes) == ("regression", ())
    assert manifest.columns["outcome"] == "float64"
    assert labels(tmp_path / "examples", "train") == [1.5, -3.0, 7.0]
    assert [(d.reason, d.rows) for d in manifest.dropped] == [("no delay", 1)]


def test_the_manifest_of_a_binary_target_says_nothing_of_tasks(
    make_settings: Make, tmp_path: Path
) -> None:
    ingest(make_settings(), tmp_path / "examples")
    written = json.loads((tmp_path / "examples" / "manifest.json").read_text())
    assert not {"task", "classes"} & written.keys()
    read = ExamplesManifest.read(tmp_path / "examples")
    assert (read.task, read.class_count) == ("binary", 2)


def test_a_value_that_is_no_class_is_refused_with_the_number_of_its_rows(
    make_settings: Make, tmp_path: Path
) -> None:
    values = [*WORDS, "secret", "unheard of", "late"]
    with pytest.raises(DataError) as caught:
        ingest(make_settings(table(values), target=target(classes=CLASSES)), tmp_path / "examples")
    assert caught.value.message == (
        "2 of 10 rows have a delay that is none of source.target.classes"
    )
    assert "name every value in source.target.classes" in caught.value.remedy
    assert (caught.value.expected, caught.value.actual) == (CLASSES, 2)
    assert "secret" not in str(caught.value.to_dict())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["late", "late", "early", "early", "late", "on time"], "split train has no row of class"),
        (["late", "late", "early", "late", "on time", "late"], "split eval has no row of class"),
        (["late", "late", "early", "early", "on time", "late"], None),
    ],
)
def test_every_class_needs_a_row_to_train_on_and_two_to_be_evaluated(
    make_settings: Make, tmp_path: Path, values: list[str], message: str | None
) -> None:
    settings = make_settings(table(values), target=target(classes=CLASSES))
    if message is None:
        assert ingest(settings, tmp_path / "examples").rows == 6
        return
    with pytest.raises(DataError, match=message):
        ingest(settings, tmp_path / "examples")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 5, 2, 5, 3], "one and the same number in all 2 rows of split eval"),
        ([1, 5, "inf", 6, 1e39, 4], "2 of 6 rows have a delay that is no finite number"),
    ],
)
def test_numbers_that_nothing_is_learned_from_are_refused(
    make_settings: Make, tmp_path: Path, values: list[Any], message: str
) -> None:
    table_types = {"location": str(tmp_path / "rows.csv"), "types": {"delay": "float64"}}
    settings = make_settings(table(values), table=table_types, target=target(number=True))
    with pytest.raises(DataError, match=message):
        ingest(settings, tmp_path / "examples")


@pytest.mark.parametrize(
    ("values", "question", "message"),
    [
        (WORDS, {"number": True}, "is string, not numbers"),
        ([1.5, 2.5, 3.5], {"classes": CLASSES}, "is double, not text"),
    ],
)
def test_a_column_of_another_kind_is_refused(
    make_settings: Make,
    tmp_path: Path,
    values: list[Any],
    question: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        ingest(make_settings(table(values), target=target(**question)), tmp_path / "examples")
