"""Which properties the closed schemas of records have, and which of them a record holds.

A property is told by its place: the file, and the way there in it. Only objects that take nothing
unknown are looked at: what their conditions (`if`, `dependentSchemas`) name is named by them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from components.audit.schema import FOLDER

SCHEMAS = {path.name: json.loads(path.read_bytes()) for path in FOLDER.glob("*.json")}
OF_TYPE = {
    schema["properties"]["predicateType"]["const"]: name
    for name, schema in SCHEMAS.items()
    if "predicateType" in schema.get("properties", {})
}


def properties(schema: Any, place: str) -> Iterator[str]:
    """Yield the place of each property of each closed object in a schema."""
    if isinstance(schema, dict) and schema.get("additionalProperties") is False:
        yield from (f"{place}/properties/{name}" for name in schema["properties"])
    steps = schema.items() if isinstance(schema, dict) else enumerate(schema)
    for step, part in steps:
        if isinstance(part, dict | list):
            yield from properties(part, f"{place}/{step}")


def held(statement: dict[str, Any]) -> set[str]:
    """Return the places of the properties that a statement has, other than as null."""
    name = OF_TYPE[statement["predicateType"]]
    return set(_held(SCHEMAS[name], name, statement))


def _held(schema: Any, place: str, value: Any) -> Iterator[str]:
    if not isinstance(schema, dict) or value is None:
        return
    if "$ref" in schema:
        file, _, way = schema["$ref"].partition("#")
        file = file or place.partition("/")[0]
        yield from _held(_part(SCHEMAS[file], way), f"{file}{way}", value)
    for word in ("allOf", "anyOf"):
        for number, part in enumerate(schema.get(word, [])):
            yield from _held(part, f"{place}/{word}/{number}", value)
    for name, part in schema.get("properties", {}).items() if isinstance(value, dict) else ():
        if value.get(name) is not None:
            yield f"{place}/properties/{name}"
            yield from _held(part, f"{place}/properties/{name}", value[name])
    for item in value if isinstance(value, list) else ():
        yield from _held(schema.get("items"), f"{place}/items", item)


def _part(schema: Any, way: str) -> Any:
    for step in way.strip("/").split("/"):
        schema = schema[step]
    return schema
