"""The compiled check of a record's form says what the library says, record by changed record."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.audit.envelope import Envelope
from components.audit.quick_schema import compiled
from components.audit.schema import FOLDER, _quick, _validator

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json") if path.stem != "approval")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "a\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
REPLACEMENTS = (
    None,
    True,
    0,
    1,
    -1,
    1.0,
    0.5,
    "",
    "x",
    "x\n",
    "0" * 64,
    [],
    {},
    [1, 1],
    ["a", "a"],
    {"a": 1},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every part of a JSON value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(p for key, item in items for p in places(item, (*path, key)))]


def changed(value: Any) -> list[Any]:
    """Return the value with each part replaced, taken away, doubled or added to."""
    found = []
    for path in places(value)[1:]:
        for new in (*REPLACEMENTS, "take", "double", "add"):
            other = copy.deepcopy(value)
            target = other
            for step in path[:-1]:
                target = target[step]
            part = target[path[-1]]
            if new == "take":
                del target[path[-1]]
            elif new == "double" and isinstance(part, list):
                part += copy.deepcopy(part)
            elif new == "add" and isinstance(part, dict):
                part["unknown"] = 1
            elif new not in ("double", "add"):
                target[path[-1]] = new
            found.append(other)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_both_judge_a_record_and_each_of_its_changes_alike(name: str) -> None:
    value = json.loads(Envelope.from_bytes((GOLDEN / f"{name}.json").read_bytes()).payload)
    schema = f"{name}.json"
    assert _quick(schema)(value)
    others = changed(value)[:: 1 if name == "key-change" else 7]
    said = [_quick(schema)(other) for other in others]
    assert said == [_validator(schema).is_valid(other) for other in others]
    assert not all(said)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_of_records_is_compiled(path: Path) -> None:
    assert _quick(path.name)(1) is _validator(path.name).is_valid(1)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["integer", "null"]},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"const": 1},
        {"const": [True, {"a": 1}]},
        {"enum": [0, False, "a", None]},
        {"pattern": "^a$(?!\\n)"},
        {"items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
        {"prefixItems": [{"type": "string"}, True], "items": False},
        {"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "string"}},
        {"required": ["a"], "properties": {"a": True}, "additionalProperties": False},
        {"propertyNames": {"enum": ["a", "b"]}, "minProperties": 1, "maxProperties": 2},
        {"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"not": {"type": "null"}}},
        {"dependentSchemas": {"a": {"required": ["b"]}}},
        {
            "anyOf": [{"type": "string"}, {"type": "array", "maxItems": 0}],
            "allOf": [{"maxLength": 1}],
        },
    ],
)
@given(value=VALUES)
def test_both_judge_any_value_alike(schema: dict[str, Any], value: Any) -> None:
    from jsonschema import Draft202012Validator

    quick = compiled("it", {"it": schema})
    assert quick(value) is Draft202012Validator(schema).is_valid(value)


def test_a_keyword_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="multipleOf"):
        compiled("it", {"it": {"multipleOf": 2}})
