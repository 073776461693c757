"""The page, the table at the end and the model card of a number and of several classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.ending import models_table
from pipelines.evaluation_tables import classes, comparison, stock
from pipelines.home import Home
from pipelines.report import render
from pipelines.runs import read_run
from pipelines.slice_pictures import slice_tables
from pipelines.summary import Estimate, read_summary, table_cells, table_rows

NEAR = {"value": 0.5, "lower": 0.4, "upper": 0.6, "method": "wilson"}
LOSS = {"value": 12.5, "lower": 10.0, "upper": 15.0, "method": "normal"}
NUMBER = {
    "n": 500,
    "mean_squared_error": LOSS,
    "mean_absolute_error": NEAR,
    "root_mean_squared_error": NEAR,
    "r2": NEAR,
    "tfma": {"squared_pearson_correlation": 0.25, "undefined": None, "matrix": {"entries": []}},
}
OF_CLASS = {"n": 1200, "said": 90, "precision": NEAR, "recall": None, "f1": NEAR}
SEVERAL = {
    "n": 500,
    "log_loss": NEAR,
    "accuracy": NEAR,
    "auc_macro": None,
    "calibration_error": NEAR,
    "confusion": [[1, 0], [0, 1]],
    "classes": {"<near>": OF_CLASS, "far": OF_CLASS},
    "top_k": [],
}


def _evaluation(task: str, overall: dict[str, Any], **more: Any) -> dict[str, Any]:
    robust = {"rows": 9, "columns": {"x": {"permuted": NEAR, "missing": LOSS, "unseen": None}}}
    model = {"bundle_sha256": "3" * 64, "slices": {"overall": overall}, "curves": {}}
    models = {name: {**model, "robustness": robust} for name in ("pytorch", "tensorflow")}
    return {"task": task, "models": models, **more}


OF_NUMBER = _evaluation(
    "regression", NUMBER, comparison={"mean_squared_error_difference": {**NEAR, "value": 0.41}}
)
OF_SEVERAL = _evaluation(
    "multi_class", SEVERAL, classes=["<near>", "far"], comparison={"log_loss_difference": None}
)


@pytest.fixture
def recorded(record_run: Callable[..., Path]) -> Callable[[dict[str, Any]], Any]:
    """Record a run of another evaluation."""

    def record(evaluation: dict[str, Any]) -> Any:
        def change(documents: dict[Any, Any]) -> None:
            documents["evaluate-models", "evaluation", "evaluation.json"] = evaluation

        folder = record_run(change)
        return read_run(folder), Home(folder.parents[1])

    return record


def test_the_table_at_the_end_shows_the_tasks_metrics(recorded: Any) -> None:
    run, _ = recorded(OF_NUMBER)
    summary = read_summary(run)
    rows = dict(zip(table_rows(summary), table_cells(summary.models[0]), strict=True))
    assert list(rows)[:4] == [
        "role",
        "mean squared error (interval)",
        "mean absolute error",
        "root mean squared error",
    ]
    assert rows["mean squared error (interval)"] == "12.5000 [10.0000, 15.0000]"
    assert models_table(summary).row_count == len(rows)
    found = summary.to_dict()["models"][0]
    assert found["mean_squared_error"] == {"value": 12.5, "lower": 10.0, "upper": 15.0}
    assert "auc" not in found


def test_of_a_class_of_two_the_table_and_the_json_are_what_they_were(
    record_run: Callable[..., Path],
) -> None:
    summary = read_summary(read_run(record_run()))
    assert table_rows(summary)[:4] == ("role", "AUC (interval)", "log loss", "calibration error")
    found = summary.to_dict()["models"][0]
    assert found["auc"]["value"] == 0.7
    assert {"log_loss", "calibration_error", "framework", "one_row_ms"} <= set(found)


def test_the_page_of_a_number_tells_its_squared_error_and_what_tfma_computed(recorded: Any) -> None:
    page = render(*recorded(OF_NUMBER))
    said = " ".join(page.split())
    assert "Mean squared error of PyTorch minus TensorFlow, paired: 0.4100 [0.4000, 0.6000]" in said
    assert "<summary>Mean squared error</summary>" in said
    assert "What is added to the mean squared error where an input is shuffled" in said
    assert "<h2>By TFMA</h2>" in said
    assert "<td>pytorch</td><td>0.25</td>" in said
    assert "<h2>Classes</h2>" not in said
    assert "AUC" not in said.split("<h2>Slices</h2>")[1].split("<h2>By TFMA</h2>")[0]


def test_the_page_of_several_classes_has_a_row_for_each_class_and_model(recorded: Any) -> None:
    page = render(*recorded(OF_SEVERAL))
    assert "<h2>Classes</h2>" in page
    assert page.count("&lt;near&gt;") == 2
    assert "minus TensorFlow" not in page
    row, *_ = classes(OF_SEVERAL)
    assert row == ("<near>", "pytorch", "1,200", "90", str_of(NEAR), "-", str_of(NEAR))


def str_of(estimate: dict[str, Any]) -> str:
    return "{value:.4f} [{lower:.4f}, {upper:.4f}]".format(**estimate)


def test_the_slices_are_told_by_the_tasks_metrics_its_first_one_first() -> None:
    first, *others = slice_tables(OF_NUMBER, {})
    assert first.rows[0].values == ("12.5000 [10.0000, 15.0000]",) * 2
    assert len(first.rows[0].bars) == 2
    assert [table.title for table in others] == [
        "Mean absolute error",
        "Root mean squared error",
        "R2",
    ]
    assert comparison({"models": {}}) == ""


def test_a_large_number_is_told_with_the_digits_that_count() -> None:
    assert str(Estimate(538870.8978, 513281.5242, 564460.27)) == "538,870.9 [513,281.5, 564,460.3]"
    assert str(Estimate(-1234.56)) == "-1,234.6"
    assert str(Estimate(999.5)) == "999.5000"


def test_small_numbers_are_told_with_digits_that_show() -> None:
    assert str(Estimate(2.5e-6, 1.5e-6, 3.5e-6)) == "0.00000250 [0.00000150, 0.00000350]"
    assert str(Estimate(-0.00071, -0.00081, 0.0)) == "-0.000710 [-0.000810, 0.000000]"
    assert str(Estimate(0.0, 0.0, 0.0)) == "0.0000 [0.0000, 0.0000]"
    assert str(Estimate(0.00071, 0.0, 0.0021)) == "0.0007 [0.0000, 0.0021]"


def test_the_bounds_of_a_narrow_interval_are_told_apart() -> None:
    assert str(Estimate(0.00101, 0.00098, 0.00104)) == "0.00101 [0.00098, 0.00104]"
    assert str(Estimate(0.7, 0.6999999, 0.7000001)) == "0.7000000 [0.6999999, 0.7000001]"
    assert str(Estimate(2000.0, 1999.99, 2000.01)) == "2,000.00 [1,999.99, 2,000.01]"
    assert str(Estimate(0.5, 0.5, 0.5)) == "0.5000 [0.5000, 0.5000]"


def test_what_tfma_does_not_define_is_a_dash_and_a_matrix_is_left_out() -> None:
    assert [row for row in stock(OF_NUMBER) if row[1] == "pytorch"] == [
        ("squared_pearson_correlation", "pytorch", "0.25"),
        ("undefined", "pytorch", "-"),
    ]
