"""The gates that failed, and that nobody waived, behind a version that was registered all the same.

Why: a stage that skips its gates, or somebody who hands in records in its place, gets a record of
what it says; the failed gate stands in the log, and so does the version that should not be there.

Rules: of what was made counts what stands behind it, through the cache and other runs too; a FAIL
made nothing. A decision has the gates of each candidate, by its name: those of one that was not
registered may have failed. A few records have any, so that memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from components.audit.answers import DONE_EVENTS, RecordView
from components.audit.gate_results import result_of
from components.audit.predicates import released_versions
from components.core.candidates import CANDIDATES
from components.core.stage_names import DECIDING, REGISTERING


@dataclass(frozen=True, order=True)
class _Failed:
    """A gate, in which record of which stage."""

    index: int
    stage: str
    gate: str


class FailedGates:
    """Takes the records of a log in order."""

    def __init__(self) -> None:
        """Begin before the first."""
        self._behind: dict[str, frozenset[_Failed]] = {}

    def take(self, view: RecordView) -> None:
        """Go on with the next record."""
        if behind := self._failed_behind(view):
            self._behind[view.record] = behind

    def problems(self, view: RecordView) -> Iterator[str]:
        """Yield, of a registration, each gate that failed behind it."""
        for _, problem in self.problems_by_entry(view):
            yield problem

    def problems_by_entry(self, view: RecordView) -> Iterator[tuple[int, str]]:
        """Yield the same, each with the index of the record that has the gate."""
        if view.stage != REGISTERING:
            return
        registered = {v.get("framework") for v in released_versions(view.facts).values()}
        yield from self._problems(self._failed_behind(view), registered)

    def problems_of(self, parents: Iterable[str], registered: Iterable[str]) -> Iterator[str]:
        """Yield the same of frameworks that are about to be registered, by these records."""
        behind = frozenset[_Failed]().union(*(self._behind.get(p, ()) for p in parents))
        for _, problem in self._problems(behind, set(registered)):
            yield problem

    def _problems(
        self, behind: frozenset[_Failed], registered: Set[Any]
    ) -> Iterator[tuple[int, str]]:
        for item in sorted(behind):
            candidate = item.gate.partition(" ")[0]
            if item.stage != DECIDING or candidate not in {*CANDIDATES} - registered:
                said = f"it registers what gate {item.gate} of entry {item.index} did not let by"
                yield item.index, said

    def _failed_behind(self, view: RecordView) -> frozenset[_Failed]:
        if view.event not in DONE_EVENTS:
            return frozenset()
        return self._own(view).union(*(self._behind.get(p, ()) for p in view.parents))

    def _own(self, view: RecordView) -> frozenset[_Failed]:
        return frozenset(
            _Failed(view.index, view.stage, str(gate["name"]))
            for gate in view.gates
            if result_of(gate) == "failed"
        )
