"""Model functions are found by name, and a wrong name says what is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from components.core.errors import DataError, SettingsError
from components.training.functions import (
    family_of,
    load_model_function,
    module_of,
    naming_the_users_line,
)


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


BROKEN = """import a_package_nobody_has
"""
RAISING = """import json

def build(spec, family, seed):
    return json.loads("no JSON")

def gives_nothing(spec, family, seed):
    raise KeyError(spec)

def lacks_memory(spec, family, seed):
    raise MemoryError

def is_refused(spec, family, seed):
    raise DataError("what", remedy="how")
"""


@pytest.mark.parametrize(
    ("source", "function", "cause"),
    [
        (RAISING, "build", "a_raising_model.py, line 4: JSONDecodeError: Expecting value"),
        (RAISING, "gives_nothing", "a_raising_model.py, line 7: KeyError: 'spec'"),
        (BROKEN, "build", "a_raising_model.py, line 1: ModuleNotFoundError: No module named"),
    ],
)
def test_an_error_of_the_users_module_names_its_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, function: str, cause: str
) -> None:
    name = written(tmp_path, monkeypatch, source, function)
    with pytest.raises(SettingsError) as caught, naming_the_users_line(name):
        load_model_function(name)("spec", None, 4)  # type: ignore[arg-type]
    assert caught.value.message.startswith(f"model function {name}: {cause}")
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.__cause__ is not None


def test_what_is_not_the_users_error_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"from components.core.errors import DataError\n{RAISING}"
    name = written(tmp_path, monkeypatch, source, "lacks_memory")
    with pytest.raises(MemoryError), naming_the_users_line(name):
        load_model_function(name)(None, None, 4)  # type: ignore[arg-type]
    name = f"{module_of(name)}:is_refused"
    with pytest.raises(DataError), naming_the_users_line(name):
        load_model_function(name)(None, None, 4)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError), naming_the_users_line(name):
        raise ZeroDivisionError


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, function: str) -> str:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "a_raising_model", raising=False)
    (folder / "a_raising_model.py").write_text(source)
    return f"a_raising_model:{function}"
