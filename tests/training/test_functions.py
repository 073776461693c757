"""Model functions are found by name, and a wrong name says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.errors import SettingsError
from components.training.functions import family_of, load_model_function


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = (
        "FAMILY = 'linear'\nNOT_A_FUNCTION = 3\ndef build(spec, family, seed):\n    return seed\n"
    )
    (tmp_path / "a_users_model.py").write_text(source)
    return "a_users_model"


def test_a_function_is_found_by_its_name(user_module: str) -> None:
    assert load_model_function(f"{user_module}:build")(None, None, 4) == 4  # type: ignore[arg-type]


def test_the_family_is_what_the_module_declares_or_custom(user_module: str) -> None:
    assert family_of(f"{user_module}:build") == "linear"
    assert family_of("json:dumps") == "custom"


@pytest.mark.parametrize("name", ["no_such_module:build", "json.no_such_part:build"])
def test_a_module_that_does_not_exist_is_a_settings_error(name: str) -> None:
    with pytest.raises(SettingsError, match="there is no module"):
        load_model_function(name)


@pytest.mark.parametrize("function", ["no_such_function", "NOT_A_FUNCTION"])
def test_a_function_that_does_not_exist_is_a_settings_error(
    user_module: str, function: str
) -> None:
    with pytest.raises(SettingsError, match=f"has no function {function}"):
        load_model_function(f"{user_module}:{function}")
