"""What must not stand in a record: patterns of personal data and of secrets in its free text.

Rules: a record is kept for years and can never be changed, so a draft is refused before it is
signed; every text that a stage chooses is looked at, names of fields and what a person signed too,
whatever the stage is; digests, identifiers and numbers that are numbers are no free text. The error
names the field and the pattern, never what was found. A pattern is a net and no proof: a name or an
address without one passes. Numbers of 9 digits and more count unless they are a date, because
accounts, patients and citizens have them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.audit import base64_strict
from components.core.canonical import parse_json
from components.core.errors import DataError

CHOSEN = ("facts", "cause", "settings", "gates", "environment")
OF_RUN = ("name", "actor", "trigger")
_DIGEST = re.compile(r"(?<!\w)(?:sha256:[0-9a-f]{16,64}|[0-9a-f]{40}|[0-9a-f]{64})(?!\w)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|#(.*)')
_DAY = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_TIMESTAMP = re.compile(
    rf"(?<!\d){_DAY}(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\d{{3}}|\d{{6}})?)?(?!\d)"
)
_OF_DIGITS = frozenset({"a bank account or card", "a phone number", "a long number"})
"""In which a digest or a moment that is all digits must not count."""
_YEARS = r"(?!(?:(?:19|20)\d\d[ -]){3})"
_PATTERNS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "a secret": (
        re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY"),
        re.compile(r"(?<![A-Za-z0-9])A(?:KIA|SIA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
        re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_[A-Za-z0-9_]{30})"),
        re.compile(r"(?<![A-Za-z0-9])(?:xox[abprs]-[A-Za-z0-9-]{10}|hf_[A-Za-z0-9]{30})"),
        re.compile(r"(?<![A-Za-z0-9])(?:AIza[A-Za-z0-9_-]{35}|sk-[A-Za-z0-9_-]{20})"),
        re.compile(r"(?<![A-Za-z0-9])(?:[rs]k_(?:live|test)_[A-Za-z0-9]{10}|glpat-[\w-]{20})"),
        re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8}"),
        re.compile(r"\b[Bb]earer\s+[A-Za-z0-9._~+/-]{16}"),
        re.compile(r"://[^/\s:@]{1,200}:[^/\s@*]{1,200}@"),
        re.compile(
            r"(?i)(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token)"
            r"[\"']?\s{0,5}[=:]\s{0,5}[\"']?[^\s\"'*$<{]{6}"
        ),
        re.compile(  # a parser's "unexpected token: name" is none
            r"(?i)token[\"']?\s{0,5}[=:]\s{0,5}[\"']?(?=[a-z_-]{0,200}\d)[^\s\"'*$<{]{10}"
        ),
    ),
    "an e-mail address": (
        re.compile(r"[\w.+-]{1,64}@(?:[^\W_](?:[^\W_]|-){0,62}\.){1,8}[^\W\d_]{2,24}(?![\w-])"),
    ),
    "a bank account or card": (
        re.compile(
            r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"
        ),
        re.compile(rf"(?<![\w.-]){_YEARS}\d{{4}}(?:[ -]\d{{4}}){{3}}(?:[ -]?\d{{1,3}})?(?![\w-])"),
    ),
    "a phone number": (
        re.compile(
            r"(?<![\w.])(?=(?:\D{0,2}\d){8})\+[1-9]\d{0,2}(?:[ -]?\(?\d{1,4}\)?){2,5}(?!\w|\.\d)"
        ),
        re.compile(r"(?<![\w.-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?!\w|-|\.\d)"),
        re.compile(r"(?<![\w.-])(?:0\d(?: \d\d){4}|\(0\d{1,4}\) ?\d{5,8})(?!\w|-|\.\d)"),
        re.compile(r"(?<![\w.:/-])0\d{1,4}(?:[ /-]\d{5,8}|[ -]\d{3,4}[ -]\d{3,8})(?!\w|-|\.\d)"),
        re.compile(
            r"(?i)\b(?:tel|telephone|phone|mobile|fax)(?: ?number| ?no)?[.:]?\s{0,3}"
            r"(?!\d{4}-\d\d)\(?[+0-9](?:[ ()/-]?\d){5}"
        ),
    ),
    "a long number": (
        re.compile(r"(?<![\w.-])\d{9,}(?!\w|\.\d)"),
        re.compile(r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    ),
}


def check_no_personal_data(draft: Mapping[str, Any]) -> None:
    """Raise DataError for a draft whose free text carries a pattern; the value is not told."""
    for where, text in _texts_of(draft):
        found = pattern_in(text)
        if found is not None:
            raise DataError(
                f"{where} of the record of {draft['stage']} holds what looks like {found}",
                remedy="leave it out of the settings, the data card and what the step states: name "
                "people by pseudonyms, rows by counts, secrets by the variables that hold them",
            )


@functools.lru_cache(maxsize=16_384)  # the stages of a run record the same settings
def pattern_in(text: str) -> str | None:
    """Return which pattern a text carries, None where it carries none."""
    digits_left = _TIMESTAMP.sub("", _DIGEST.sub("", text))
    for name, patterns in _PATTERNS.items():
        searched = digits_left if name in _OF_DIGITS else text
        if any(pattern.search(searched) for pattern in patterns):
            return name
    return None


def check_no_pattern(what: str, text: str) -> None:
    """Raise DataError for a text that carries a pattern; the value is not told."""
    if (found := pattern_in(text)) is not None:
        raise DataError(
            f"{what} holds what looks like {found}, and a record is kept for years",
            remedy="name people by pseudonyms, and secrets by the variables that hold them",
        )


def _texts_of(draft: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    run = draft["run"]
    yield from _texts("run", {name: run[name] for name in OF_RUN if name in run})
    if isinstance(run.get("code"), Mapping):
        yield from _texts("run.code", run["code"])
    for field in CHOSEN:
        yield from _texts(field, draft[field])
    for field in ("inputs", "outputs"):
        for number, item in enumerate(draft[field]):
            yield f"{field}[{number}].name", item["name"]


def _texts(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text with its place; a name of a field is said by the place above it."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        yield from ((f"a name in {where}", str(key)) for key in value)
        for key, item in value.items():
            yield from _inside(f"{where}.{key}", key, item, value)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts(f"{where}[{number}]", item)


def _inside(
    where: str, key: str, item: Any, beside: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield the texts of one field, of a signed payload and of a schema what is text in them."""
    if key == "payload" and "payloadType" in beside and isinstance(item, str):
        yield from _texts(where, _opened(item))
    elif key == "schema_text" and isinstance(item, str):
        yield from ((where, quoted or comment) for quoted, comment in _QUOTED.findall(item))
    else:
        yield from _texts(where, item)


def _opened(payload: str) -> Any:
    """Return what an envelope's payload says; what is none is a text like any other."""
    try:
        return parse_json(base64_strict.decode(payload))
    except (ValueError, RecursionError):
        return payload
