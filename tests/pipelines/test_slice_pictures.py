"""The tables of metrics by slice: which there are, what stands in them, and their pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.artifacts import write_json
from pipelines.cli.ending import models_table
from pipelines.home import Home
from pipelines.report import render
from pipelines.runs import read_run
from pipelines.slice_pictures import BAR_WIDTH, Scale, SliceMetric, slice_tables
from pipelines.start import ARGUMENTS_FILE
from pipelines.summary import Estimate, read_summary

HALF = {"value": 0.5, "lower": 0.4, "upper": 0.6, "method": "delong"}
MORE = {"value": 0.7, "lower": 0.6, "upper": 0.8, "method": "delong"}
LESS = {"value": -0.1, "lower": -0.2, "upper": 0.2, "method": "delong_paired"}
MAIN = ["AUC", "Log loss", "Calibration error", "Accuracy"]
AT = {"threshold": 0.3, "precision": MORE, "recall": None}
OVER = {"auc_difference": LESS}


def _evaluation(*more: str, **overall: Any) -> dict[str, Any]:
    whole = {"n": 12345, "auc": HALF, "brier": MORE, "thresholds": [AT], **overall}
    jfk = {"n": 90, "auc": MORE, "over_champion": OVER}
    models = {
        name: {"slices": {"origin=JFK,carrier=UA": {}, "origin=JFK": jfk, "overall": whole}}
        for name in ("tensorflow", "pytorch", *more)
    }
    comparison = {"champion": dict.fromkeys(("pytorch", "tensorflow"), OVER)}
    return {"models": models, "comparison": comparison}


def test_the_tasks_main_metrics_and_what_else_has_a_gate_have_a_table_each_once() -> None:
    gates = [
        {"metric": "auc", "slice": "origin=JFK"},
        {"metric": "brier"},
        {"metric": "precision", "at": 0.3},
        {"metric": "brier", "slice": "origin=*"},
    ]
    tables = list(slice_tables(_evaluation(), {"gates": gates}))
    assert [table.title for table in tables] == [*MAIN, "Brier score", "Precision at 0.3"]
    *_, precision = tables
    assert precision.rows[0].values == ("0.7000 [0.6000, 0.8000]",) * 2
    assert precision.rows[1].values == ("-", "-")


def test_a_run_without_a_recorded_policy_has_the_main_metrics() -> None:
    assert [table.title for table in slice_tables(_evaluation(), {})] == MAIN


@pytest.mark.parametrize(
    ("gate", "title"),
    [
        ({"metric": "f1", "of_class": "near"}, "f1 of near"),
        ({"metric": "top_k_accuracy", "k": 2}, "top k accuracy at 2"),
        ({"metric": "recall", "at": 0.5}, "recall at 0.5"),
        ({"metric": "auc"}, "AUC"),
    ],
)
def test_a_gates_metric_is_found_where_the_evaluation_has_it(
    gate: dict[str, Any], title: str
) -> None:
    asked = SliceMetric.of_gate(gate)
    of_slice = {
        "auc": HALF,
        "classes": {"near": {"f1": HALF}},
        "top_k": [{"k": 1, "accuracy": MORE}, {"k": 2, "accuracy": HALF}],
        "thresholds": [{"threshold": 0.3, "recall": MORE}, {"threshold": 0.5, "recall": HALF}],
    }
    assert asked.title == title
    assert asked.of(of_slice) == Estimate(0.5, 0.4, 0.6)
    assert asked.of({}) is None


def test_the_whole_comes_first_and_crosses_last_and_the_champion_stands_beside() -> None:
    auc, *_ = slice_tables(_evaluation("champion"), {})
    assert auc.models == ("pytorch", "tensorflow", "champion")
    assert [row.key for row in auc.rows] == ["overall", "origin=JFK", "origin=JFK,carrier=UA"]
    assert [row.n for row in auc.rows] == ["12,345", "90", "-"]
    assert [bar.y for bar in auc.rows[0].bars] == [9, 21, 33]
    assert auc.height == 42


def test_all_pictures_of_a_table_have_one_scale_from_the_lowest_bound_to_the_highest() -> None:
    auc, *_ = slice_tables(_evaluation(), {})
    first, second = auc.rows[0].bars[0], auc.rows[1].bars[0]
    assert (first.left, first.value, first.right) == (0, BAR_WIDTH / 4, BAR_WIDTH / 2)
    assert (second.left, second.right) == (BAR_WIDTH / 2, BAR_WIDTH)
    assert first.text == "0.5000 [0.4000, 0.6000]"


def test_a_slice_without_the_metric_and_one_value_alone_have_a_place() -> None:
    auc, loss, *_ = slice_tables(_evaluation(log_loss={"value": 0.5}), {})
    assert (auc.rows[2].values, auc.rows[2].bars) == (("-", "-"), ())
    alone = loss.rows[0].bars[0]
    assert (alone.left, alone.value, alone.right) == (0, 0, 0)


def test_a_gate_on_the_champion_has_a_table_of_differences_with_a_line_at_zero() -> None:
    policy = {"champion_gates": [{"metric": None, "margin": 0.0}, {"metric": "auc"}]}
    *_, table = slice_tables(_evaluation("champion"), policy)
    assert table.title == "AUC minus the champion's, paired"
    assert table.models == ("pytorch", "tensorflow")
    assert table.zero == BAR_WIDTH / 2
    assert [row.values[0] for row in table.rows] == ["-0.1000 [-0.2000, 0.2000]"] * 2 + ["-"]
    assert [table.title for table in slice_tables(_evaluation(), policy)] == MAIN


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3).map(sorted), min_size=1, max_size=8
    )
)
def test_every_bar_lies_in_its_picture_and_holds_its_value(ends: list[list[float]]) -> None:
    estimates = [Estimate(value, lower, upper) for lower, value, upper in ends]
    scale = Scale.of(estimates, True)
    for bar in (next(iter(scale.bars({"pytorch": estimate}))) for estimate in estimates):
        assert 0 <= bar.left <= bar.value <= bar.right <= BAR_WIDTH
    assert 0 <= scale.place(0.0) <= BAR_WIDTH


def test_the_page_shows_the_gated_metrics_and_the_champion(
    record_run: Callable[..., Path],
) -> None:
    def change(documents: dict[Any, Any]) -> None:
        evaluation = documents["evaluate-models", "evaluation", "evaluation.json"]
        models = evaluation["models"]
        models["champion"] = models["tensorflow"]
        models["pytorch"]["slices"]["overall"]["brier"] = MORE
        evaluation["comparison"]["champion"] = dict.fromkeys(("pytorch", "tensorflow"), OVER)
        measured = documents["measure-models", "measurements", "measurements.json"]["models"]
        forms = {"onnx": measured["pytorch"]["forms"]["onnx"] | {"size_bytes": 99_900}}
        measured["champion"] = {"forms": forms}

    folder = record_run(change)
    policy = {"gates": [{"metric": "brier"}], "champion_gates": [{"metric": "auc"}]}
    write_json(
        folder / ARGUMENTS_FILE,
        {"policy": policy, "champion": {"version": "3", "bundle_sha256": "3" * 64}},
    )
    summary = read_summary(read_run(folder))
    assert [model["framework"] for model in summary.to_dict()["models"]] == [
        "pytorch",
        "tensorflow",
    ]
    assert summary.to_dict()["champion"]["version"] == "3"
    assert len(models_table(summary).columns) == 4
    page = render(read_run(folder), Home(folder.parents[1]))
    both = page.split("<h2>Both models and the champion</h2>")[1].split("<h2>")[0]
    assert "<td>champion, version 3</td>" in both
    assert "<td>99.9 kB</td>" in both
    slices = page.split("<h2>Slices</h2>")[1].split("<h2>")[0]
    assert slices.count("<details open>") == len(MAIN) + 2
    assert "<summary>Brier score</summary>" in slices
    assert 'class="champion"' in slices
