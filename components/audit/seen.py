"""What a verification has seen of a log, on disk: a longer log takes no more memory.

Rules: it is a database that SQLite makes for one connection and removes with it (an empty file
name, https://sqlite.org/inmemorydb.html), of which 8 MB at most are in memory, filled as the
entries are read. It holds what they are looked up by, nothing of what they say.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE entries (record BLOB PRIMARY KEY, place INTEGER NOT NULL, is_verified INTEGER)
    WITHOUT ROWID;
CREATE TABLE drafts (idempotency_key BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE made (record BLOB, sha256 BLOB, is_imported INTEGER,
    PRIMARY KEY (record, sha256, is_imported)) WITHOUT ROWID;
CREATE TABLE runs (run TEXT PRIMARY KEY, sealed_at INTEGER NOT NULL) WITHOUT ROWID;
"""
_DIGEST = re.compile("[0-9a-f]{64}")
_RECENT = 1000
"""Entries that are written together, and runs that are not asked for again: the records of those
that go on stand among each other."""


class Seen:
    """The entries so far: by record, by idempotency key, what they made, and the runs they are of.

    Records and idempotency keys are digests in hexadecimal, as the schemas of records ask.
    """

    def __init__(self, store: sqlite3.Connection) -> None:
        self._store = store
        self._recent: set[str] = set()
        self._newest: dict[bytes, tuple[int, bool]] = {}
        self._newest_drafts: list[tuple[bytes, int]] = []

    def add(self, record: str, place: int, *, verified: bool) -> None:
        """Take in an entry, and whether it is a record that was verified."""
        self._newest.setdefault(bytes.fromhex(record), (place, verified))
        if len(self._newest) == _RECENT:
            rows = [(key, *rest) for key, rest in self._newest.items()]
            self._store.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", rows)
            self._newest.clear()

    def has(self, record: str) -> bool:
        """Say whether an entry of that digest was seen."""
        return self._entry(bytes.fromhex(record)) is not None

    def verified_place(self, record: str) -> int | None:
        """Return where a verified record stands, None where none of that digest was seen.

        What a record names in its facts may be any text.
        """
        if _DIGEST.fullmatch(record) is None:
            return None
        place, verified = self._entry(bytes.fromhex(record)) or (None, False)
        return place if verified else None

    def _entry(self, key: bytes) -> tuple[int, bool] | None:
        """Return an entry's place and whether it was verified; the first of those of a digest."""
        question = "SELECT place, is_verified FROM entries WHERE record = ?"
        found = self._store.execute(question, (key,)).fetchone()
        return self._newest.get(key) if found is None else (int(found[0]), bool(found[1]))

    def add_draft(self, idempotency_key: str, place: int) -> list[tuple[int, int]]:
        """Take in the key of the draft that became an entry; return `twins` now and then."""
        self._newest_drafts.append((bytes.fromhex(idempotency_key), place))
        return self.twins() if len(self._newest_drafts) == _RECENT else []

    def twins(self) -> list[tuple[int, int]]:
        """Return each entry whose draft was one before, and which: of those not yet looked at."""
        rows, self._newest_drafts = sorted(self._newest_drafts), []
        added = self._store.executemany("INSERT OR IGNORE INTO drafts VALUES (?, ?)", rows)
        if added.rowcount == len(rows):
            return []
        question = "SELECT place FROM drafts WHERE idempotency_key = ?"
        found = [(place, *self._store.execute(question, (key,)).fetchone()) for key, place in rows]
        return sorted((place, first) for place, first in found if place != first)

    def drafts(self, places: range) -> list[int]:
        """Return where, in a part of the log, a draft became a record, in order; after `twins`."""
        question = "SELECT place FROM drafts WHERE place >= ? AND place < ? ORDER BY place"
        found = self._store.execute(question, (places.start, places.stop))
        return [int(row[0]) for row in found]

    def add_made(self, record: str, outputs: Iterable[str], *, imported: bool = False) -> None:
        """Take in the digests of what a record says was made, here or before there was a log."""
        rows = [(bytes.fromhex(record), bytes.fromhex(sha256), imported) for sha256 in outputs]
        if rows:
            self._store.executemany("INSERT OR IGNORE INTO made VALUES (?, ?, ?)", rows)

    def has_made(self, record: str, sha256: str, *, imported: bool = False) -> bool:
        """Say whether a record was seen that made what has that digest."""
        question = "SELECT 1 FROM made WHERE record = ? AND sha256 = ? AND is_imported = ?"
        row = (bytes.fromhex(record), bytes.fromhex(sha256), imported)
        return self._store.execute(question, row).fetchone() is not None

    def add_run(self, run: str) -> None:
        """Take in the run of an entry."""
        if run in self._recent:
            return
        if len(self._recent) == _RECENT:
            self._recent.clear()
        self._recent.add(run)
        self._store.execute("INSERT OR IGNORE INTO runs VALUES (?, -1)", (run,))

    def seal(self, run: str, place: int) -> None:
        """Note where a run, taken in before, has its closing record."""
        self._store.execute("UPDATE runs SET sealed_at = ? WHERE run = ?", (place, run))

    def is_sealed(self, run: str, place: int) -> bool:
        """Say whether a run has its closing record behind a place."""
        question = "SELECT sealed_at FROM runs WHERE run = ?"
        found = self._store.execute(question, (run,)).fetchone()
        return found is not None and int(found[0]) > place

    def runs(self) -> Iterator[str]:
        """Yield the runs, sorted."""
        for row in self._store.execute("SELECT run FROM runs ORDER BY run"):
            yield str(row[0])


@contextmanager
def nothing_seen() -> Iterator[Seen]:
    """Give an empty one, which is gone afterwards."""
    with contextlib.closing(sqlite3.connect("")) as store:
        store.isolation_level = None
        store.executescript(_TABLES)
        store.execute("BEGIN")
        yield Seen(store)
