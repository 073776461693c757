"""Say in one line what is wrong with settings, and which name was probably meant.

pydantic reports where and why; this module puts the place as a dotted key and looks for the
nearest name: among the names that the place knows first, then among all keys of the settings.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError

SHOWN = 3
Location = tuple[int | str, ...]


def explain(kind: type[BaseModel], error: ValidationError) -> str:
    """Return the first few problems, each with its dotted key."""
    problems = error.errors(include_url=False, include_context=False)
    lines = [_line(kind, problem) for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"and {len(problems) - SHOWN} more")
    return "; ".join(lines)


def _line(kind: type[BaseModel], problem: Mapping[str, Any]) -> str:
    location: Location = problem["loc"]
    key = ".".join(str(part) for part in location if part != "[key]")
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown{_suggestion(kind, location)}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key}: {message} (it is {_short(problem['input'])})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _suggestion(kind: type[BaseModel], location: Location) -> str:
    """Return "; did you mean ...?" for the nearest name, or what the place has."""
    *parents, wrong = (str(part) for part in location)
    siblings = _names(section_at(kind, location[:-1]))
    if near := difflib.get_close_matches(wrong, siblings, n=1):
        return f"; did you mean {'.'.join([*parents, near[0]])}?"
    elsewhere = {key.rsplit(".", 1)[-1]: key for key in dotted_keys(kind)}
    if near := difflib.get_close_matches(wrong, elsewhere, n=1, cutoff=0.8):
        return f"; did you mean {elsewhere[near[0]]}?"
    return f"; {'.'.join(parents) or 'the file'} has {', '.join(sorted(siblings))}"


def _names(kind: type[BaseModel] | None) -> list[str]:
    if kind is None:
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def section_at(kind: Any, location: Location) -> type[BaseModel] | None:
    """Return the model that stands at a location: through fields, dicts and tuples."""
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = dict(zip(_names(kind), kind.model_fields.values(), strict=True))
            kind = fields[str(part)].annotation if str(part) in fields else None
        else:
            kind = _element(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _element(kind: Any) -> Any:
    """Return what a dict or a tuple holds."""
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        return arguments[1]
    return arguments[0] if origin is tuple else None


def dotted_keys(kind: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a model's sections, dicts and tuples left out."""
    for name, field in zip(_names(kind), kind.model_fields.values(), strict=True):
        yield f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from dotted_keys(field.annotation, f"{prefix}{name}.")
