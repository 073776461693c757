"""The tables of what the evaluation and the decision say, and the page that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.evaluation_tables import (
    criteria,
    fairness,
    robustness,
)
from pipelines.home import Home
from pipelines.report import render
from pipelines.runs import read_run

HALF = {"value": 0.5, "lower": 0.4, "upper": 0.6, "method": "delong"}
MORE = {"value": 0.7, "lower": 0.6, "upper": 0.8, "method": "delong"}
APART = {**HALF, "highest": "yes", "lowest": "<b>no</b>"}
CURVES = {"roc": [[0.0, 0.0], [0.25, 0.5], [1.0, 1.0]], "calibration": [[0.1, 0.2, 30]]}
MEASURED = {
    "curves": CURVES,
    "fairness": {
        "black": {
            "differences": {"selection_rate": APART, "calibration": None},
            "ratios": {"selection_rate": None, "calibration": None},
        }
    },
    "robustness": {
        "rows": 5000,
        "columns": {
            "hour": {"permuted": HALF, "missing": MORE, "unseen": None, "shifted": HALF},
            "origin": {"permuted": MORE, "missing": HALF, "unseen": HALF},
        },
    },
}
EVALUATION = {"models": {"pytorch": MEASURED, "tensorflow": {"slices": {}}}}


def test_what_costs_most_when_shuffled_comes_first() -> None:
    rows = robustness(EVALUATION)
    assert [row[0] for row in rows] == ["origin", "hour"]
    half, more = "0.5000 [0.4000, 0.6000]", "0.7000 [0.6000, 0.8000]"
    assert rows[1][2:] == (half, more, "-", half)


def test_groups_are_told_with_their_difference_and_ratio() -> None:
    (row,) = fairness(EVALUATION)
    assert row[:3] == ("black", "selection rate", "pytorch")
    assert row[4:] == ("yes over <b>no</b>", "-")


def test_a_criterion_is_told_with_its_weight_scores_and_source() -> None:
    source = {"artifact": "measurements", "file": "measurements.json", "path": "models/{model}/x"}
    weighed = {"name": "size_bytes", "pytorch": 86338, "tensorflow": 2, "better": "tensorflow"}
    weighed |= {"weight": 0.25, "scores": {"pytorch": 0.5, "tensorflow": 1.0}, "source": source}
    plain = {"name": "auc", "pytorch": 0.7, "tensorflow": 0.7, "better": None}
    assert list(
        criteria({"criteria": [weighed, plain], "gates": {"pytorch": [], "tensorflow": []}})
    ) == [
        (
            "size bytes",
            "0.25",
            "86,338 (scores 0.5)",
            "2 (scores 1)",
            "tensorflow",
            "measurements: models/{model}/x",
        ),
        ("auc", "-", "0.7", "0.7", "a tie", ""),
    ]


def test_a_criterion_of_millions_is_told_in_full() -> None:
    fast = {"name": "rows_per_second", "pytorch": 1626237.4, "better": None}
    (row,) = criteria({"criteria": [fast], "gates": {"pytorch": []}})
    assert row[2] == "1,626,237"


def test_one_model_alone_is_tied_with_none() -> None:
    alone = {"name": "auc", "imported": 0.7, "better": None}
    (row,) = criteria({"criteria": [alone], "gates": {"imported": []}})
    assert row == ("auc", "-", "0.7", "-", "")


def test_the_page_shows_what_was_measured_and_leaves_out_what_was_not(
    record_run: Callable[..., Path],
) -> None:
    def change(documents: dict[Any, Any]) -> None:
        evaluation = documents["evaluate-models", "evaluation", "evaluation.json"]
        evaluation["models"]["pytorch"] |= MEASURED

    def page(folder: Path) -> str:
        return render(read_run(folder), Home(folder.parents[1]))

    plain = page(record_run())
    assert "<h2>Curves</h2>" not in plain
    assert "<h2>Groups</h2>" not in plain
    assert "<h2>Inputs</h2>" not in plain
    shown = page(record_run(change))
    for part in ("<h2>Curves</h2>", "<h2>Inputs</h2>", "yes over &lt;b&gt;no&lt;/b&gt;"):
        assert part in shown
    assert shown.count('<path class="curve pytorch"') > plain.count('<path class="curve pytorch"')
