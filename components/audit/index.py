"""An SQLite index beside the log: where records and what they made stand, and the tree's nodes.

Rules: it can be deleted at any time, and is made again from the log; nothing that it says is
believed: what is found through it is verified by signature, and by a proof made of its nodes, which
leads to the signed checkpoint's root only if they are the log's. So it is for finding what is
there; an answer that must be whole ("none omitted") reads the log, and so does one that says that
there is nothing. Which of several records that name one thing is the newest is its word. It goes on
from its last entry; where its root is not the signed one, or a proof of it fails, it is made anew:
then it is the log that is wrong. A home that cannot be written gets one in memory.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.audit.answers import (
    DONE_EVENTS,
    IMPORTED,
    KEY,
    InclusionProof,
    ProofBundle,
    RecordView,
)
from components.audit.folder import AuditFolder
from components.audit.imported import given_to
from components.audit.key_history import open_note
from components.audit.keys import PublicKey, read_public_key
from components.audit.ledger import read_counting
from components.audit.log import Entry, Log
from components.audit.merkle import leaf_hash
from components.audit.predicates import released_versions
from components.audit.proof import Proof, verify_bundle
from components.audit.stored_tree import StoredTree, unfit
from components.core.errors import IntegrityError, UnverifiableError
from components.core.stage_names import REGISTERING

_VERSION = 2
_PATIENCE_SECONDS = 30.0
_UNWRITABLE = ("SQLITE_READONLY", "SQLITE_CANTOPEN")
_TABLES = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE nodes (level INTEGER, number INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, number))
    WITHOUT ROWID;
CREATE TABLE records (place INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE, is_key INTEGER);
CREATE TABLE parents (place INTEGER, parent TEXT, PRIMARY KEY (place, parent)) WITHOUT ROWID;
CREATE TABLE made (sha256 TEXT, place INTEGER, rank INTEGER, PRIMARY KEY (sha256, place))
    WITHOUT ROWID;
CREATE TABLE versions (model TEXT, version TEXT, place INTEGER,
    PRIMARY KEY (model, version, place)) WITHOUT ROWID;
"""
_FAMILY = """
WITH RECURSIVE family (place) AS (
    SELECT value FROM json_each(?)
    UNION
    SELECT r.place FROM family AS f JOIN parents AS p USING (place)
    JOIN records AS r ON r.record = p.parent
)
SELECT place FROM family UNION SELECT place FROM records WHERE is_key ORDER BY place
"""


_OF_VERSION = "SELECT place FROM versions WHERE model = ? AND version = ? ORDER BY place DESC"
_OF_DIGEST = "SELECT place FROM made WHERE sha256 = ? ORDER BY rank DESC, place DESC"
_IMPORTED = "SELECT place FROM made WHERE sha256 = ? AND rank = -1 ORDER BY place"


class Index:
    """The index of one log as far as its newest checkpoint goes."""

    def __init__(self, log: Log, key: PublicKey, store: sqlite3.Connection) -> None:
        self._log, self._key, self._store = log, key, store
        self._tree = StoredTree(store)
        size = max(log.sizes(), default=None)
        if size is None:
            raise UnverifiableError("the log has no checkpoint", remedy="restore the log's folder")
        self.note = log.note(size)
        self._keys = log.history(size, key)
        self._checkpoint = open_note(self.note, self._keys)

    def origin(self, what: str) -> int | None:
        """Return the place of the newest record that names something, None where it has none.

        `what` is MODEL@VERSION as registered, or the digest of something that a record made, of
        which a registration comes first, and what was imported last.
        """
        model, at, version = what.rpartition("@")
        question, of = (_OF_VERSION, (model, version)) if at else (_OF_DIGEST, (what,))
        found = self._store.execute(question, of).fetchone()
        return None if found is None else int(found[0])

    def imported(self, digests: Iterable[str]) -> int | None:
        """Return the place of the first imported record that made what one digest names, if any."""
        found = (self._store.execute(_IMPORTED, (sha256,)).fetchone() for sha256 in digests)
        return min((int(row[0]) for row in found if row is not None), default=None)

    def proven(self, *wanted_places: int) -> Proof:
        """Return records and all their ancestors, each verified by signature and by a proof."""
        asked = json.dumps(wanted_places)
        places = [int(row[0]) for row in self._store.execute(_FAMILY, (asked,))]
        proofs = tuple(self._proof(self._log.entry(number)) for number in places)
        wanted = [proof.record for proof in proofs if proof.index in wanted_places]
        return verify_bundle(ProofBundle(self.note, proofs), wanted, self._key)

    def _proof(self, entry: Entry) -> InclusionProof:
        hashes = self._tree.inclusion_proof(entry.index, self._checkpoint.size)
        return InclusionProof(entry.record, entry.index, entry.leaf, tuple(hashes))

    def update(self) -> None:
        """Take up the entries that it does not have; IntegrityError where the root is another."""
        size = self._checkpoint.size
        for place in range(self._tree.size, size):
            self._take(self._log.entry(place))
        if self._tree.size != size or self._tree.root() != self._checkpoint.root:
            raise unfit(size)

    def _take(self, entry: Entry) -> None:
        found = read_counting(entry, self._keys)
        view = found[0] if found else None
        row = (entry.index, entry.record, view is not None and view.event == KEY)
        self._store.execute("INSERT INTO records VALUES (?, ?, ?)", row)
        if view is not None:
            self._take_view(view, entry.index)
        self._tree.grow(entry.index, leaf_hash(entry.leaf))

    def _take_view(self, view: RecordView, place: int) -> None:
        parents = [(place, parent) for parent in dict.fromkeys(view.parents)]
        self._store.executemany("INSERT INTO parents VALUES (?, ?)", parents)
        if view.event in DONE_EVENTS or view.event == IMPORTED:
            self._take_made(view, place)

    def _take_made(self, view: RecordView, place: int) -> None:
        registers = view.stage == REGISTERING
        rank = -1 if view.event == IMPORTED else int(registers)
        made = [(sha256, place, rank) for sha256 in set(view.subjects.values())]
        self._store.executemany("INSERT INTO made VALUES (?, ?, ?)", made)
        model = str(view.facts.get("model_name"))
        releases = released_versions(view.facts).values() if registers else ()
        versions = {(model, str(item.get("version")), place) for item in releases}
        self._store.executemany("INSERT INTO versions VALUES (?, ?, ?)", versions)


def origin_of(home: Path, what: str) -> tuple[str, Proof] | None:
    """Return the bundle that MODEL@VERSION or a digest names, and the proof of all behind it.

    Of a model from elsewhere that is with what was imported of the model that was given.
    None where the log, read whole, names no such thing. Raises UnverifiableError where there is no
    log, IntegrityError where its entries are not those that the newest checkpoint covers.
    """
    folder = AuditFolder(home)
    # What the index has wrong is right in a new one; what the log has is raised again there.
    with contextlib.suppress(IntegrityError, sqlite3.DatabaseError):
        if found := _found(folder, what, anew=False):
            return found
    return _found(folder, what, anew=True)


def _found(folder: AuditFolder, what: str, *, anew: bool) -> tuple[str, Proof] | None:
    with _opened(folder, anew=anew) as index:
        place = index.origin(what)
        if place is None:
            return None
        proof = index.proven(place)
        given = {index.imported(given_to(view)) for view in proof.records}
        if linked := sorted(item for item in given if item is not None):
            proof = index.proven(place, *linked)
    (view,) = (view for view in proof.records if view.index == place)
    bundle = _bundle_named(view, what)
    if bundle is None:
        raise IntegrityError(
            f"record {place} does not name {what}", remedy="run `tandem audit verify`"
        )
    return bundle, proof


def _bundle_named(view: RecordView, what: str) -> str | None:
    """Return the digest of the bundle that a record names so; None where it names none."""
    model, at, version = what.rpartition("@")
    if not at:
        return what if what in view.subjects.values() else None
    if view.stage != REGISTERING or view.facts.get("model_name") != model:
        return None
    named = [v for v in released_versions(view.facts).values() if str(v.get("version")) == version]
    return str(named[0].get("bundle_sha256")) if named else None


@contextmanager
def _opened(folder: AuditFolder, *, anew: bool) -> Iterator[Index]:
    """Give the index, up to date; `anew` makes it from the log."""
    log, key = Log.at(folder), read_public_key(folder)
    with contextlib.ExitStack() as stack:
        try:
            store = stack.enter_context(_store(folder.index, anew=anew))
            index = _updated(log, key, store)
        except (sqlite3.DatabaseError, OSError) as error:
            store = stack.enter_context(_store(_other_place(folder, error), anew=True))
            index = _updated(log, key, store)
        yield index


def _other_place(folder: AuditFolder, error: sqlite3.DatabaseError | OSError) -> Path:
    """Return where a new index goes after an error: its place, or memory where that is no file."""
    refused = isinstance(error, OSError)
    name = "SQLITE_CANTOPEN" if refused else getattr(error, "sqlite_errorname", "")
    return Path(":memory:") if name.startswith(_UNWRITABLE) else folder.index


@contextmanager
def _store(path: Path, *, anew: bool) -> Iterator[sqlite3.Connection]:
    if anew:
        path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as store:
        store.isolation_level = None
        yield store


def _updated(log: Log, key: PublicKey, store: sqlite3.Connection) -> Index:
    """Return the index, brought up to date in one transaction."""
    store.execute("BEGIN IMMEDIATE")
    if store.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        for statement in filter(str.strip, _TABLES.split(";")):
            store.execute(statement)
    index = Index(log, key, store)
    index.update()
    store.execute("COMMIT")
    return index
