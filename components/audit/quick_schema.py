"""A JSON Schema as one function that says yes or no: a record a tenth as long as by the library.

Rules: it knows the keywords that schemas/audit uses (draft 2020-12) and refuses to compile any
other; it says no reasons: whoever is told no asks the library, which has the last word. The tests
hold both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

Check = Callable[[Any], bool]
Schema = Mapping[str, Any]
_SILENT = frozenset({"$schema", "$defs", "title", "description", "then", "else"})


def compiled(name: str, schemas: Mapping[str, Schema]) -> Check:
    """Return the check of a schema; KeyError for an unknown keyword.

    The others are those that it may name, by file; none may refer to itself.
    """
    return _Compiler(schemas).reference(name, "#")


class _Compiler:
    """Compiles each part that is referred to once."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas
        self._known: dict[tuple[str, str], Check] = {}

    def reference(self, base: str, reference: str) -> Check:
        """Return the check of `file#/path`, of the file that refers where none is named."""
        file, _, path = reference.partition("#")
        place = (file or base, path)
        if place not in self._known:
            schema: Any = self._schemas[place[0]]
            for step in filter(None, path.split("/")):
                schema = schema[step]
            self._known[place] = self.check(place[0], schema)
        return self._known[place]

    def check(self, base: str, schema: Schema | bool) -> Check:
        """Return the check of all keywords of a schema together."""
        if isinstance(schema, bool):
            return lambda value: bool(schema)
        checks = [
            self._keyword(base, schema, name)
            for name in schema
            if name not in _SILENT | {"required"}
        ]
        if "required" in schema:
            checks.append(_required(frozenset(schema["required"])))
        return checks[0] if len(checks) == 1 else _every(checks)

    def _keyword(self, base: str, schema: Schema, name: str) -> Check:
        said = schema[name]
        if name in _PLAIN:
            return _PLAIN[name](said)
        if name == "$ref":
            return self.reference(base, said)
        if name in ("properties", "additionalProperties"):
            return self._properties(base, schema, name)
        if name in ("anyOf", "allOf"):
            parts = [self.check(base, part) for part in said]
            return _some(parts) if name == "anyOf" else _every(parts)
        if name in ("items", "prefixItems"):
            return self._items(base, schema, name)
        if name == "not":
            inner = self.check(base, said)
            return lambda value: not inner(value)
        if name == "if":
            return self._condition(base, schema)
        if name == "propertyNames":
            names = self.check(base, said)
            return lambda value: not isinstance(value, dict) or all(map(names, value))
        if name == "dependentSchemas":
            rest = {key: self.check(base, part) for key, part in said.items()}
            return lambda value: (
                not isinstance(value, dict)
                or all(part(value) for key, part in rest.items() if key in value)
            )
        raise KeyError(name)

    def _properties(self, base: str, schema: Schema, name: str) -> Check:
        known = schema.get("properties", {})
        if name == "properties":
            return _members({key: self.check(base, part) for key, part in known.items()})
        if schema[name] is False:
            names = known.keys()
            return lambda value: not isinstance(value, dict) or value.keys() <= names
        more = self.check(base, schema[name])
        return lambda value: (
            not isinstance(value, dict)
            or all(more(item) for key, item in value.items() if key not in known)
        )

    def _items(self, base: str, schema: Schema, name: str) -> Check:
        prefix = [self.check(base, part) for part in schema.get("prefixItems", ())]
        if name == "prefixItems":
            return lambda value: (
                not isinstance(value, list)
                or all(part(item) for part, item in zip(prefix, value, strict=False))
            )
        every = self.check(base, schema[name])
        first = len(prefix)
        return lambda value: not isinstance(value, list) or all(map(every, value[first:]))

    def _condition(self, base: str, schema: Schema) -> Check:
        condition = self.check(base, schema["if"])
        then, other = (self.check(base, schema.get(name, True)) for name in ("then", "else"))
        return lambda value: then(value) if condition(value) else other(value)


def _every(checks: Sequence[Check]) -> Check:
    def check(value: Any) -> bool:
        for part in checks:  # noqa: SIM110 - half the time of all()
            if not part(value):
                return False
        return True

    return check


def _some(checks: Sequence[Check]) -> Check:
    def check(value: Any) -> bool:
        for part in checks:  # noqa: SIM110
            if part(value):
                return True
        return False

    return check


def _members(checks: Mapping[str, Check]) -> Check:
    def check(value: Any) -> bool:
        if isinstance(value, dict):
            for key, item in value.items():
                if key in checks and not checks[key](item):
                    return False
        return True

    return check


def _required(names: frozenset[str]) -> Check:
    return lambda value: not isinstance(value, dict) or names <= value.keys()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == value // 1,
}


def _type(said: Any) -> Check:
    if isinstance(said, str):
        return _TYPES[said]
    kinds = [_TYPES[kind] for kind in said]
    return lambda value: any(kind(value) for kind in kinds)


def _same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal: true is not 1, but 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _unique(value: list[Any]) -> bool:
    if all(isinstance(item, str) for item in value):
        return len(set(value)) == len(value)
    return not any(_same(a, b) for i, a in enumerate(value) for b in value[:i])


def _enum(said: Any) -> Check:
    if all(isinstance(item, str) for item in said):
        words = frozenset(said)
        return lambda value: isinstance(value, str) and value in words
    return lambda value: any(_same(value, item) for item in said)


def _pattern(said: str) -> Check:
    search = re.compile(said).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _length(kind: type[Sized], *, least: bool) -> Callable[[int], Check]:
    if least:
        return lambda said: lambda value: not isinstance(value, kind) or len(value) >= said
    return lambda said: lambda value: not isinstance(value, kind) or len(value) <= said


_PLAIN: Mapping[str, Callable[[Any], Check]] = {
    "type": _type,
    "const": lambda said: lambda value: _same(value, said),
    "enum": _enum,
    "pattern": _pattern,
    "minimum": lambda said: lambda value: not _is_number(value) or value >= said,
    "maximum": lambda said: lambda value: not _is_number(value) or value <= said,
    "minLength": _length(str, least=True),
    "maxLength": _length(str, least=False),
    "minItems": _length(list, least=True),
    "maxItems": _length(list, least=False),
    "minProperties": _length(dict, least=True),
    "maxProperties": _length(dict, least=False),
    "uniqueItems": lambda said: (
        lambda value: not (said and isinstance(value, list)) or _unique(value)
    ),
}
