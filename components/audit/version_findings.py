"""What is wrong with a version by its own records, as every answer on the version must say.

Why: `tandem audit verify` finds a version that was registered over a failed gate. Whoever asks for
that version alone, or takes its export away, may never ask that.

Rules: what is found is what the verifier finds of the same records: a gate that failed and nobody
waived behind a registration (failed_gates.py), gates and waivers that a record left out
(left_out.py), a version that was registered before (registered_once.py). A record that is not
behind what is asked for is not looked at: an answer on another version stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.audit.acts import Reader
from components.audit.answers import DONE_EVENTS, RecordView
from components.audit.failed_gates import FailedGates
from components.audit.findings import Finding
from components.audit.left_out import BY_SETTINGS, left_out
from components.audit.registered_once import RegisteredOnce, registered_in
from components.audit.verified_log import VerifiedLog
from components.core.stage_names import REGISTERING

GATE, REGISTRATION = "gate", "registration"


@dataclass(frozen=True)
class Wrong:
    """A finding, and the entry of what it is over: of a registration that of the gate."""

    finding: Finding
    over: int


def wrong_gates(views: Iterable[RecordView], read: Reader) -> Iterator[Wrong]:
    """Yield what is wrong with the gates of records, given in their order with their ancestors."""
    failed = FailedGates()
    for view in views:
        failed.take(view)
        for over, problem in failed.problems_by_entry(view):
            yield Wrong(_finding(GATE, view, problem), over)
        if view.event in DONE_EVENTS and (view.gates or view.stage in BY_SETTINGS):
            for problem in left_out(read(view.record), read):
                yield Wrong(_finding(GATE, view, problem), view.index)


def version_findings(log: VerifiedLog, registrations: Iterable[str]) -> list[Finding]:
    """Return what is wrong with the versions that the records of registrations name."""
    asked = list(dict.fromkeys(registrations))
    if not asked:
        return []
    behind = log.ledger.with_ancestors(asked)
    found = [wrong.finding for wrong in wrong_gates(behind, log.statement)]
    return [*found, *_again(log, {record: log.ledger.find(record) for record in asked})]


def _again(log: VerifiedLog, asked: Mapping[str, RecordView]) -> Iterator[Finding]:
    """Yield each registration, of a version asked for, of what another had registered."""
    wanted = {named for view in asked.values() for named, _ in registered_in(view.facts)}
    once = RegisteredOnce()
    for view in log.ledger.done_by(REGISTERING):
        if wanted.isdisjoint(named for named, _ in registered_in(view.facts)):
            continue
        statement = log.statement(view.record)
        for problem in once.problems(statement):
            yield _finding(REGISTRATION, view, problem)
        once.take(statement, view.index)


def _finding(check: str, view: RecordView, message: str) -> Finding:
    return Finding(check, f"entry {view.index}", message, view.index, view.record)
