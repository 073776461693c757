"""A schema as text: TFMD's text proto in one readable form, and a change of some of its features.

Rules:
1. what is written is stable: a feature's name and type come first, then its domain, presence and
   shape, then the rest; a message inside a feature takes one line;
2. a change touches the text of the features and domains that differ: the order of all others, the
   comments between them and those at the top stay as a person wrote them;
3. a new feature goes before the first whose name is greater, whatever the order of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.errors import SettingsError
from components.validate_examples.schema import parse_part, parse_schema

# What a reader looks for first and after a domain; other fields follow in the proto's own order.
_FIRST = ("default_environment", "feature", "name", "type", "domain")
_LAST = ("presence", "shape", "value_count", "in_environment", "not_in_environment")
_NAMED = ("feature", "string_domain")
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*) | (?P<text>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')
    | (?P<open>[{<\[]) | (?P<close>[}>\]]) | (?P<word>[^\s\#"'{}<>\[\]:;,]+) | (?P<mark>[:;,])""",
    re.VERBOSE,
)


def read_schema(path: Path) -> schema_pb2.Schema:
    """Return the schema in a file; raise SettingsError naming the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text", remedy="correct the file") from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}", remedy="name another file"
        ) from error
    return parse_schema(text, str(path))


def write(schema: schema_pb2.Schema, comment: str = "") -> str:
    """Return a whole schema as text, below a comment of one or more lines."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for name, element, alone in _elements(schema):
        is_message = hasattr(element, "ListFields")
        lines += _block(name, element) if is_message else [_one_line(alone)]
    return "\n".join(lines) + "\n"


def _block(name: str, message: Any) -> list[str]:
    """Return a message of the top level, one field a line."""
    return [f"{name} {{", *(f"  {_one_line(alone)}" for _, _, alone in _elements(message)), "}"]


def _one_line(message: Any) -> str:
    return str(text_format.MessageToString(message, as_one_line=True, as_utf8=True)).strip()


def _elements(message: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (field, value, a message with this value alone), in the order of rule 1."""
    for field, value in sorted(message.ListFields(), key=_place):
        for element in value if hasattr(value, "append") else (value,):
            alone = type(message)()
            target = getattr(alone, field.name)
            if hasattr(target, "append"):
                target.append(element)
            elif hasattr(element, "ListFields"):
                target.SetInParent()
                target.CopyFrom(element)
            else:
                setattr(alone, field.name, element)
            yield field.name, element, alone


def _place(entry: tuple[Any, Any]) -> tuple[int, int]:
    """Return where a field goes: the first names, domains, what holds of all, the others."""
    name, number = entry[0].name, entry[0].number
    for group, names in ((0, _FIRST), (2, _LAST)):
        if name in names:
            return group, names.index(name)
    return (1 if name.endswith("_domain") else 3), number


@dataclass(frozen=True)
class _Entry:
    """A feature or a string domain in a text: what it is and where."""

    kind: str
    name: str
    start: int
    end: int


def change(text: str, changed: schema_pb2.Schema) -> str:
    """Return the text of a schema with the features and domains of `changed` (rule 2).

    A feature or domain that `changed` no longer has is taken out.
    """
    before = parse_part(text)
    entries = list(_entries(text))
    edits: list[tuple[int, int, str]] = []
    for kind in _NAMED:
        old = {message.name: message for message in getattr(before, kind)}
        new = {message.name: message for message in getattr(changed, kind)}
        there = [entry for entry in entries if entry.kind == kind]
        for entry in there:
            if entry.name not in new:
                edits.append((entry.start, _line_end(text, entry.end), ""))
            elif new[entry.name] != old[entry.name]:
                edits.append((entry.start, entry.end, "\n".join(_block(kind, new[entry.name]))))
        for name in sorted(new.keys() - old.keys()):
            block = "\n".join(_block(kind, new[name])) + "\n"
            edits.append(_insertion(text, there, name, block))
    return _applied(text, edits)


def _insertion(text: str, there: list[_Entry], name: str, block: str) -> tuple[int, int, str]:
    """Return the edit that adds a block in its place (rule 3)."""
    for entry in there:
        if entry.name > name:
            return entry.start, entry.start, block
    place = _line_end(text, there[-1].end) if there else len(text)
    newline = "" if place == 0 or text[place - 1] == "\n" else "\n"
    return place, place, newline + block


def _applied(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Apply edits from the end; of those at one place the first comes first in the text."""
    ordered = sorted(enumerate(edits), key=lambda item: (item[1][0], item[1][1], item[0]))
    for _, (start, end, replacement) in reversed(ordered):
        text = text[:start] + replacement + text[end:]
    return text


def _line_end(text: str, place: int) -> int:
    """Return the place after the newline that follows, where only blanks come before it."""
    match = re.compile(r"[ \t;,]*\n").match(text, place)
    return match.end() if match else place


def _entries(text: str) -> Iterator[_Entry]:
    """Yield the features and string domains at the top level of a text that parses."""
    depth, start, kind = 0, 0, ""
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
            if depth == 0 and kind in _NAMED:
                yield _entry(text, kind, start, token.end())
        elif token.lastgroup == "word" and depth == 0:
            start, kind = token.start(), token.group()


def _entry(text: str, kind: str, start: int, end: int) -> _Entry:
    message = getattr(parse_part(text[start:end]), kind)[0]
    return _Entry(kind, message.name, start, end)
