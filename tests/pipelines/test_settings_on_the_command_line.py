"""Values that the command line sets over those of the file."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.core.errors import SettingsError
from pipelines.loaded_settings import load_settings, parse_settings
from pipelines.settings_file import (
    apply_overrides,
    find_settings,
    window_overrides,
)

Write = Callable[[dict[str, Any]], Path]


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
