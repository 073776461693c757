"""The quick check of a record's form says what the telling one says, record by changed record."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from components.audit.envelope import Envelope
from components.audit.schema import FOLDER, quick_check, telling_validator

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = {path.stem for path in FOLDER.glob("*.json")} - {"approval"}
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json") if path.stem in SCHEMAS)
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
    assert quick_check(schema)(value)
    others = changed(value)[:: 1 if name == "key-change" else 7]
    said = [quick_check(schema)(other) for other in others]
    assert said == [telling_validator(schema).is_valid(other) for other in others]
    assert not all(said)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_of_records_is_compiled(path: Path) -> None:
    assert quick_check(path.name)(1) is telling_validator(path.name).is_valid(1)
