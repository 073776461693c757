"""Which rows are of a person, for who knows the person and the key: an index that can be erased.

    HOME/subjects/ROOT.jsonl    one line a subject, in the order of their pseudonyms

Rules: a pseudonym is the HMAC-SHA256 of the subject under a key that is in no setting and no
record; a line holds it, a random salt, and the rows by split, span and range (first and last, from
0, as the shard has them). One line more is of the key itself and has no rows: with another key
nobody is found, which is no answer. The log holds the root of the Merkle tree over the lines (RFC
6962) and nothing else, so that the index is verified against the log, and the log needs no index:
erasing a line leaves its hash in its place and nothing beside it, from which nobody finds salt and
pseudonym, and erasing the file, the folder or the key changes no record.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.audit.merkle import Tree, leaf_hash
from components.core.artifacts import write_text
from components.core.canonical import canonical_json, parse_json
from components.core.errors import IntegrityError, PlatformError, SettingsError

KEY_VARIABLE = "TANDEM_SUBJECT_KEY"
HEX_VARIABLE = "TANDEM_SUBJECT_KEY_HEX"
"""The key itself, for pods: a Secret as a file is there for all to read, or for nobody but root."""
FACT = "subjects_root"
KEY_BYTES = 32
_FOLDER = "subjects"
_OF_THE_KEY = "\0the key itself"
"""Stands for the key among the subjects, and is none of them."""
Range = tuple[str, str, int, int]
"""Split, span, first row and last row of a shard."""


def read_key(path: Path) -> bytes:
    """Return the key in a file; SettingsError for none, and for one that is short or open."""
    remedy = f"head -c {KEY_BYTES} /dev/urandom > FILE; chmod 600 FILE"
    try:
        key, mode = path.read_bytes(), path.stat().st_mode & 0o077
    except OSError as error:
        raise SettingsError(
            f"the subjects' key {path} cannot be read: {error.strerror}", remedy=remedy
        ) from error
    if len(key) < KEY_BYTES or mode:
        why = "may be read by others" if mode else f"has fewer than {KEY_BYTES} bytes"
        raise SettingsError(f"the subjects' key {path} {why}", remedy=remedy)
    return key


def key_of_environment() -> bytes:
    """Return the key that a variable names or holds; SettingsError for none, and for a bad one."""
    if file := os.environ.get(KEY_VARIABLE):
        return read_key(Path(file))
    remedy = (
        f"make one (head -c {KEY_BYTES} /dev/urandom > FILE; chmod 600 FILE) and name it in "
        f"{KEY_VARIABLE}; in a pod {HEX_VARIABLE} holds its digits, from a Secret"
    )
    digits = os.environ.get(HEX_VARIABLE, "").strip()
    if not digits:
        raise SettingsError(
            f"neither {KEY_VARIABLE} nor {HEX_VARIABLE} gives the subjects' key", remedy=remedy
        )
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise SettingsError(
            f"{HEX_VARIABLE} does not hold {2 * KEY_BYTES} hexadecimal digits or more",
            remedy="make them with `openssl rand -hex 32`",
        )
    return key


def pseudonym(key: bytes, subject: str) -> str:
    """Return what stands for a subject in the index."""
    return hmac.new(key, subject.encode(), "sha256").hexdigest()


@dataclass
class SubjectIndex:
    """The rows of each subject while they come in, by the key that hides who they are."""

    key: bytes
    _rows: dict[str, list[Range]] = field(default_factory=dict)

    def add(self, subject: str, split: str, span: str, first: int, last: int) -> None:
        """Take a range of one subject's rows; ranges of a shard come in their order."""
        ranges = self._rows.setdefault(pseudonym(self.key, subject), [])
        if ranges and ranges[-1][:2] == (split, span) and ranges[-1][3] == first - 1:
            first = ranges.pop()[2]
        ranges.append((split, span, first, last))

    def store(self, home: Path) -> str:
        """Write the index below a home and return its root."""
        rows = self._rows | {pseudonym(self.key, _OF_THE_KEY): []}
        lines = [
            canonical_json(
                {"subject": name, "salt": secrets.token_hex(16), "rows": list(map(list, ranges))}
            )
            for name, ranges in sorted(rows.items())
        ]
        root = _root(map(leaf_hash, lines))
        _write(_file(home, root), lines)
        return root


@dataclass(frozen=True)
class Found:
    """What an index says of a subject: its rows, and how many lines were erased from the index.

    Without rows the subject was one of those erased, or never was in it: that nobody can tell.
    """

    rows: tuple[Range, ...]
    erased: int


def kept_roots(home: Path) -> list[str]:
    """Return the roots of all indexes that are there, those of no record in the log too.

    An ingestion that failed after it had stored its index leaves such a one.
    """
    return sorted(path.stem for path in (home / _FOLDER).glob("*.jsonl"))


def rows_of(home: Path, root: str, key: bytes, subject: str) -> Found | None:
    """Return what the index of a root says of a subject.

    None where it is no longer there, and where nothing shows that the key is the one it was made
    with. Raises IntegrityError where the index is not the one that the root names.
    """
    lines = _read(home, root)
    if lines is None:
        return None
    name, of_key = pseudonym(key, subject), pseudonym(key, _OF_THE_KEY)
    if not {name, of_key} & {value.get("subject") for value, _ in lines}:
        return None
    found = [value for value, _ in lines if value.get("subject") == name]
    rows = tuple(_range(item) for value in found for item in value["rows"])
    return Found(rows, sum("erased" in value for value, _ in lines))


@dataclass(frozen=True)
class Erased:
    """The roots of the indexes that had a subject, and of those made with another key perhaps."""

    roots: tuple[str, ...]
    unknown: tuple[str, ...]


def erase(home: Path, roots: Iterable[str], key: bytes, subject: str) -> Erased:
    """Take a subject's lines out of the indexes of roots, as far as they are there.

    Raises IntegrityError for an index that is not the one that its root names.
    """
    name, of_key = pseudonym(key, subject), pseudonym(key, _OF_THE_KEY)
    changed, unknown = [], []
    for root in roots:
        lines = _read(home, root)
        if lines is None:
            continue
        there = {value.get("subject") for value, _ in lines}
        if name in there:
            kept = [
                canonical_json({"erased": leaf.hex()} if value.get("subject") == name else value)
                for value, leaf in lines
            ]
            _write(_file(home, root), kept)
            changed.append(root)
        elif of_key not in there:
            unknown.append(root)
    return Erased(tuple(changed), tuple(unknown))


def _read(home: Path, root: str) -> list[tuple[dict[str, Any], bytes]] | None:
    """Return each line and its leaf's hash, verified by the root; None where the file is gone."""
    try:
        data = _file(home, root).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    try:
        values = [parse_json(line) for line in data]
        leaves = [
            bytes.fromhex(value["erased"]) if value.keys() == {"erased"} else leaf_hash(line)
            for value, line in zip(values, data, strict=True)
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise _wrong(root, f"a line cannot be read ({type(error).__name__})") from error
    if (actual := _root(leaves)) != root:
        raise _wrong(root, f"its lines have the root {actual}")
    return list(zip(values, leaves, strict=True))


def _range(item: Sequence[Any]) -> Range:
    split, span, first, last = item
    return str(split), str(span), int(first), int(last)


def _root(leaves: Iterable[bytes]) -> str:
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root().hex()


def _file(home: Path, root: str) -> Path:
    return home / _FOLDER / f"{root}.jsonl"


def _write(path: Path, lines: Iterable[bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(path, "".join(f"{line.decode()}\n" for line in lines))
    except OSError as error:
        raise PlatformError(
            f"the index of subjects cannot be written: {error.strerror}",
            remedy=f"make room or fix permissions in {path.parent}",
        ) from error


def _wrong(root: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"the index of subjects {root[:12]} is not the one that the log names: {why}",
        remedy="restore it from a copy, or erase it whole",
    )


def runs_of_rows(subjects: Sequence[Any], first: int) -> Iterator[tuple[str, int, int]]:
    """Yield (subject, first, last) of neighbouring rows of one subject; None is of nobody."""
    start = 0
    for end in range(1, len(subjects) + 1):
        if end == len(subjects) or subjects[end] != subjects[start]:
            if subjects[start] is not None:
                yield str(subjects[start]), first + start, first + end - 1
            start = end
