"""What the user's code raises is shown with the user's own line, however it comes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from components.core.errors import DataError, SettingsError
from components.core.sources import SOURCES_VARIABLE
from components.training.functions import MODEL_FUNCTION, load_model_function, module_of
from components.training.users_line import Line, naming_the_users_line

BROKEN = """import a_package_nobody_has
"""
RAISING = """import json, sys

def build(spec, family, seed):
    return json.loads("no JSON")

def gives_nothing(spec, family, seed):
    raise KeyError(spec)

def lacks_memory(spec, family, seed):
    raise MemoryError

def is_refused(spec, family, seed):
    raise DataError("what", remedy="how")

def leaves(spec, family, seed):
    sys.exit("enough")

def interrupts(spec, family, seed):
    raise KeyboardInterrupt

def ends_in_its_own_way(spec, family, seed):
    raise Ended(spec)

class Ended(BaseException):
    pass
"""


@pytest.mark.parametrize(
    ("source", "function", "cause"),
    [
        (
            RAISING,
            "build",
            'line 4, `return json.loads("no JSON")`: JSONDecodeError: Expecting value',
        ),
        (
            RAISING,
            "gives_nothing",
            "line 7, `raise KeyError(spec)`: KeyError: 'spec'",
        ),
        (
            RAISING,
            "leaves",
            'line 16, `sys.exit("enough")`: SystemExit: enough',
        ),
        (RAISING, "interrupts", "line 19, `raise KeyboardInterrupt`: Keyboard"),
        (RAISING, "ends_in_its_own_way", "line 22, `raise Ended(spec)`: Ended"),
        ("import sys\nsys.exit()", "build", "line 2, `sys.exit()`: SystemExit"),
        (
            BROKEN,
            "build",
            "line 1, `import a_package_nobody_has`: ModuleNotFoundError: No module named",
        ),
    ],
)
def test_an_error_of_the_users_module_names_its_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, function: str, cause: str
) -> None:
    name = written(tmp_path, monkeypatch, source, function)
    with pytest.raises(SettingsError) as caught, naming_the_users_line(name, MODEL_FUNCTION):
        load_model_function(name)("spec", None, 4)  # type: ignore[arg-type]
    assert caught.value.message.startswith(f"model function {name}: a_raising_model.py, {cause}")
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.__cause__ is not None


def test_what_is_not_the_users_error_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"from components.core.errors import DataError\n{RAISING}"
    name = written(tmp_path, monkeypatch, source, "lacks_memory")
    with pytest.raises(MemoryError), naming_the_users_line(name, MODEL_FUNCTION):
        load_model_function(name)(None, None, 4)  # type: ignore[arg-type]
    name = f"{module_of(name)}:is_refused"
    with pytest.raises(DataError), naming_the_users_line(name, MODEL_FUNCTION):
        load_model_function(name)(None, None, 4)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError), naming_the_users_line(name, MODEL_FUNCTION):
        raise ZeroDivisionError


def test_an_error_of_a_built_in_family_is_not_the_users() -> None:
    name = "components.training.families.weights:draw"
    with pytest.raises(AttributeError), naming_the_users_line(name, MODEL_FUNCTION):
        load_model_function(name)(None, 1)  # type: ignore[call-arg, arg-type]


def test_what_an_error_says_of_rows_is_left_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = written(tmp_path, monkeypatch, RAISING, "gives_nothing")
    with (
        pytest.raises(SettingsError) as caught,
        naming_the_users_line(name, MODEL_FUNCTION, on_rows=True),
    ):
        load_model_function(name)("a value of a row", None, 4)  # type: ignore[arg-type]
    assert caught.value.message.endswith(
        "a_raising_model.py, line 7, `raise KeyError(spec)`: KeyError"
    )
    assert "a value of a row" in str(caught.value.__cause__)


def test_the_line_is_the_last_of_the_users_own_in_a_module_beside_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SOURCES_VARIABLE, str(tmp_path))
    (tmp_path / "a_layer_beside.py").write_text("def width(n):\n    return 1 // n\n")
    source = "import a_layer_beside\ndef build(*_):\n    return a_layer_beside.width(0)\n"
    name = written(tmp_path, monkeypatch, source, "build")
    with (
        pytest.raises(SettingsError, match=r": a_layer_beside\.py, line 2, `return 1 // n`: Zero"),
        naming_the_users_line(name, MODEL_FUNCTION),
    ):
        load_model_function(name)(None, None, 4)  # type: ignore[arg-type]


def test_a_line_that_a_text_tells_of_is_read_and_the_text_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = written(tmp_path, monkeypatch, RAISING, "build")
    load_model_function(name)
    text = f"""Graph execution error:
  File "/somewhere/script_ops.py", line 267, in __call__
  File "{tmp_path / "a_raising_model.py"}", line 7, in gives_nothing
    raise KeyError(spec)

KeyError: 'a value of a row'
"""
    with (
        pytest.raises(SettingsError) as caught,
        naming_the_users_line(name, MODEL_FUNCTION, on_rows=True),
    ):
        raise ValueError(text)
    assert caught.value.message.endswith(
        "a_raising_model.py, line 7, `raise KeyError(spec)`: KeyError"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Detected at node same/Gather defined at (most recent call last):",
        "{{node layer/same/Gather}} indices[0] = 5 is not in [0, 2)",
        "Detected at node same/Gather/inner/Assert defined at (most recent call last):",
    ],
)
def test_the_line_of_a_node_that_a_text_names_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    name = written(tmp_path, monkeypatch, RAISING, "build")
    lines = {"same/Gather": Line(str(tmp_path / "a_raising_model.py"), 4)}
    with (
        pytest.raises(SettingsError, match=r"line 4, `return json.loads\(.*\)`: TensorFlow's"),
        naming_the_users_line(name, MODEL_FUNCTION, on_rows=True, lines_of_nodes=lines),
    ):
        raise ValueError(text)
    with pytest.raises(ValueError), naming_the_users_line(name, "", lines_of_nodes=lines):
        raise ValueError("Detected at node other/Gather defined at")


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, function: str) -> str:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "a_raising_model", raising=False)
    (folder / "a_raising_model.py").write_text(source)
    return f"a_raising_model:{function}"
