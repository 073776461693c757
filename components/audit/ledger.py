"""An index of the log in memory: records by digest, by idempotency key, by run.

Rules: it is made from the log's entries and can be made again; it is never trusted for
verification. It has no lock of its own: the notary calls it under its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from components.audit.answers import ACT, CLOSING_EVENTS, DONE_EVENTS, KEY, RecordView
from components.audit.envelope import vouched_statement
from components.audit.key_history import KeyHistory, is_change
from components.audit.log import Entry
from components.audit.record_time import check_time
from components.core.errors import IntegrityError


class OpenStarts:
    """The STARTs that no later record closes."""

    def __init__(self) -> None:
        self._waiting: dict[str, RecordView] = {}

    def take(self, view: RecordView) -> None:
        """Go on with a record."""
        if view.event == "START":
            self._waiting[view.record] = view
        elif view.event in CLOSING_EVENTS and view.start is not None:
            self._waiting.pop(view.start, None)

    def all(self) -> list[RecordView]:
        """Return them in order."""
        return list(self._waiting.values())


def open_starts(views: Iterable[RecordView]) -> list[RecordView]:
    """Return the STARTs that no later record closes, in order."""
    found = OpenStarts()
    for view in views:
        found.take(view)
    return found.all()


def read_entry(entry: Entry) -> tuple[RecordView, dict[str, Any]]:
    """Return the view of an entry that is vouched for, and its statement.

    Its schema is not asked, which takes as long as to read it: what records are found by, and go
    along with all others by, is looked at, so that no statement, whoever signed it, ends otherwise.
    Raises IntegrityError for one that is no record.
    """
    try:
        statement = vouched_statement(entry.leaf)
        view = RecordView.from_statement(statement, entry.index, entry.record)
        _require_names(view, statement["predicateType"])
        if (view.event == KEY) != is_change(statement):
            raise ValueError("it says by one of two fields that it changes the log's keys")
        return view, statement
    except (IntegrityError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"entry {entry.index} of the log is no record", remedy="run `tandem audit verify`"
        ) from error


def read_counting(entry: Entry, keys: KeyHistory) -> tuple[RecordView, dict[str, Any]] | None:
    """Return what `read_entry` does, None of an entry that is no record and counts for nothing.

    That is one whose key is revoked from there on; any other raises IntegrityError.
    """
    try:
        return read_entry(entry)
    except IntegrityError:
        if keys.is_revoked(entry.index):
            return None
        raise


def _require_names(view: RecordView, kind: Any) -> None:
    """Raise TypeError or ValueError for names that are no texts, or a time that is none."""
    names = (kind, view.record_id, view.idempotency_key, view.run, view.stage, view.event)
    if not all(isinstance(name, str) for name in (*names, *view.parents, view.start or "")):
        raise TypeError("it names something by what is no text")
    check_time(view.time)


class Ledger:
    """What the log says, at hand."""

    def __init__(self) -> None:
        self._by_record: dict[str, RecordView] = {}
        self._by_idempotency_key: dict[str, RecordView] = {}
        self._by_run: dict[str, list[RecordView]] = {}
        self._keys: list[RecordView] = []
        self.last_time = ""

    def add(self, entry: Entry) -> None:
        """Take in an entry that the sequencer vouches for; IntegrityError for no record."""
        self.take(read_entry(entry)[0])

    def take(self, view: RecordView) -> None:
        """Take in an entry's view."""
        self._by_record[view.record] = view
        self._by_idempotency_key[view.idempotency_key] = view
        self._by_run.setdefault(view.run, []).append(view)
        self.last_time = max(self.last_time, view.time)
        if view.event == KEY:
            self._keys.append(view)

    def of_run(self, run: str) -> list[RecordView]:
        """Return a run's records in order."""
        return list(self._by_run.get(run, ()))

    def done_by(self, stage: str) -> list[RecordView]:
        """Return the records of what a stage made, in order."""
        views = self._by_record.values()
        return [view for view in views if view.stage == stage and view.event in DONE_EVENTS]

    def acts(self) -> list[str]:
        """Return the records of all acts in order."""
        return [record for record, view in self._by_record.items() if view.event == ACT]

    def get(self, record: str) -> RecordView | None:
        """Return a record by its digest, None where there is none."""
        return self._by_record.get(record)

    def find(self, record: str) -> RecordView:
        """Return a record by its digest; raise IntegrityError where there is none."""
        view = self._by_record.get(record)
        if view is None:
            raise IntegrityError(
                f"record {record[:12] or '(no digest)'} is not in the log",
                remedy="run the stage that should have written it again, with a notary",
            )
        return view

    def with_key(self, idempotency_key: str) -> RecordView | None:
        """Return the record that a draft has already become, None if none."""
        return self._by_idempotency_key.get(idempotency_key)

    def open_start(self, run: str, stage: str, attempt: int) -> RecordView | None:
        """Return the newest START of an attempt that is still open."""
        mine = (stage, attempt)
        found = [v for v in open_starts(self.of_run(run)) if (v.stage, v.attempt) == mine]
        return found[-1] if found else None

    def free_record_id(self, name: str, run: str) -> str:
        """Return the name, or the name with the next free number behind it."""
        taken = {view.record_id for view in self.of_run(run)}
        number, found = 1, name
        while found in taken:
            number += 1
            found = f"{name}~{number}"
        return found

    def with_ancestors(self, records: Sequence[str]) -> list[RecordView]:
        """Return the records and everything that fed them, each once, by index.

        With them go the records of the log's keys, without which none of them verifies.
        """
        found: dict[str, RecordView] = {view.record: view for view in self._keys}
        waiting = list(records)
        while waiting:
            view = self.find(waiting.pop())
            if view.record not in found:
                found[view.record] = view
                waiting += view.parents
        return sorted(found.values(), key=lambda view: view.index)
