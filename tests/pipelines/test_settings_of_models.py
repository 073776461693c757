"""Settings of models and targets: families, tasks, processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from changed_settings import refusal

from components.core.data_settings.source import Target
from components.core.errors import SettingsError
from pipelines.loaded_settings import load_settings, parse_settings

Write = Callable[[dict[str, Any]], Path]


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
