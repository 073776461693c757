"""What `make bench-tfx` says of two sides' numbers: a wrong one is seen, and where it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx_compared import compare, compare_columns
from tfx_costs import SCENARIOS, WORK, Run, Side, Stage
from tfx_findings import joined, of_names, with_gaps_missing, within
from tfx_findings_report import anomaly_rows
from tfx_numbers import anomaly_names, statistics_numbers
from tfx_report import end_to_end, reached, work
from tfx_rows import order

STATISTICS = """
datasets {
  num_examples: 10
  features {
    type: FLOAT
    num_stats {
      common_stats { num_non_missing: 9 num_missing: 1 tot_num_values: 9 }
      mean: 3.5 std_dev: 0.5 num_zeros: 2 min: 0.0 median: 3.0 max: 7.25
      histograms { buckets { low_value: 0.0 high_value: 7.25 sample_count: 9.0 } type: QUANTILES }
    }
    path { step: "distance" }
  }
  features {
    type: STRING
    string_stats {
      common_stats { num_non_missing: 10 tot_num_values: 10 }
      unique: 2
      top_values { value: "UA" frequency: 6.0 }
      top_values { value: "AA" frequency: 4.0 }
      avg_length: 2.0
      rank_histogram { buckets { low_rank: 0 high_rank: 0 label: "UA" sample_count: 6.0 } }
    }
    path { step: "carrier" }
  }
}
"""
# What is changed in the text, and the field that must then differ.
WRONG = {
    "num_examples: 10": ("num_examples: 11", "rows"),
    "type: FLOAT": ("type: INT", "type"),
    "num_non_missing: 9 ": ("num_non_missing: 8 ", "num_non_missing"),
    "num_missing: 1": ("num_missing: 2", "num_missing"),
    "mean: 3.5": ("mean: 3.5001", "mean"),
    "std_dev: 0.5": ("std_dev: 0.51", "std_dev"),
    "num_zeros: 2": ("num_zeros: 3", "num_zeros"),
    "min: 0.0": ("min: -1.0", "min"),
    "max: 7.25": ("max: nan", "max"),
    "median: 3.0": ("median: 3.1", "median (estimate)"),
    "sample_count: 9.0": ("sample_count: 8.5", "quantiles histogram (estimate)"),
    "unique: 2": ("unique: 3", "unique"),
    "avg_length: 2.0": ("avg_length: 2.5", "avg_length"),
    "frequency: 6.0": ("frequency: 7.0", "top values"),
    'value: "AA"': ('value: "DL"', "top values"),
    'label: "UA"': ('label: "AA"', "rank histogram"),
}


def numbers(text: str) -> dict[str, dict[str, float | int | str]]:
    return statistics_numbers(
        text_format.Parse(text, statistics_pb2.DatasetFeatureStatisticsList())
    )


def test_equal_statistics_differ_in_no_field() -> None:
    ours = numbers(STATISTICS)
    assert all(one.same for one in of_names(ours, numbers(STATISTICS), list(ours)))


@pytest.mark.parametrize("right", WRONG)
def test_a_wrong_statistic_is_seen_in_its_field_and_in_no_other(right: str) -> None:
    wrong, field = WRONG[right]
    assert STATISTICS.count(right) == 1
    ours, stock = numbers(STATISTICS), numbers(STATISTICS.replace(right, wrong))
    found = of_names(ours, stock, sorted({*ours, *stock}))
    assert [one.what for one in found if not one.same] == [field]


def test_a_field_that_one_side_alone_has_differs() -> None:
    (found,) = of_names({}, {"mean": {"distance": 3.5}}, ["mean"])
    assert (found.differing, found.largest) == (("distance",), math.inf)


def test_a_wrong_metric_of_one_slice_is_named_with_its_slice_and_its_size() -> None:
    ours = {"all rows": 0.697, "origin=EWR": 0.70}
    found = compare("auc", ours, ours | {"origin=EWR": 0.71}, 1e-6)
    assert (found.values, found.differing, found.where) == (2, ("origin=EWR",), "origin=EWR")
    assert found.largest == pytest.approx(0.01)


@pytest.mark.parametrize("other", [{}, {"all rows": math.nan}])
def test_a_metric_that_is_missing_or_undefined_on_one_side_differs(
    other: dict[str, float],
) -> None:
    found = compare("auc", {"all rows": 0.697}, other, 1.0)
    assert (found.differing, found.largest) == (("all rows",), math.inf)


def test_what_is_undefined_on_both_sides_is_the_same() -> None:
    assert compare("auc", {"all rows": math.nan}, {"all rows": math.nan}).same


def test_large_numbers_are_compared_by_their_size_and_small_ones_as_they_are() -> None:
    assert compare("", {"": 1e9}, {"": 1e9 + 1}).largest == pytest.approx(1e-9, rel=1e-3)
    assert compare("", {"": 1e-9}, {"": 2e-9}).largest == pytest.approx(1e-9)


def test_one_wrong_value_among_the_rows_of_a_feature_is_seen() -> None:
    ours = {"hour": np.arange(5, dtype=np.float32), "carrier": np.arange(5)}
    wrong = ours["hour"].copy()
    wrong[3] += 0.5
    found = {one.what: one for one in compare_columns(ours, ours | {"hour": wrong}, 1e-6)}
    assert found["carrier"].same
    assert (found["hour"].differing, found["hour"].where) == (("row 3",), "row 3")
    assert found["hour"].largest == pytest.approx(0.5 / 3.5)


def test_a_value_that_is_no_number_on_one_side_alone_is_seen() -> None:
    ours, wrong = np.array([1.0, 2.0]), np.array([1.0, math.nan])
    (found,) = compare_columns({"hour": ours}, {"hour": wrong}, 1.0)
    assert (found.differing, found.largest) == (("row 1",), math.inf)


@pytest.mark.parametrize("other", [{}, {"hour": np.zeros(4)}])
def test_a_feature_that_is_missing_or_has_other_rows_differs(other: dict[str, np.ndarray]) -> None:
    (found,) = compare_columns({"hour": np.zeros(5)}, other)
    assert not found.same
    assert found.largest == math.inf


def test_what_differs_in_one_split_differs_in_both_together() -> None:
    right, wrong = np.zeros(3), np.array([0.0, 0.25, 0.0])
    splits = [compare_columns({"hour": right}, {"hour": found}) for found in (wrong, right)]
    (found,) = joined(splits)
    assert (found.values, found.differing, found.largest) == (6, ("row 1",), 0.25)


def test_rows_in_another_order_are_paired_by_their_key() -> None:
    ours = np.array(["c", "a", "b"])
    assert ours[order(ours, np.array(["a", "b", "c"]))].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("ours", "stock"), [("abc", "abd"), ("abc", "abz"), ("aab", "aab"), ("abc", "ab")]
)
def test_rows_that_are_not_the_same_ones_are_refused(ours: str, stock: str) -> None:
    with pytest.raises(ValueError, match="not the same flights"):
        order(np.array(list(ours)), np.array(list(stock)))


def test_an_anomaly_that_one_side_alone_has_makes_the_line_say_no() -> None:
    reason = "reason { type: ENUM_TYPE_UNEXPECTED_STRING_VALUES }"
    text = f'anomaly_info {{ key: "carrier" value {{ {reason} }} }}'
    one = anomaly_names(text_format.Parse(text, anomalies_pb2.Anomalies()))
    assert one == {"carrier": "ENUM_TYPE_UNEXPECTED_STRING_VALUES"}
    assert anomaly_rows({("inferred", "eval"): (one, one)})[0].endswith("| yes |")
    assert anomaly_rows({("inferred", "eval"): (one, {})})[0].endswith("| no |")


def test_lists_of_no_values_are_counted_as_missing_and_nothing_else_is_changed() -> None:
    listed = STATISTICS.replace(
        "num_non_missing: 9 num_missing: 1 tot_num_values: 9",
        "num_non_missing: 10 min_num_values: 0 tot_num_values: 9",
    )
    parsed = text_format.Parse(listed, statistics_pb2.DatasetFeatureStatisticsList())
    assert numbers(listed) != numbers(STATISTICS)
    assert statistics_numbers(with_gaps_missing(parsed)) == numbers(STATISTICS)


def test_a_value_outside_its_interval_is_not_counted_as_inside() -> None:
    intervals = {"all rows": (0.6, 0.7), "origin=EWR": (0.5, 0.6), "origin=JFK": (0.1, 0.2)}
    assert within(intervals, {"all rows": 0.65, "origin=EWR": 0.61}) == (1, 2)


OURS = {name: Stage(2.0, 1.0, 10) for _, _, ours in WORK for name in ours}
STOCK = {name: Stage(8.0, 8.0, 10) for _, stock, _ in WORK for name in stock}


def test_stages_beside_each_other_count_once_and_what_is_in_no_stage_is_the_rest() -> None:
    trainers = {"train-pytorch": Stage(5.0, 1.0, 1), "train-tensorflow": Stage(7.0, 1.0, 1)}
    ours = Run(wall=30.0, cpu=1.0, stages=OURS | trainers)
    assert ours.wall_of(("train-pytorch", "train-tensorflow")) == 7.0
    assert ours.rest == 30.0 - 7.0 - 8 * 2.0
    assert Run(wall=100.0, cpu=1.0, stages=STOCK).rest == 100.0 - 9 * 8.0


def side(walls: tuple[float, ...], stages: dict[str, Stage]) -> Side:
    return Side({name: [Run(wall, 1.0, stages) for wall in walls] for name in SCENARIOS}, {})


@pytest.mark.parametrize(
    ("walls", "verdict"), [((30.0, 36.0), "reached"), ((40.0, 50.0), "missed")]
)
def test_the_page_says_whether_the_goal_was_reached(walls: tuple[float, ...], verdict: str) -> None:
    said = reached(side((300.0, 360.0), STOCK), side(walls, OURS))
    times = 330.0 / sum(walls) * 2
    assert f"end to end and cold: {verdict}, with {times:.1f} times" in said
    assert f"({300.0 / max(walls):.1f} from stock's fastest run and Tandem's slowest" in said


def test_the_page_says_by_how_much_stock_takes_longer() -> None:
    stock, ours = side((300.0, 360.0), STOCK), side((30.0, 36.0), OURS)
    assert (
        "| cold | 330.0 (300.0, 360.0) | 1.0 (1.0, 1.0) | 33.0 (30.0, 36.0) |"
        in (end_to_end(stock, ours)[4])
    )
    assert end_to_end(stock, ours)[4].endswith("| 10.0 |")
    lines = work(stock, ours)
    assert "| examples | 8.0 | 2.0 | 4.0 |" in lines
    assert "| speed and size of the models | none | 2.0 | |" in lines
