"""One test for each rule of the settings, and properties of overrides."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.core.data_settings.source import Target
from components.core.errors import SettingsError
from components.decide_release.step import DecideSettings
from pipelines.loaded_settings import load_settings, parse_settings
from pipelines.settings import SCHEMA_FILES, json_schema
from pipelines.settings_errors import PATTERNS
from pipelines.settings_file import (
    apply_overrides,
    example_names,
    find_settings,
    read_yaml,
    window_overrides,
)

Write = Callable[[dict[str, Any]], Path]

OWN = Path(__file__).parents[2] / "pipelines" / "examples"
EXAMPLES = ", ".join(sorted(path.parent.name for path in OWN.glob("*/settings.yaml")))
SETTINGS_SCHEMA = next(iter(SCHEMA_FILES))


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(values, "settings.yaml")
    return caught.value.message


def test_good_settings_are_accepted_and_frozen(values: dict[str, Any]) -> None:
    settings = parse_settings(values, "settings.yaml")
    assert settings.train.epochs == 4
    with pytest.raises(ValueError, match="frozen"):
        settings.name = "other"  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_the_nearest_name(values: dict[str, Any]) -> None:
    values["train"] = {"epoch": 3}
    assert refusal(values) == "train.epoch: unknown; did you mean train.epochs?"


def test_an_unknown_key_at_the_top_is_refused_with_the_nearest_name(
    values: dict[str, Any],
) -> None:
    values["polcy"] = values.pop("policy")
    message = refusal(values)
    assert "polcy: unknown; did you mean policy?" in message
    assert "policy: missing" in message


def test_a_key_in_the_wrong_section_is_refused_with_its_place(values: dict[str, Any]) -> None:
    values["epochs"] = 3
    assert refusal(values) == "epochs: unknown; did you mean train.epochs?"


def test_an_unknown_key_inside_a_join_is_refused_with_the_nearest_name(
    values: dict[str, Any],
) -> None:
    join = {"location": "w.csv", "on": ["origin"], "columns": ["wind"], "shift_hour": {"hour": 1}}
    values["source"]["joins"] = {"weather": join}
    assert "did you mean source.joins.weather.shift_hours?" in refusal(values)


@pytest.mark.parametrize("wrong", [-1, True, 101, 1.5])
def test_the_approvals_that_a_promotion_needs_are_counts(
    values: dict[str, Any], wrong: Any
) -> None:
    assert parse_settings(values, "shop").registry.approvals.model_dump() == {
        "review": 0,
        "approval": 1,
    }
    values["registry"]["approvals"] = {"review": 0, "approval": 0}
    assert parse_settings(values, "shop").registry.approvals.approval == 0
    values["registry"]["approvals"] = {"approval": wrong}
    assert "registry.approvals.approval" in refusal(values)


def test_an_unknown_key_like_no_other_is_refused_with_what_the_section_has(
    values: dict[str, Any],
) -> None:
    values["registry"]["zzz"] = 1
    assert (
        refusal(values) == "registry.zzz: unknown; registry has approvals, experiment, model_name"
    )


def test_a_value_out_of_range_is_refused_by_its_key(values: dict[str, Any]) -> None:
    values["train"] = {"epochs": 0}
    assert refusal(values) == "train.epochs: expected 1 or more (it is 0)"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("source.leakage", "arrived", "expected a list, such as [arrived] (it is 'arrived')"),
        ("source.leakage", {"a": 1}, "expected a list, such as [ONE, ANOTHER] (it is {'a': 1})"),
        ("source.leakage", ["arr delay"], "expected a name of letters, digits, _, . and -, a "),
        ("window.first", "2013-13", "expected a month like 2013-01, a day like 2013-01-31, or all"),
        ("window.first", 2013, "expected a text; one that looks like a number is written in quote"),
        ("model.pytorch", "mine", "expected MODULE:FUNCTION, such as my_models:build_model"),
        ("source.table.sha256", "x", "expected a SHA-256 digest, 64 digits of 0 to 9 and a to f"),
        ("train.epochs", "many", "expected a whole number, such as 4 (it is 'many')"),
        ("train.epochs", 1.5, "expected a whole number, such as 4 (it is 1.5)"),
        ("train.epochs", [3], "expected a whole number, such as 4 (it is [3])"),
        ("train.learning_rate", 0, "expected more than 0 (it is 0)"),
        ("train.learning_rate", "x", "expected a number, such as 0.5 (it is 'x')"),
        ("train.learning_rate", [1], "expected a number, such as 0.5 (it is [1])"),
        ("train.learning_rate", float("inf"), "expected a finite number (it is inf)"),
        ("checks.new_values", 2, "expected 1 or less (it is 2)"),
        ("evaluate.confidence", 1, "expected less than 1 (it is 1)"),
        ("policy.gates", [], "expected a list of 1 or more (it is [])"),
        (
            "policy.prefer",
            "AOC",
            "expected auc, log_loss, accuracy, auc_macro, mean_squared_error, mean_absolute_error "
            "or latency; did you mean auc?",
        ),
        ("source.table.delimiter", "€", "expected one ASCII character, such as ;"),
        ("source.table.delimiter", ";;", "expected one ASCII character, such as ;"),
        ("source.table.location", "", "expected a text of length 1 or more (it is '')"),
        ("train", 3, "expected a section with keys such as epochs, batch_size, learning_rate"),
        ("checks.drift", ["origin"], "expected names with values, such as {NAME: VALUE}"),
        ("source.spans.from_location", "perhaps", "expected true or false (it is 'perhaps')"),
        ("source.spans.from_location", [], "expected true or false (it is [])"),
    ],
)
def test_what_was_expected_is_said_in_our_own_words_with_an_example(
    values: dict[str, Any], key: str, value: Any, said: str
) -> None:
    _set(values, key, value)
    assert f": {said}" in refusal(values)


def test_a_gate_on_a_form_names_one_that_is_exported(values: dict[str, Any]) -> None:
    gate = {"form": "litert", "metric": "p95_ms", "operator": "<=", "threshold": 5}
    values["policy"]["form_gates"] = [gate]
    assert parse_settings(values, "settings.yaml").policy.form_gates[0].form == "litert"
    values["train"] = {"forms": ["torch_export", "saved_model"]}
    assert refusal(values) == "policy.form_gates.0: train.forms leaves litert out"
    gate |= {"form": "onyx", "metric": "size_byte"}
    assert "policy.form_gates.0.form: expected onnx, " in refusal(values)
    assert "did you mean onnx? (it is 'onyx')" in refusal(values)
    assert "did you mean size_bytes? (it is 'size_byte')" in refusal(values)


def test_a_gate_on_a_high_percentile_asks_for_the_calls_that_its_interval_needs(
    values: dict[str, Any],
) -> None:
    gate = {"metric": "p99_ms", "operator": "<=", "threshold": 5}
    values["policy"]["form_gates"] = [gate]
    said = "policy.form_gates.0: p99_ms needs evaluate.latency_runs of {} or more, for its interval"
    assert refusal(values) == said.format(368)
    values["evaluate"] = values.get("evaluate", {}) | {"latency_runs": 400}
    assert parse_settings(values, "settings.yaml").policy.form_gates[0].metric == "p99_ms"
    values["evaluate"]["confidence"] = 0.99
    assert refusal(values) == said.format(528)


@pytest.mark.parametrize(
    ("key", "space", "said"),
    [
        ("model.dropout", {"low": 0.0, "high": 1.5}, "high: expected less than 1 (it is 1.5)"),
        ("model.dropout", {"low": -0.1, "high": 0.5}, "low: expected 0 or more (it is -0.1)"),
        ("train.batch_size", {"low": 0, "high": 64}, "low: expected 1 or more (it is 0)"),
        ("train.batch_size", {"low": 16.0, "high": 64.0}, "between low and high: expected a whole"),
        ("train.schedule", {"low": 1, "high": 2}, "low: expected constant, cosine or linear"),
        ("train.schedule", {"one_of": ["linear", "cosin"]}, "one_of.1: expected constant, cosine"),
        ("train.schedule", {"one_of": ["linear", "cosin"]}, "did you mean cosine?"),
        ("model.hidden_units", {"one_of": [[8], [0]]}, "one_of.1: hidden_units.0: expected 1 or"),
        ("model.token_dim", {"one_of": [16, 32]}, "wide_and_deep does not use token_dim"),
        ("model.cross_rank", {"low": 1, "high": 4}, "wide_and_deep does not use cross_rank"),
    ],
)
def test_what_a_search_may_draw_is_what_its_setting_may_be(
    values: dict[str, Any], key: str, space: dict[str, Any], said: str
) -> None:
    values["model"] = {"family": "wide_and_deep"}
    values["train"] = {"validation_share": 0.1, "search": {"parameters": {key: space}}}
    message = refusal(values)
    assert message.startswith(f"train.search.parameters.{key}: ")
    assert said in message


def test_a_search_that_its_settings_may_be_is_accepted(values: dict[str, Any]) -> None:
    parameters = {
        "train.learning_rate": {"low": 1, "high": 1.5},
        "train.batch_size": {"low": 16, "high": 64},
        "train.clip_norm": {"one_of": [1.0, None]},
        "model.hidden_units": {"one_of": [[64], [128, 64], []]},
        "model.dropout": {"low": 0.0, "high": 0.4},
    }
    values["train"] = {"validation_share": 0.1, "search": {"parameters": parameters}}
    for model in (values["model"], {"family": "wide_and_deep"}):
        assert parse_settings({**values, "model": model}, "settings.yaml").train.search


def test_settings_that_must_go_together_are_told_apart_where_one_of_them_is_searched(
    values: dict[str, Any],
) -> None:
    values["model"] = {"family": "ft_transformer", "attention_heads": 4}
    parameters = {"model.token_dim": {"one_of": [32, 33]}}
    values["train"] = {"validation_share": 0.1, "search": {"parameters": parameters}}
    assert "model.token_dim: one_of.1: token_dim is not a multiple" in refusal(values)
    parameters["model.attention_heads"] = {"one_of": [1, 4]}
    assert parse_settings(values, "settings.yaml").train.search


def test_a_list_with_a_wrong_element_is_not_called_too_short(values: dict[str, Any]) -> None:
    values["policy"]["gates"][0]["metric"] = "acu"
    assert refusal(values) == (
        "policy.gates.0.metric: expected auc, pr_auc, log_loss, brier, accuracy, calibration, "
        "calibration_error, precision, recall, top_k_accuracy, auc_macro, auc_weighted, f1, "
        "mean_squared_error, root_mean_squared_error, mean_absolute_error, "
        "mean_absolute_percentage_error, mean_error or r2; did you mean auc? (it is 'acu')"
    )


def test_every_pattern_of_the_settings_has_words_of_ours() -> None:
    schemas = "".join(path.read_text() for path in SCHEMA_FILES)
    values = re.findall(r'"pattern": ("[^\n]*")', schemas)
    keys = re.findall(r'("\^[^\n]*"): \{', schemas)
    assert {*values, *keys} == {json.dumps(pattern) for pattern in PATTERNS}


@pytest.mark.parametrize("column", ["arrived", "delay", "late"])
@pytest.mark.parametrize(
    "place",
    [
        "transform.features",
        "transform.sample_weight",
        "checks.drift",
        "checks.skew",
        "evaluate.slices",
    ],
)
def test_a_column_known_only_afterwards_is_refused_by_name(
    values: dict[str, Any], place: str, column: str
) -> None:
    if place == "transform.features":
        values["transform"]["features"][column] = {"kind": "zscore"}
    elif place == "transform.sample_weight":
        values["transform"]["sample_weight"] = column
    elif place.startswith("checks."):
        values["checks"] = {place.removeprefix("checks."): {"distance": 0.1, column: 0.1}}
    else:
        values["evaluate"]["slices"].append(["origin", column])
    assert refusal(values) == f"{place} uses what is known only after the prediction: {column}"


@pytest.mark.parametrize(
    ("key", "value", "label"),
    [
        ("leakage", ["arrived", "delay"], "delay"),
        ("leakage", ["arrived", "delay"], "arrived"),
        ("leave_out", ["row"], "row"),
        ("dates", ["ordered"], "ordered"),
        ("dates", ["ordered"], "ordered_day"),
        ("weekday", "day_of_week", "day_of_week"),
        ("subject", "customer", "customer"),
        ("spans", {"columns": ["year", "month"]}, "month"),
        ("spans", {"column": "ordered"}, "ordered"),
        ("splits", {"by": "hash", "column": "order"}, "order"),
        ("drop_where_null", [{"column": "price", "reason": "no price"}], "price"),
        ("joins", {"w": {"location": "w.csv", "on": ["place"], "columns": ["rain"]}}, "place"),
        (
            "joins",
            {"w": {"location": "w.csv", "on": ["a"], "columns": ["rain"], "prefix": "w_"}},
            "w_rain",
        ),
    ],
)
def test_a_label_named_as_a_column_is_refused_before_anything_is_read(
    values: dict[str, Any], key: str, value: Any, label: str
) -> None:
    values["source"] |= {key: value}
    values["source"]["target"]["name"] = label
    assert f"target.name: {label} is a column of the source" in refusal(values)
    values["source"]["target"]["name"] = "worth_it"
    assert parse_settings(values, "settings.yaml").source.target.name == "worth_it"


def test_a_date_that_is_known_only_afterwards_is_not_kept(values: dict[str, Any]) -> None:
    values["source"]["dates"] = ["arrived"]
    assert refusal(values) == ("source.dates uses what is known only after the prediction: arrived")


def test_a_feature_of_a_date_that_is_not_kept_is_refused_with_the_nearest(
    values: dict[str, Any],
) -> None:
    values["source"]["dates"] = ["sold"]
    features = values["transform"]["features"]
    features["when"] = {"kind": "date", "column": "sodl", "parts": ["month"]}
    assert refusal(values) == (
        "transform.features.when: source.dates does not keep sodl; did you mean sold?"
    )


def test_drift_in_a_window_of_one_span_is_refused_with_a_way_out(values: dict[str, Any]) -> None:
    values["source"]["splits"] = {"by": "hash", "column": "order"}
    values["window"] = {"first": "2013-01", "last": "2013-01"}
    values["checks"] = {"skew": {"origin": 0.1}}
    assert parse_settings(values, "settings.yaml").checks.skew == {"origin": 0.1}
    values["checks"] = {"drift": {"origin": 0.1}}
    assert "checks.skew compares the splits" in refusal(values)


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("checks.drift", {"orgin": 0.1}, "checks.drift: orgin .*; did you mean origin?"),
        ("checks.skew", {"Distanse": 0.1}, "checks.skew: Distanse .*; did you mean distance?"),
        ("evaluate.slices", [["origin", "yeer"]], "evaluate.slices: yeer .* mean year?"),
        (
            "transform.features.far",
            {"kind": "zscore", "column": "distnace"},
            "transform.features.far: distnace .*; did you mean distance?",
        ),
        (
            "transform.sample_weight",
            "Distanse",
            "transform.sample_weight: Distanse .*; did you mean distance?",
        ),
        ("source.target.name", "lat", "source.target.name: lat .*; did you mean late?"),
        ("source.weekday", "day", "source.weekday: day is not a column of the schema"),
        ("source.dates", ["sole"], "source.dates: sole is not a date .*; did you mean sold?"),
        (
            "checks.severities",
            {"SCHEMA_NEW_COLUMNS": "error"},
            "checks.severities: SCHEMA_NEW_COLUMNS .*; did you mean SCHEMA_NEW_COLUMN?",
        ),
    ],
)
def test_a_name_that_the_schema_does_not_have_is_refused_with_the_nearest(
    values: dict[str, Any], write_settings: Write, key: str, value: Any, problem: str
) -> None:
    _set(values, key, value)
    path = write_settings(values)
    schema = path.parent / "shop.pbtxt"
    dates = "".join(f'feature {{ name: "sold_{part}" }}\n' for part in ("day", "second"))
    schema.write_text(schema.read_text() + dates)
    with pytest.raises(SettingsError, match=problem.replace("?", r"\?")):
        load_settings(path)


def test_where_columns_that_the_schema_does_not_list_may_pass_the_stage_looks_at_names(
    values: dict[str, Any], write_settings: Write
) -> None:
    values["checks"] = {"drift": {"new": 0.1}, "severities": {"SCHEMA_NEW_COLUMN": "warning"}}
    load_settings(write_settings(values))
    values["checks"] = {"drift": {"new": 0.1}}
    path = write_settings(values)
    with pytest.raises(SettingsError, match="new is not a column of the schema"):
        load_settings(path)
    (path.parent / "signed.json").write_text("{}")
    load_settings(path, ["waivers=[signed.json]"])


def test_a_wrong_name_is_refused_before_anything_is_written_or_loaded(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    values["checks"] = {"drift": {"orgin": 0.1}}
    command = (
        "import sys; from pipelines.cli import main; code = main(sys.argv[1:]); "
        "assert not {'tensorflow', 'pyarrow'} & sys.modules.keys(); sys.exit(code)"
    )
    home = tmp_path / "home"
    arguments = ["run", str(write_settings(values)), "--home", str(home)]
    ended = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, home.exists()) == (2, False)
    assert "orgin is not a column of the schema; did you mean origin?" in ended.stderr


@pytest.mark.parametrize(
    "feature",
    [
        {"kind": "date", "column": "arrived", "parts": ["hour"]},
        {"kind": "zscore", "column": "arrived_second"},
    ],
)
def test_a_part_of_a_date_that_is_known_only_afterwards_is_no_feature(
    values: dict[str, Any], feature: dict[str, Any]
) -> None:
    values["source"]["dates"] = ["arrived"]
    values["transform"]["features"]["when"] = feature
    assert refusal(values) == (
        "transform.features uses what is known only after the prediction: arrived_second"
    )


@pytest.mark.parametrize(
    ("unit", "window", "problem"),
    [
        ("day", {"first": "2013-01", "last": "2013-03"}, "written like 2013-01-31"),
        ("none", {"first": "2013-01", "last": "2013-03"}, "written like all"),
        ("month", {"first": "all", "last": "all"}, "written like 2013-01"),
        ("month", {"first": "2013-01", "last": "2013-01"}, "at least two are needed"),
        ("day", {"first": "2013-02-27", "last": "2013-02-30"}, "day is out of range"),
    ],
)
def test_a_window_fits_the_spans_of_the_source(
    values: dict[str, Any], unit: str, window: dict[str, str], problem: str
) -> None:
    origins = {"month": {"columns": ["year", "month"]}, "day": {"column": "date"}, "none": {}}
    values["source"]["spans"] = {"unit": unit, **origins[unit]}
    values["window"] = window
    assert problem in refusal(values)


def test_a_source_without_time_needs_no_window(values: dict[str, Any]) -> None:
    values["source"]["spans"] = {"unit": "none"}
    values["source"]["splits"] = {"by": "hash", "column": "order"}
    del values["window"]
    assert parse_settings(values, "settings.yaml").window.spans() == ("all",)


def test_a_date_in_yaml_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("window: {first: 2013-01-01, last: 2013-02-01}\n")
    assert read_yaml(path) == {"window": {"first": "2013-01-01", "last": "2013-02-01"}}


def test_a_window_of_days_crosses_months_and_leap_years(values: dict[str, Any]) -> None:
    values["source"]["spans"] = {"unit": "day", "column": "date"}
    values["window"] = {"first": "2012-02-28", "last": "2012-03-01"}
    spans = parse_settings(values, "settings.yaml").window.spans()
    assert spans == ("2012-02-28", "2012-02-29", "2012-03-01")


def test_a_gate_on_a_slice_that_is_not_computed_is_refused(values: dict[str, Any]) -> None:
    values["policy"]["gates"][0]["slice"] = "carrier=UA"
    assert refusal(values) == "policy.gates.0: slice carrier=UA is not among evaluate.slices"


def test_a_gate_on_a_computed_slice_is_accepted(values: dict[str, Any]) -> None:
    values["policy"]["gates"][0]["slice"] = "origin=JFK"
    assert parse_settings(values, "x").policy.gates[0].slice == "origin=JFK"


@pytest.mark.parametrize(
    ("family", "unused"),
    [
        ("wide_and_deep", "cross_layers"),
        ("wide_and_deep", "token_dim"),
        ("dcn_v2", "attention_heads"),
        ("ft_transformer", "hidden_units"),
        ("ft_transformer", "normalisation"),
        ("ft_transformer", "structure"),
    ],
)
def test_a_hyper_parameter_that_the_family_does_not_use_is_refused_by_name(
    values: dict[str, Any], family: str, unused: str
) -> None:
    values["model"] = {"family": family}
    default = getattr(parse_settings(values, "x").model, unused)
    values["model"][unused] = default
    assert refusal(values).startswith(f"model: {family} does not use {unused}; it has ")


def test_an_unused_hyper_parameter_on_the_command_line_is_to_be_corrected_there(
    values: dict[str, Any],
) -> None:
    values["model"] = {"family": "dcn_v2"}
    with pytest.raises(SettingsError) as caught:
        parse_settings(values, "settings.yaml", ["model.blocks=3", "train.epochs=2"])
    assert caught.value.remedy == "correct --set model.blocks"


@pytest.mark.parametrize("family", ["wide_and_deep", "dcn_v2", "ft_transformer", None])
def test_a_familys_settings_are_read_again_as_a_stage_reads_them(
    values: dict[str, Any], write_settings: Write, family: str | None
) -> None:
    if family:
        values["model"] = {"family": family}
    loaded = load_settings(write_settings(values))
    dumped = loaded.arguments()["model"]
    model = loaded.settings.model
    assert type(model).model_validate(dumped) == model
    assert dumped.get("family") == family
    assert ("token_dim" in dumped) is (family in ("ft_transformer", None))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({}, "model: give family (wide_and_deep, dcn_v2, ft_transformer), or both pytorch and"),
        ({"pytorch": "a:b"}, "model: give family"),
        ({"family": "dcn_v2", "pytorch": "a:b", "tensorflow": "c:d"}, "model: give family, or"),
        ({"family": "ft_transformer", "token_dim": 30}, "model: token_dim is not a multiple of"),
        ({"family": "resnet"}, "model.family: expected wide_and_deep, dcn_v2 or ft"),
        ({"family": "dcn_v2", "dropout": 1}, "model.dropout: expected less than 1"),
    ],
)
def test_a_model_is_one_family_or_two_functions(
    values: dict[str, Any], model: dict[str, Any], problem: str
) -> None:
    values["model"] = model
    assert refusal(values).startswith(problem)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({}, "source.target: a target asks one question: above or number"),
        ({"number": False}, "source.target: a target asks one question"),
        ({"above": 15, "number": True}, "source.target: a target asks one question"),
        ({"equals": "a", "classes": ["a", "b", "c"]}, "source.target: a target asks one question"),
        ({"classes": ["a", "b"]}, "source.target.classes: "),
        ({"classes": ["a", "b", "a"]}, "source.target: classes names a more than once"),
        ({"number": "yes"}, "source.target.number: "),
    ],
)
def test_a_target_asks_one_question(
    values: dict[str, Any], target: dict[str, Any], problem: str
) -> None:
    values["source"]["target"] = {"name": "late", "column": "arr_delay", **target}
    assert refusal(values).startswith(problem)


OF_TASK = {
    "binary": {"metric": "auc", "operator": ">=", "threshold": 0.6},
    "multi_class": {"metric": "accuracy", "operator": ">=", "threshold": 0.6},
    "regression": {"metric": "mean_absolute_error", "operator": "<=", "threshold": 9},
}


def parsed_task(target: dict[str, Any]) -> str:
    return Target.model_validate(target).task


@pytest.mark.parametrize("task", sorted(OF_TASK))
@pytest.mark.parametrize("other", sorted(OF_TASK))
def test_a_gate_is_on_a_metric_that_the_targets_task_has(
    values: dict[str, Any], task: str, other: str
) -> None:
    question = {"binary": {"above": 15}, "regression": {"number": True}}
    question["multi_class"] = {"classes": ["a", "b", "c"]}
    values["source"]["target"] = {"name": "late", "column": "arr_delay", **question[task]}
    values["policy"] = {"gates": [OF_TASK[other]]}
    metric = OF_TASK[other]["metric"]
    if task == other or (task, other) == ("binary", "multi_class"):  # both have accuracy
        assert parse_settings(values, "settings.yaml").policy.gates[0].metric == metric
    else:
        assert refusal(values).startswith(f"policy.gates.0: {metric} is not measured: the target")


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ({"above": 15}, "binary"),
        ({"equals": "late"}, "binary"),
        ({"classes": ["early", "on time", "late"]}, "multi_class"),
        ({"number": True}, "regression"),
    ],
)
def test_the_target_says_what_the_models_are_to_predict(
    values: dict[str, Any], write_settings: Write, target: dict[str, Any], task: str
) -> None:
    asked = {"name": "late", "column": "arr_delay", **target}
    values["source"]["target"] = asked
    values["policy"] = {"gates": [OF_TASK[task]]}
    loaded = load_settings(write_settings(values))
    assert loaded.settings.source.target.task == task
    assert loaded.arguments()["source"]["target"] == asked


@pytest.mark.parametrize(
    ("question", "train", "problem"),
    [
        ({"number": True}, {"class_weights": "balanced"}, "train.class_weights: the target is a"),
        (
            {"classes": ["a", "b", "c"]},
            {"class_weights": [1, 2]},
            "train.class_weights: 2 numbers for the target's 3 classes",
        ),
        (
            {"above": 15},
            {"class_weights": [1, 2, 3]},
            "train.class_weights: 3 numbers for the target's 2 classes",
        ),
    ],
)
def test_what_a_target_has_no_use_for_is_refused(
    values: dict[str, Any], question: dict[str, Any], train: dict[str, Any], problem: str
) -> None:
    values["source"]["target"] = {"name": "late", "column": "arr_delay", **question}
    values["train"] = train
    task = parsed_task(values["source"]["target"])
    values["policy"] = {"gates": [OF_TASK[task]]}
    assert refusal(values).startswith(problem)


def test_a_window_that_ends_before_it_begins_is_refused(values: dict[str, Any]) -> None:
    values["window"] = {"first": "2013-03", "last": "2013-01"}
    assert refusal(values).startswith("window: first and last are of one unit")


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("train:\n  epochs: 3\n  epochs: 4\n")
    with pytest.raises(SettingsError, match=r"line 3: key 'epochs' is given twice"):
        read_yaml(path)


def test_on_is_a_key_and_no_is_a_text_and_only_true_is_true(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("on: [origin]\ncountry: no\npresent: true\n")
    assert read_yaml(path) == {"on": ["origin"], "country": "no", "present": True}


def test_yaml_that_would_make_an_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(SettingsError, match="line 1"):
        read_yaml(path)


def test_schema_and_card_reach_the_arguments_by_content(
    values: dict[str, Any], write_settings: Write
) -> None:
    arguments = load_settings(write_settings(values)).arguments()
    assert arguments["schema"].startswith('feature { name: "distance" }\n')
    assert arguments["card"]["licence"] == "CC0-1.0"
    assert "name" not in arguments


def test_what_an_organisation_says_of_the_model_reaches_the_decision_as_it_was_written(
    values: dict[str, Any], write_settings: Write
) -> None:
    said = {
        "owner": "credit risk",
        "intended_use": "order the queue of cases",
        "materiality": "high",
        "next_review": "2027-06-30",
    }
    assert load_settings(write_settings(values)).arguments()["governance"] == {}
    loaded = load_settings(write_settings(values | {"governance": said}))
    assert loaded.arguments()["governance"] == said
    settings = DecideSettings.model_validate({"policy": values["policy"], "governance": said})
    assert settings.model_dump(mode="json")["governance"] == said


@pytest.mark.parametrize(
    "said",
    [
        {"materiality": "enormous"},
        {"next_review": "soon"},
        {"owner": "one\ntwo"},
        {"approver": "x"},
    ],
)
def test_what_no_organisation_says_of_a_model_is_refused(
    values: dict[str, Any], write_settings: Write, said: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match=f"governance.{next(iter(said))}"):
        load_settings(write_settings(values | {"governance": said}))


def test_a_card_says_where_the_records_of_processing_hold_the_use_only_where_it_does(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values)
    before = load_settings(path).arguments()["card"]
    assert "processing" not in before
    card = path.parent / "card.yaml"
    card.write_text(card.read_text() + "processing: register entry 17\n")
    after = load_settings(path).arguments()["card"]
    assert after == before | {"processing": "register entry 17"}


def test_a_changed_card_changes_the_digest_of_the_settings(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values)
    before = load_settings(path).sha256
    assert load_settings(path).sha256 == before
    card = path.parent / "card.yaml"
    card.write_text(card.read_text().replace("CC0-1.0", "CC-BY-4.0"))
    assert load_settings(path).sha256 != before


def test_a_missing_schema_file_is_refused_by_name(
    values: dict[str, Any], write_settings: Write
) -> None:
    values["schema"] = "nowhere.pbtxt"
    with pytest.raises(SettingsError, match=r"schema: there is no file nowhere\.pbtxt"):
        load_settings(write_settings(values))


def test_a_card_without_a_licence_is_refused(values: dict[str, Any], write_settings: Write) -> None:
    path = write_settings(values)
    (path.parent / "card.yaml").write_text("origin: here\n")
    with pytest.raises(SettingsError, match=r"licence, purpose, personal_data: missing"):
        load_settings(path)


def test_every_missing_key_of_a_card_is_named_beside_what_else_is_wrong(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values)
    (path.parent / "card.yaml").write_text("licens: CC0\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert caught.value.message == (
        "origin, collection, licence, purpose, personal_data: missing; "
        "licens: unknown; did you mean licence?"
    )


def not_found(name: str) -> tuple[str, str]:
    with pytest.raises(SettingsError) as caught:
        find_settings(name)
    return caught.value.message, caught.value.remedy


def test_an_unknown_use_case_is_refused_with_what_was_looked_for_and_what_there_is() -> None:
    cause, remedy = not_found("fligths")
    assert cause == (
        "there is no use case fligths, and no file fligths or fligths/settings.yaml; "
        "did you mean flights?"
    )
    assert remedy == f"name a settings file, its folder, or a use case: {EXAMPLES}"


def test_a_folder_without_settings_is_refused_with_the_nearest_file(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    folder.mkdir()
    cause, remedy = not_found(str(folder))
    assert cause == f"the folder {folder} holds no settings.yaml; did you mean flights?"
    assert remedy == f"name a settings file, its folder, or a use case: {EXAMPLES}"
    (folder / "data_card.yaml").touch()
    (folder / "setting.yml").touch()
    cause, _ = not_found(str(folder))
    assert cause.endswith(f"; did you mean {folder / 'setting.yml'}?")


def test_a_settings_file_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").touch()
    cause, _ = not_found(str(tmp_path / "setings.yaml"))
    assert cause == (
        f"there is no file {tmp_path / 'setings.yaml'}; did you mean {tmp_path / 'settings.yaml'}?"
    )


def test_settings_are_found_by_path_and_by_folder(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values)
    assert find_settings(str(path)) == path
    assert find_settings(str(path.parent)) == path


def test_every_example_loads_and_meets_the_committed_schema() -> None:
    assert "flights" in example_names()
    schema, card, *_ = (json.loads(path.read_text()) for path in SCHEMA_FILES)
    for name in example_names():
        path = find_settings(name)
        jsonschema.validate(read_yaml(path), schema)
        jsonschema.validate(read_yaml(path.parent / "data_card.yaml"), card)
        assert load_settings(path).settings.name == name


@pytest.mark.parametrize("path", SCHEMA_FILES, ids=lambda path: path.name)
def test_the_committed_schemas_are_current(path: Path) -> None:
    renew = "python -c 'from pipelines.settings import write_schemas; write_schemas()'"
    assert json.loads(path.read_text()) == json_schema(SCHEMA_FILES[path]), f"renew it: {renew}"


def test_the_schema_says_what_a_margin_of_0_over_the_champion_demands() -> None:
    gate = json.loads(SETTINGS_SCHEMA.read_text())["$defs"]["ChampionGate"]["properties"]
    assert "0 demands a significantly better" in gate["margin"]["description"]


def test_the_committed_schema_refuses_an_unknown_key(values: dict[str, Any]) -> None:
    values["train"] = {"epoch": 3}
    with pytest.raises(jsonschema.ValidationError, match="epoch"):
        jsonschema.validate(values, json.loads(SETTINGS_SCHEMA.read_text()))


def test_an_override_is_parsed_as_yaml(values: dict[str, Any]) -> None:
    changed = apply_overrides(values, ["train.epochs=3", "evaluate.slices=[[origin], [carrier]]"])
    assert changed["train"] == {"epochs": 3}
    assert changed["evaluate"]["slices"] == [["origin"], ["carrier"]]


def test_an_override_reaches_a_place_in_a_list(values: dict[str, Any]) -> None:
    changed = apply_overrides(values, ["policy.gates.0.threshold=0.7"])
    assert changed["policy"]["gates"][0]["threshold"] == 0.7


@pytest.mark.parametrize(
    "override",
    ["epochs", "=3", "a..b=3", "name.first=x", "policy.gates.9.threshold=1", "train.epochs=[1"],
)
def test_an_override_that_says_nothing_is_refused(values: dict[str, Any], override: str) -> None:
    with pytest.raises(SettingsError, match="--set"):
        apply_overrides(values, [override])


def test_a_window_on_the_command_line_sets_both_ends(values: dict[str, Any]) -> None:
    changed = apply_overrides(values, window_overrides("2013-02:2013-10"))
    assert changed["window"] == {"first": "2013-02", "last": "2013-10"}


@pytest.mark.parametrize("window", ["2013-01", ":2013-02", "2013-01:"])
def test_half_a_window_is_refused(window: str) -> None:
    with pytest.raises(SettingsError, match="--window"):
        window_overrides(window)


SETTINGS = {
    "name": "shop",
    "train": {"epochs": 4, "learning_rate": 0.001},
    "transform": {"features": {"distance": {"kind": "zscore"}, "origin": {"kind": "vocabulary"}}},
    "evaluate": {"slices": [["origin"], ["origin", "month"]]},
    "policy": {"gates": [{"metric": "auc", "threshold": 0.6}, {"metric": "accuracy"}]},
}


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    found = False
    for key, child in items:
        found = True
        yield from leaves(child, (*path, str(key)))
    if not found:
        yield path


def at(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


scalars = st.one_of(
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")),
)


@given(path=st.sampled_from(sorted(leaves(SETTINGS))), value=scalars)
def test_an_override_sets_one_value_and_leaves_all_others(
    path: tuple[str, ...], value: Any
) -> None:
    original = copy.deepcopy(SETTINGS)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    changed = apply_overrides(SETTINGS, [f"{'.'.join(path)}={text}"])
    assert at(changed, path) == value
    assert original == SETTINGS
    assert all(
        at(changed, other) == at(SETTINGS, other) for other in leaves(SETTINGS) if other != path
    )


@pytest.mark.parametrize(
    ("overrides", "remedy"),
    [
        (["train.epoch=3"], "correct --set train.epoch"),
        (["train.epoch=3", "train.batch_size=64"], "correct --set train.epoch"),
        (["train.batch_size=64", "train.epochs=0"], "correct --set train.epochs"),
        (["train.epochs=3", "policy.gates.0.slice=carrier=UA"], "correct --set "),
        (["window.last='2012-01'"], "correct --set window.last (or --window)"),
    ],
)
def test_what_an_override_made_wrong_is_corrected_there(
    values: dict[str, Any], write_settings: Write, overrides: list[str], remedy: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write_settings(values), overrides)
    assert caught.value.remedy.startswith(remedy)
    assert "batch_size" not in caught.value.remedy
    assert "settings.yaml" not in caught.value.remedy


def test_what_the_file_has_wrong_is_corrected_in_the_file(
    values: dict[str, Any], write_settings: Write
) -> None:
    values["train"] = {"epoch": 3}
    path = write_settings(values)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, ["train.batch_size=64"])
    assert caught.value.remedy == f"correct it in {path}"
    with pytest.raises(SettingsError) as caught:
        load_settings(path, ["registry.nmae=x"])
    assert caught.value.remedy == f"correct --set registry.nmae, and it in {path}"


@pytest.mark.parametrize(
    "override",
    [
        "evaluate.confidence=1",
        "evaluate.confidence=0",
        "train.learning_rate=.inf",
        "policy.gates.0.threshold=.nan",
        "model.hidden_units=[-1]",
    ],
)
def test_a_number_that_no_stage_could_use_is_refused_at_once(override: str) -> None:
    with pytest.raises(SettingsError, match=override.partition("=")[0].split(".")[0]):
        load_settings(find_settings("flights"), [override])


def test_true_is_no_number() -> None:
    settings = load_settings(find_settings("flights")).settings
    values = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    values["source"]["joins"]["weather"]["shift_hours"] = {"hour": 1}
    numbers = [leaf for leaf in leaves(values) if type(at(values, leaf)) in (int, float)]
    assert len(numbers) > 20
    for key in map(".".join, numbers):
        with pytest.raises(SettingsError, match=f"{key}: true and false are no numbers"):
            parse_settings(values, "settings.yaml", [f"{key}=true"])


@pytest.mark.parametrize("value", ["1", "0", "'true'", "1.0"])
def test_only_true_and_false_are_truths(values: dict[str, Any], value: str) -> None:
    with pytest.raises(SettingsError, match=r"train.compile: expected true or false"):
        parse_settings(values, "settings.yaml", [f"train.compile={value}"])
    assert parse_settings(values, "settings.yaml", ["train.compile=true"]).train.compile


@pytest.mark.parametrize("text", ["3", "3.0", "'3'"])
def test_a_number_on_the_command_line_is_that_number(values: dict[str, Any], text: str) -> None:
    assert parse_settings(values, "x", [f"train.epochs={text}"]).train.epochs == 3


def test_batch_normalisation_is_refused_where_a_process_sees_a_part_of_a_batch(
    values: dict[str, Any],
) -> None:
    values["model"] = {"family": "wide_and_deep", "normalisation": "batch"}
    values["train"] = {"processes": 2}
    assert "would see only one process's part of each batch" in refusal(values)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"parallel": "sharded"}, "sharded needs processes above 1"),
        ({"processes": 9, "batch_size": 8}, "9 processes have no part each"),
        ({"processes": 2, "compile": True}, "compile is not offered with processes above 1"),
        (
            {"processes": 2, "parallel": "sharded", "precision": "fp16"},
            "fp16 is not offered with parallel: sharded",
        ),
    ],
)
def test_what_several_processes_cannot_do_is_refused(
    values: dict[str, Any], train: dict[str, Any], said: str
) -> None:
    values["train"] = train
    assert said in refusal(values)
