"""Entries opened together: each step is taken for all of them before the next.

Why: an entry goes through the code of six libraries, which push each other's out of the processor's
cache; sixty entries that take each step together need two thirds of the time.

Rules: an entry that fails a step takes no further one and keeps the error; a signature is held
against the keys as they are before the first entry, so after one that changes them the rest must be
opened again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NewType

from components.audit.answers import AUDIT, RecordView
from components.audit.coherence import contradictions
from components.audit.envelope import Envelope
from components.audit.key_history import KeyHistory
from components.audit.log import Entry
from components.audit.merkle import leaf_hash
from components.audit.record_time import check_time
from components.audit.schema import check_statement
from components.core.canonical import Parsed
from components.core.errors import DataError, IntegrityError

_MOST, _MOST_BYTES = 128, 2**20
Refusal = IntegrityError | DataError


Size = NewType("Size", int)
"""Of a log at which there is a checkpoint."""


class Batch:
    """Entries that wait to be opened, and checkpoints among them: few, and of few bytes."""

    def __init__(self) -> None:
        self._items: list[Entry | Size] = []
        self._bytes = 0

    def add(self, item: Entry | Size) -> None:
        """Take in an entry, or the checkpoint after those before."""
        self._items.append(item)
        if isinstance(item, Entry):
            self._bytes += len(item.leaf)

    @property
    def is_full(self) -> bool:
        """Say whether it should take no more."""
        return len(self._items) >= _MOST or self._bytes >= _MOST_BYTES

    def taken(self) -> list[Entry | Size]:
        """Return what waits, and hold nothing."""
        items, self._items, self._bytes = self._items, [], 0
        return items


@dataclass(frozen=True)
class Opened:
    """A record: an entry's hash in the tree, and what its key signed and its schema takes.

    `contradictions` are what it says in two ways (coherence.py).
    """

    entry: Entry
    record: str
    hash: bytes
    envelope: Envelope
    statement: dict[str, Any]
    view: RecordView
    contradictions: list[str]


@dataclass(frozen=True)
class Refused:
    """What is no record: IntegrityError for bytes or a signature, DataError for the schema's."""

    entry: Entry
    record: str
    hash: bytes
    why: Refusal


def opened(entries: Sequence[Entry], keys: KeyHistory) -> list[Opened | Refused]:
    """Return each entry opened, or why it was refused."""
    records = [entry.record for entry in entries]
    hashes = [leaf_hash(entry.leaf) for entry in entries]
    indexes = [entry.index for entry in entries]
    envelopes = _each(Envelope.from_bytes, [entry.leaf for entry in entries])
    signed = _each(Envelope.signed_by, envelopes, [keys.holder(index) for index in indexes])
    payloads = _each(Envelope.parsed_payload, signed)
    statements = _each(_checked, payloads)
    views = _each(_viewed, statements, indexes, records)
    contradicted = _each(contradictions, views, payloads)
    return [
        Refused(entry, record, leaf, view)
        if isinstance(view, Refusal)
        else Opened(entry, record, leaf, envelope, statement, view, wrong)
        for entry, record, leaf, envelope, statement, view, wrong in zip(
            entries, records, hashes, envelopes, statements, views, contradicted, strict=True
        )
    ]


def _each(step: Callable[..., Any], values: Sequence[Any], *more: Sequence[Any]) -> list[Any]:
    """Return what a step makes of each value; a refusal stays one."""
    if not any(issubclass(kind, Refusal) for kind in set(map(type, values))):
        with contextlib.suppress(IntegrityError, DataError):
            return list(map(step, values, *more))
    found: list[Any] = []
    for value, *others in zip(values, *more, strict=True):
        if isinstance(value, Refusal):
            found.append(value)
            continue
        try:
            found.append(step(value, *others))
        except (IntegrityError, DataError) as error:
            found.append(error)
    return found


def _viewed(statement: dict[str, Any], index: int, record: str) -> RecordView:
    """Return the view; DataError for what no schema can say, an output that is no subject, say."""
    try:
        check_time(statement["predicate"][AUDIT]["clocks"]["notary"])
        return RecordView.from_statement(statement, index, record)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the record contradicts itself: {type(error).__name__} {error}",
            remedy="compare the record with another copy of the log",
        ) from error


def _checked(payload: Parsed) -> dict[str, Any]:
    statement: dict[str, Any] = payload.value
    check_statement(statement)
    return statement
