"""Settings, schema and card as files: found, read, and refused with the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from changed_settings import refusal

from components.core.errors import SettingsError
from components.decide_release.step import DecideSettings
from pipelines.loaded_settings import load_settings
from pipelines.settings import SCHEMA_FILES, json_schema
from pipelines.settings_file import (
    example_names,
    find_settings,
    read_yaml,
)

OWN = Path(__file__).parents[2] / "pipelines" / "examples"


SETTINGS_SCHEMA = next(iter(SCHEMA_FILES))

EXAMPLES = ", ".join(sorted(path.parent.name for path in OWN.glob("*/settings.yaml")))


Write = Callable[[dict[str, Any]], Path]


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
