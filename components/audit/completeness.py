"""Of how much an answer speaks: what "none" stands on.

Rules: it counts under the same verified checkpoint as the answer; a run is closed by the record of
its exit task, until something of it but an erasure begins again; what was started and never closed
is a finding beside any answer, because nobody knows what it would have recorded, and so is what a
revoked key signed, which says nothing, a record or not. The oldest checkpoint in the log is held
against the same entries (RFC 6962, 2.1.2: both roots are computed from them), so nothing was taken
out between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.audit.answers import CLOSED_EVENTS, KEY, RecordView
from components.audit.findings import Finding, never_closed, no_record, not_counting
from components.audit.folder import AuditFolder
from components.audit.left_open import left_open, sealed_runs
from components.audit.log import Log
from components.audit.unrecorded import Counted, counted
from components.audit.verified_log import VerifiedLog
from components.audit.writer_lock import is_being_written
from components.core.errors import (
    Citation,
    IntegrityError,
    NotRecordedError,
    SettingsError,
    UnverifiableError,
)


@dataclass(frozen=True)
class Completeness:
    """How many runs and records were looked at; `first` and `last` are sizes of checkpoints.

    `unclosed` are the runs without a closing record, `open` the attempts among them that nobody
    will close, `revoked` the records of each key that do not count,
    but for changes of keys, on which no answer stands. `unsigned` entries lie behind `last`, under
    no checkpoint: no answer stands on them. A crash leaves such; so does who takes a checkpoint
    away. `about` is what is wrong with the versions that the answer is on (version_findings.py),
    `drafts` lie in the spool, in no log, and `foreign` are the entries that are no records.
    """

    runs_started: int
    unclosed: tuple[str, ...]
    records: int
    first: int
    last: int
    open: tuple[RecordView, ...] = ()
    revoked: tuple[tuple[RecordView, ...], ...] = ()
    unsigned: int = 0
    drafts: Counted = field(default_factory=Counted)
    about: tuple[Finding, ...] = ()
    foreign: tuple[Finding, ...] = ()

    @property
    def runs_closed(self) -> int:
        """The runs that have their closing record."""
        return self.runs_started - len(self.unclosed)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "runs_started": self.runs_started,
            "runs_closed": self.runs_closed,
            "unclosed": list(self.unclosed),
            "records": self.records,
            "consistent_from": self.first,
            "consistent_to": self.last,
            "unsigned": self.unsigned,
            "waiting": self.drafts.waiting,
            "refused": self.drafts.refused,
            "open": [cited(view) | {"run": view.run, "stage": view.stage} for view in self.open],
            "revoked": [
                {"first": views[0].index, "last": views[-1].index} for views in self.revoked
            ],
        }

    def to_text(self) -> str:
        """Return it for people, on one line."""
        not_closed = f" (not: {', '.join(self.unclosed)})" if self.unclosed else ""
        gone = sum(map(len, self.revoked))
        not_counted = f", {gone} of them of a revoked key" if gone else ""
        return (
            f"{self.runs_started} runs started, {self.runs_closed} closed{not_closed}, log "
            f"consistent from {self.first} to {self.last} entries{not_counted}"
            f"{unsigned_text(self.unsigned)}{self.drafts.to_text()}"
        )

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the versions, what was never closed, and what does not count."""
        beside = [*map(never_closed, self.open), *map(not_counting, self.revoked)]
        return [*self.about, *self.foreign, *beside]


def completeness(home: Path, log: VerifiedLog, about: Sequence[Finding] = ()) -> Completeness:
    """Return of how much a home's log speaks; IntegrityError where it is not consistent."""
    folder = AuditFolder(home)
    runs = {view.run for view in log.views if view.event not in CLOSED_EVENTS}
    return Completeness(
        runs_started=len(runs),
        unclosed=tuple(sorted(runs - sealed_runs(log.views))),
        records=len(log.views),
        first=_first_consistent(Log.at(folder), log),
        last=log.snapshot.size,
        open=tuple(left_open(log.views, served=is_being_written(folder))),
        revoked=tuple(_revoked(log)),
        unsigned=log.snapshot.unsigned,
        drafts=counted(home),
        about=tuple(about),
        foreign=tuple(no_record(item.index, item.record) for item in log.no_records),
    )


@contextmanager
def no_version_omitted(home: Path, log: VerifiedLog) -> Iterator[None]:
    """Have a version that nobody finds in a home's log be an answer that says of how much."""
    try:
        yield
    except SettingsError as error:
        complete = completeness(home, log)
        answer = NotRecordedError(error.message, remedy=error.remedy)
        answer.citation = _citation(complete, log, f"no version omitted: {complete.to_text()}")
        raise answer from error


@contextmanager
def refusing_with_citation(home: Path) -> Iterator[None]:
    """Have an answer that a record's fault forbids cite what is wrong, and the checkpoint."""
    try:
        yield
    except UnverifiableError:
        raise
    except IntegrityError as error:
        try:
            log = VerifiedLog.of(home)
            complete = completeness(home, log)
            found = "\n".join(finding.to_text() for finding in complete.findings)
            error.citation = _citation(complete, log, f"{found}\n{complete.to_text()}".lstrip())
        except IntegrityError as of_the_log:
            error.citation = of_the_log.citation
        raise


def _citation(complete: Completeness, log: VerifiedLog, text: str) -> Citation:
    found = [finding.to_dict() for finding in complete.findings]
    said = {"completeness": complete.to_dict(), "findings": found}
    return Citation(said, text, log.checkpoint)


def _revoked(log: VerifiedLog) -> Iterator[tuple[RecordView, ...]]:
    for tenure in log.snapshot.keys.tenures:
        entries = (view for view in log.views if view.index in tenure.revoked_entries)
        if found := tuple(view for view in entries if view.event != KEY):
            yield found


def unsigned_text(count: int) -> str:
    """Say how many entries nobody has signed for, where there are any."""
    return f", and {count} entries after these under no checkpoint" if count else ""


def _first_consistent(stored: Log, log: VerifiedLog) -> int:
    """Return the size of the oldest checkpoint; IntegrityError where the entries are others."""
    size = next(size for size in stored.sizes() if size or not log.snapshot.size)
    checkpoint = stored.checkpoint(size, stored.history(size, log.key))
    if log.snapshot.tree.root(size) != checkpoint.root:
        raise IntegrityError(
            f"the log is not consistent from {size} to {log.snapshot.size} entries",
            remedy="run `tandem audit verify`",
            expected=checkpoint.root.hex(),
            actual=log.snapshot.tree.root(size).hex(),
        )
    return size


def cited(view: RecordView) -> dict[str, Any]:
    """Return where a record stands and its digest, as each answer cites it."""
    return {"index": view.index, "record": view.record}
