"""One test for each rule of the settings: keys, ranges, search, and words of refusals."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from changed_settings import put, refusal

from pipelines.loaded_settings import parse_settings
from pipelines.settings import SCHEMA_FILES
from pipelines.settings_errors import PATTERNS


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
    put(values, key, value)
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
