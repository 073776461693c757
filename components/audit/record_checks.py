"""What is checked of each record whose signature and form are right, in the order of the log.

Rules: what it names comes before it; each of its inputs, and what came from the cache, was made by
a parent as it says, and a FAIL's parents are those that did, since a stage may have failed over a
wrong input; it does not contradict itself or the START that it closes (coherence.py); no draft is a
record twice; time does not run backwards; no version is registered over a failed gate
(failed_gates.py), and no gate that settings ask for is left out (left_out.py); an act is allowed
where it stands (standing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from components.audit.acts import Act, Statement
from components.audit.answers import (
    ACT,
    AUDIT,
    CLOSING_EVENTS,
    DONE_EVENTS,
    IMPORTED,
    KEY,
    RecordView,
)
from components.audit.coherence import Begun, contradicted_start
from components.audit.erasures import Erased, erased_by, is_erasure
from components.audit.failed_gates import FailedGates
from components.audit.findings import Finding
from components.audit.ledger import OpenStarts
from components.audit.left_open import seals
from components.audit.left_out import LOOKED_UP, left_out
from components.audit.opening import Opened
from components.audit.parents import made, origins
from components.audit.registered_once import RegisteredOnce
from components.audit.seen import Seen
from components.audit.standing import Standing

_NOT_KEPT: dict[str, Any] = {
    "subjects": {},
    "facts": {},
    "gates": (),
    "resources": {},
    "cause": None,
}
"""What no check looks at again: most of a record, of which there may be many."""
_RECENT = 32
"""Statements that are kept a while, so that they need not be read again."""


class RecordChecks:
    """Looks at one record after the other; `starts` are those that none has closed so far.

    `outputs` are the records of what the runs with a folder made, `erased` is what was erased on
    purpose, `count` is of all looked at.
    """

    def __init__(
        self,
        seen: Seen,
        statement: Callable[[str], Statement],
        require_valid: Callable[[str], None],
        with_folder: set[str],
    ) -> None:
        self._seen = seen
        self._with_folder = with_folder
        self._time = ""
        self._begun: dict[str, Begun] = {}
        self._statement = statement
        self._recent: dict[str, Statement] = {}
        self._standing = Standing(statement, require_valid)
        self._failed = FailedGates()
        self._registered = RegisteredOnce()
        self.starts = OpenStarts()
        self.count = 0
        self.outputs: list[RecordView] = []
        self.erased: list[Erased] = []

    def look_at(self, item: Opened) -> Iterator[Finding]:
        """Yield what is wrong with a record, and go on with it."""
        view, statement = item.view, item.statement
        where = f"entry {view.index}"
        for source in (*view.parents, *([view.start] if view.start else [])):
            if not self._seen.has(source):
                yield Finding("parents", where, f"record {source[:12]} is not before it in the log")
        for name in self._not_made(view, statement):
            yield Finding("parents", where, f"no parent of it made its {name}")
        if view.event == "FAIL" and list(view.parents) != self._makers(statement):
            yield Finding("parents", where, "its parents are not those that made its inputs")
        begun = self._begun.get(view.start) if view.start else None
        for message in (*item.contradictions, *contradicted_start(statement, begun)):
            yield Finding("coherence", where, message)
        yield from _repeated(self._seen.add_draft(view.idempotency_key, view.index))
        yield from self._of_versions(view, statement, where)
        if view.time < self._time:
            yield Finding("clock", where, f"its time {view.time} is before {self._time}")
        if view.event == ACT:
            yield from self._act(Act.from_statement(statement, view.record), where)
        self._take(view, statement)

    def _of_versions(self, view: RecordView, statement: Statement, where: str) -> Iterator[Finding]:
        """Yield what is wrong with a registration, and with the gates that may stand behind one."""
        for message in self._registered.problems(statement):
            yield Finding("registration", where, message)
        self._registered.take(statement, view.index)
        self._failed.take(view)
        for message in (*self._failed.problems(view), *left_out(statement, self._read)):
            yield Finding("gate", where, message)
        if view.stage in LOOKED_UP and view.event in DONE_EVENTS:
            self._recent[view.record] = statement
            if len(self._recent) > _RECENT:
                self._recent.pop(next(iter(self._recent)))

    def _read(self, record: str) -> Statement:
        """Return what a record says; raises what reading it anew raises."""
        return self._recent.get(record) or self._statement(record)

    def last(self) -> Iterator[Finding]:
        """Yield what is known once all records were looked at."""
        yield from _repeated(self._seen.twins())

    def _not_made(self, view: RecordView, statement: Statement) -> Iterator[str]:
        """Yield the inputs, and what came from the cache, that no parent made as it says."""
        if view.event in ("FAIL", ACT, KEY):
            return
        audit = statement["predicate"][AUDIT]
        fed = [(item["name"], item["record"], item["sha256"]) for item in audit["inputs"]]
        if view.event == "CACHED":
            came = origins(audit["facts"], view.outputs)
            fed += [(name, came[name], sha256) for name, sha256 in view.outputs.items()]
        imported = view.event == IMPORTED
        for name, record, sha256 in fed:
            if record not in view.parents or not self._seen.has_made(
                record, sha256, imported=imported
            ):
                yield name

    def _makers(self, statement: Statement) -> list[str]:
        """Return the records of inputs that made them as it says, each once."""
        inputs = statement["predicate"][AUDIT]["inputs"]
        made = (
            item["record"]
            for item in inputs
            if item["record"]
            and item["sha256"]
            and self._seen.has_made(item["record"], item["sha256"])
        )
        return list(dict.fromkeys(made))

    def _act(self, act: Act, where: str) -> Iterator[Finding]:
        """Hold an act against the rules, at its place among the others."""
        for problem in self._standing.problems(act):
            yield Finding("act", where, problem)
        self._standing.take(act)

    def _take(self, view: RecordView, statement: Statement) -> None:
        self.count += 1
        self._time = max(self._time, view.time)
        self.starts.take(view)
        if view.event == "START":
            self._begun[view.record] = Begun.of(statement)
        elif view.event in CLOSING_EVENTS and view.start is not None:
            self._begun.pop(view.start, None)
        if view.event not in (KEY, IMPORTED):
            self._seen.add_run(view.run)
        imported = view.event == IMPORTED
        self._seen.add_made(view.record, made(view, imported=imported), imported=imported)
        if is_erasure(view):
            self.erased += erased_by(view, statement)
        if seals(view):
            self._seen.seal(view.run, view.index)
        if view.event in DONE_EVENTS and view.run in self._with_folder:
            self.outputs.append(replace(view, **_NOT_KEPT))


def _repeated(twins: list[tuple[int, int]]) -> Iterator[Finding]:
    for index, first in twins:
        yield Finding("idempotency", f"entry {index}", f"it repeats entry {first}")
