"""Say in one line what is wrong with settings, and which name was probably meant.

pydantic reports where and why; this module puts the place as a dotted key and says in our own terms
what was expected, with an example, and what it is. For a name it looks for the nearest: among those
that the place knows first, then among all keys of the settings. A problem is the command line's
where the file by itself does not have it.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError

from components.core import kubernetes_names
from components.core.data_settings import DELIMITER_PATTERN, SPAN_PATTERN
from components.core.prices import CURRENCY_PATTERN
from components.core.settings import DIGEST_PATTERN, FUNCTION_PATTERN, LINE_PATTERN, NAME_PATTERN
from components.core.words import nearest

SHOWN = 3
Location = tuple[int | str, ...]
_NUMBER, _WHOLE = "a number, such as 0.5", "a whole number, such as 4"
# By pydantic's types of errors and their context.
_WORDS: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "names with values, such as {{NAME: VALUE}}",
    "finite_number": "a finite number",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "string_too_long": "a text of length {max_length} or less",
    "string_too_short": "a text of length {min_length} or more",
    "string_type": 'a text; one that looks like a number is written in quotes, such as "2013"',
    "too_short": "a list of {min_length} or more",
}
PATTERNS: Mapping[str, str] = {
    NAME_PATTERN: "a name of letters, digits, _, . and -, a letter or _ first, such as arr_delay",
    DIGEST_PATTERN: "a SHA-256 digest, 64 digits of 0 to 9 and a to f",
    FUNCTION_PATTERN: "MODULE:FUNCTION, such as my_models:build_model",
    DELIMITER_PATTERN: "one ASCII character, such as ;",
    LINE_PATTERN: "words in one line",
    SPAN_PATTERN: "a month like 2013-01, a day like 2013-01-31, or all",
    CURRENCY_PATTERN: "a currency's three letters, such as EUR",
    **kubernetes_names.WORDS,
}


def explain(kind: type[BaseModel], error: ValidationError) -> str:
    """Return every key that is missing, and of the other problems the first few with their key."""
    problems = list(_distinct(error))
    missing = [_dotted(problem) for problem in problems if problem["type"] == "missing"]
    others = [problem for problem in problems if problem["type"] != "missing"]
    lines = [f"{', '.join(missing)}: missing"] if missing else []
    lines += [_line(kind, problem) for problem in others[:SHOWN]]
    if len(others) > SHOWN:
        lines.append(f"and {len(others) - SHOWN} more")
    return "; ".join(lines)


def _distinct(error: ValidationError) -> Iterator[Mapping[str, Any]]:
    """Yield the problems; a list whose element is wrong is not also called too short."""
    problems = error.errors(include_url=False)
    places = [problem["loc"] for problem in problems]
    for problem in problems:
        place = problem["loc"]
        below = any(len(other) > len(place) and other[: len(place)] == place for other in places)
        if not (below and problem["type"] == "too_short"):
            yield problem


def to_correct(
    kind: type[BaseModel],
    error: ValidationError,
    file_values: Mapping[str, Any],
    place: str,
    overrides: Sequence[str],
) -> str:
    """Return where to correct the problems: in the file, in overrides (KEY=VALUE), or in both."""
    before = _problems(kind, file_values)
    own = [problem for problem in error.errors(include_url=False) if _key(problem) not in before]
    if not overrides or not own:
        return f"it in {place}"
    keys = [override.partition("=")[0] for override in overrides]
    places = [_dotted(problem).split(".") for problem in own]
    wrong = [key for key in keys if any(_meet(key.split("."), place) for place in places)] or keys
    options = ", ".join(f"--set {key}{_or_window(key)}" for key in dict.fromkeys(wrong))
    return options if len(own) == error.error_count() else f"{options}, and it in {place}"


def _problems(kind: type[BaseModel], values: Mapping[str, Any]) -> list[Any]:
    try:
        kind.model_validate(values)
    except ValidationError as error:
        return [_key(problem) for problem in error.errors(include_url=False)]
    return []


def _key(problem: Mapping[str, Any]) -> tuple[Any, ...]:
    return problem["type"], problem["loc"], problem["input"]


def _meet(one: Sequence[str], other: Sequence[str]) -> bool:
    """Say whether one of two places is the other, or below it."""
    return all(a == b for a, b in zip(one, other, strict=False))


def _or_window(key: str) -> str:
    """Say that --window gives the same keys."""
    return " (or --window)" if key in ("window.first", "window.last") else ""


def _dotted(problem: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in problem["loc"] if part != "[key]")


def _line(kind: type[BaseModel], problem: Mapping[str, Any]) -> str:
    key = _dotted(problem)
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown{_suggestion(kind, problem['loc'])}"
    if problem["type"] == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{key}: {message}" if key else message
    return f"{key}: {_expected(kind, problem)} (it is {_short(problem['input'])})"


def _expected(kind: type[BaseModel], problem: Mapping[str, Any]) -> str:
    """Return what was expected in our own terms; pydantic's words for what has none here."""
    said, bounds = problem["type"], problem.get("ctx", {})
    if said == "string_pattern_mismatch":
        words = PATTERNS.get(bounds["pattern"], f"a text like {bounds['pattern']}")
    elif said == "literal_error":
        return _one_of(bounds["expected"].replace("'", ""), problem["input"])
    elif said == "tuple_type":
        one = problem["input"]
        words = f"a list, such as [{one if isinstance(one, str) else 'ONE, ANOTHER'}]"
    elif said == "model_type":
        section = section_at(kind, problem["loc"])
        words = f"a section with keys such as {', '.join(_names(section)[:3])}"
    elif said in _WORDS:
        words = _WORDS[said].format(**bounds)
    else:
        return str(problem["msg"])
    return f"expected {words}"


def _one_of(choices: str, value: Any) -> str:
    """Return the choices, and the one that was probably meant."""
    return f"expected {choices}{nearest(str(value), re.split(', | or ', choices))}"


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
