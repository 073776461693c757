"""A policy in a file of its own: read as the section is, refused by its own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.core.errors import SettingsError
from pipelines.cli import main
from pipelines.loaded_settings import load_settings, parse_settings
from pipelines.schema_life.use_case import find_use_case
from pipelines.settings import SCHEMA_FILES

Write = Callable[[dict[str, Any]], Path]
SETTINGS_SCHEMA, _, POLICY_SCHEMA, _ = (json.loads(path.read_text()) for path in SCHEMA_FILES)


@pytest.fixture
def beside(values: dict[str, Any], write_settings: Write) -> Path:
    """Settings that name policy.yaml, which says what their section said."""
    section = values["policy"]
    path = write_settings(values | {"policy": "policy.yaml"})
    path.with_name("policy.yaml").write_text(yaml.safe_dump(section))
    return path


def test_a_policy_file_says_what_the_section_says(
    beside: Path, values: dict[str, Any], write_settings: Write
) -> None:
    of_file = load_settings(beside)
    of_section = load_settings(write_settings(values))
    assert of_file.settings == of_section.settings
    assert of_file.sha256 == of_section.sha256


def test_a_changed_policy_file_changes_the_digest_of_the_settings(beside: Path) -> None:
    before = load_settings(beside).sha256
    policy = beside.with_name("policy.yaml")
    policy.write_text(policy.read_text().replace("0.6", "0.7"))
    assert load_settings(beside).sha256 != before


def test_an_override_reaches_into_the_policy_file(beside: Path) -> None:
    assert load_settings(beside, ["policy.prefer=latency"]).settings.policy.prefer == "latency"


def test_another_policy_file_is_named_on_the_command_line(beside: Path) -> None:
    policy = beside.with_name("policy.yaml")
    beside.with_name("strict.yaml").write_text(policy.read_text().replace("0.6", "0.9"))
    loaded = load_settings(beside, ["policy=strict.yaml"])
    assert loaded.settings.policy.gates[0].threshold == 0.9


def test_a_mistake_in_the_policy_file_is_to_be_corrected_there(beside: Path) -> None:
    policy = beside.with_name("policy.yaml")
    policy.write_text(policy.read_text().replace("metric: auc", "metric: aucc"))
    with pytest.raises(SettingsError, match=r"gates\.0\.metric: .*did you mean auc\?") as caught:
        load_settings(beside)
    assert caught.value.remedy == f"correct it in {policy}"


def test_a_policy_file_that_is_not_there_is_refused_by_name(
    values: dict[str, Any], write_settings: Write
) -> None:
    path = write_settings(values | {"policy": "polcy.yaml"})
    with pytest.raises(SettingsError, match=r"policy: there is no file polcy\.yaml"):
        load_settings(path)


def test_the_schema_commands_read_a_policy_file_too(beside: Path) -> None:
    assert find_use_case(str(beside), None).settings.policy.gates[0].metric == "auc"


def test_the_committed_schemas_know_a_policy_by_file_and_by_section(values: dict[str, Any]) -> None:
    jsonschema.validate(values, SETTINGS_SCHEMA)
    jsonschema.validate(values | {"policy": "policy.yaml"}, SETTINGS_SCHEMA)
    jsonschema.validate(values["policy"], POLICY_SCHEMA)
    with pytest.raises(jsonschema.ValidationError, match="prefers"):
        jsonschema.validate({**values["policy"], "prefers": "auc"}, POLICY_SCHEMA)


FAIR = {"column": "black", "metric": "calibration", "compare": "ratio"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"champion_auc_margin": 0}, "policy.champion_auc_margin: unknown; did you mean policy.ch"),
        (
            {"weights": {"colour": 1}},
            "policy.weights.colour: unknown; policy.weights",
        ),
        ({"fairness_gates": [FAIR | {"compare": "ration"}]}, "did you mean ratio?"),
        ({"forms": ["litrt"]}, "did you mean litert?"),
    ],
)
def test_an_unknown_name_in_a_policy_is_refused_with_the_nearest(
    values: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    values["policy"] |= change
    with pytest.raises(SettingsError) as caught:
        parse_settings(values, "settings.yaml")
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("change", "train", "said"),
    [
        ({"slice": "orign=JFK"}, {}, "policy.gates.0: slice orign=JFK is not among evaluate.slices"
         "; did you mean origin?"),
        ({"slice": "carrier=*"}, {}, "policy.gates.0: slice carrier=* is not among"),
        ({}, {"forms": ["saved_model"]}, "policy.forms: train.forms leaves litert out"),
    ],
)  # fmt: skip
def test_what_the_settings_do_not_measure_is_refused_before_the_run(
    values: dict[str, Any], change: dict[str, Any], train: dict[str, Any], said: str
) -> None:
    values["policy"]["gates"][0] |= change
    values["policy"]["forms"] = ["onnx", "litert"]
    values["train"] = train
    with pytest.raises(SettingsError) as caught:
        parse_settings(values, "settings.yaml")
    assert caught.value.message.startswith(said)


def test_a_gate_on_every_slice_of_a_column_that_is_evaluated_is_accepted(
    values: dict[str, Any],
) -> None:
    values["policy"]["gates"][0]["slice"] = "origin=*"
    assert parse_settings(values, "settings.yaml").policy.gates[0].slice == "origin=*"


def test_a_plan_is_refused_for_a_mistake_in_the_policy_file(
    beside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside.with_name("policy.yaml").write_text("gates: []\n")
    assert main(["plan", str(beside), "--home", str(beside.parent / "home")]) == 2
    assert "gates: expected a list of 1 or more" in capsys.readouterr().err
