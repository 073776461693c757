"""The charts of curves: where points lie, on which scale, and what is told of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.curve_pictures import MARGIN, SIDE, charts
from pipelines.home import Home
from pipelines.report import render
from pipelines.runs import read_run

ROC = [[0.0, 0.0], [0.25, 0.5], [1.0, 1.0]]
CURVES = {"roc": ROC, "calibration": [[0.1, 0.2, 30], [0.5, 0.55, 1000]]}
TOP, BOTTOM = MARGIN, MARGIN + SIDE
numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


def _evaluation(curves: dict[str, Any], **more: Any) -> dict[str, Any]:
    models = {"pytorch": {"curves": curves}, "tensorflow": {"slices": {}}}
    return {"models": models, **more}


def _number(*bins: list[float]) -> dict[str, Any]:
    return _evaluation({"calibration": list(bins)}, task="regression")


def test_a_curve_runs_from_corner_to_corner_and_y_points_upwards() -> None:
    roc, calibration = charts(_evaluation(CURVES))
    assert (roc.kind.title, calibration.kind.title) == ("ROC", "Calibration")
    (curve,) = roc.curves
    places = [tuple(map(float, at)) for at in re.findall(r"([\d.]+),([\d.]+)", curve.path)]
    assert curve.model == "pytorch"
    assert places == [
        (MARGIN, BOTTOM),
        (round(MARGIN + SIDE / 4, 1), MARGIN + SIDE / 2),
        (MARGIN + SIDE, TOP),
    ]
    assert (roc.low, roc.high) == ("0", "1")
    assert (curve.dots, curve.told) == ((), "")


def test_a_calibration_has_a_dot_for_each_bin_and_tells_the_farthest() -> None:
    (curve,) = list(charts(_evaluation(CURVES)))[1].curves
    assert curve.dots[0] == (round(MARGIN + 0.1 * SIDE, 1), round(MARGIN + 0.8 * SIDE, 1))
    assert len(curve.dots) == 2
    assert curve.told == "farthest off where 0.1000 is predicted and 0.2000 is right (30 rows)"


def test_of_several_classes_the_share_is_of_rows_whose_class_is_right() -> None:
    (chart,) = charts(_evaluation({"calibration": CURVES["calibration"]}, task="multi_class"))
    assert (chart.kind.x_label, chart.kind.y_label) == (
        "mean probability of the most probable class",
        "share that is right",
    )
    assert (chart.low, chart.high) == ("0", "1")


def test_of_a_number_both_axes_reach_as_far_as_the_bins() -> None:
    (chart,) = charts(_number([-20.0, 0.0, 500], [30.0, 80.0, 1500]))
    assert chart.kind.title == "Predicted against actual"
    assert (chart.low, chart.high) == ("-20.0000", "80.0000")
    (curve,) = chart.curves
    assert curve.dots == ((MARGIN, round(BOTTOM - 0.2 * SIDE, 1)), (MARGIN + SIDE / 2, TOP))
    assert curve.told == "farthest off where 30.0000 is predicted and 80.0000 is right (1,500 rows)"


def test_one_bin_whose_number_came_true_lies_in_the_square() -> None:
    (chart,) = charts(_number([4.0, 4.0, 3]))
    assert chart.curves[0].dots == ((MARGIN, BOTTOM),)


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=15))
def test_every_bin_of_a_number_lies_in_the_square_and_what_came_true_on_the_diagonal(
    bins: list[tuple[float, float]],
) -> None:
    (chart,) = charts(_number(*([said, was, 10] for said, was in bins)))
    for (said, was), (x, y) in zip(bins, chart.curves[0].dots, strict=True):
        assert MARGIN <= x <= MARGIN + SIDE
        assert TOP <= y <= BOTTOM
        if said == was:
            assert abs((x - MARGIN) - (BOTTOM - y)) <= 0.2


def test_the_page_of_a_number_shows_the_picture_with_its_scale_and_words(
    record_run: Callable[..., Path],
) -> None:
    def change(documents: dict[Any, Any]) -> None:
        evaluation = documents["evaluate-models", "evaluation", "evaluation.json"]
        evaluation["task"] = "regression"
        evaluation["models"]["pytorch"]["curves"] = {"calibration": [[10.0, 12.5, 40]]}

    folder = record_run(change)
    page = render(read_run(folder), Home(folder.parents[1]))
    assert (
        "Predicted against actual: mean label by mean prediction, from 10.0000 to 12.5000" in page
    )
    assert page.count("farthest off where 10.0000 is predicted and 12.5000 is right (40 rows)") == 2
