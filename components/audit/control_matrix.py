"""The control matrix of a version: each requirement, what its records answer, and each gap.

Rules: a requirement is `answered` where every field that it names is in the version's records and
nothing is left that no record can answer, `in part` where something is, `gap` where no field is.
Whatever is missing is a gap in words; nothing here says that a requirement is met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from components.audit.requirements import Field, Requirement, Template, is_said
from components.audit.version_records import CitedRecord, Kinds

KIND_WORDS = {
    "signature": "signature that counts",
    "counted_review": "review that counts",
    "counted_approval": "approval that counts",
}


class Status(StrEnum):
    """How far the records answer a requirement."""

    ANSWERED = "answered"
    IN_PART = "in part"
    GAP = "gap"


@dataclass(frozen=True)
class Answer:
    """A field's value and where it stands: the record, by index and digest, and the path in it."""

    shows: str
    field: str
    value: Any
    index: int
    record: str

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return dict(vars(self))


@dataclass(frozen=True)
class Control:
    """One requirement with its answers and its gaps."""

    requirement: Requirement
    answers: tuple[Answer, ...]
    gaps: tuple[str, ...]

    @property
    def status(self) -> Status:
        """How far the requirement is answered."""
        if not self.answers:
            return Status.GAP
        return Status.IN_PART if self.gaps else Status.ANSWERED

    def to_dict(self) -> dict[str, Any]:
        """Return the control as a JSON object."""
        return {
            "clause": self.requirement.clause,
            "asks": self.requirement.asks,
            "status": str(self.status),
            "answers": [answer.to_dict() for answer in self.answers],
            "gaps": list(self.gaps),
        }


def control_matrix(template: Template, kinds: Kinds) -> tuple[Control, ...]:
    """Return a control for each requirement of a template."""
    return tuple(_control(requirement, kinds) for requirement in template.requirements)


def tally(controls: tuple[Control, ...]) -> Mapping[Status, int]:
    """Return how many requirements have each status."""
    return {status: sum(one.status is status for one in controls) for status in Status}


def _control(requirement: Requirement, kinds: Kinds) -> Control:
    answers: list[Answer] = []
    gaps: list[str] = []
    for asked in requirement.answered_by:
        found = list(_answers(asked, kinds))
        answers += found
        if not found:
            gaps.append(_missing(asked, kinds))
    if requirement.lacks:
        gaps.append(requirement.lacks)
    return Control(requirement, tuple(answers), tuple(gaps))


def _answers(asked: Field, kinds: Kinds) -> Iterator[Answer]:
    """Yield the field of every record of its kind that has it."""
    for cited in kinds.get(asked.of, ()):
        value = cited.value(asked.field)
        if asked.answers(value):
            yield Answer(asked.shows, asked.field, value, cited.index, cited.record)


def _missing(asked: Field, kinds: Kinds) -> str:
    """Say which answer is missing, and why: no such record, no such field, or another value."""
    records = kinds.get(asked.of, ())
    if not records:
        kind = KIND_WORDS.get(asked.of, f"record of {asked.of}")
        return f"no {kind} shows {asked.shows}"
    cited: CitedRecord = records[-1]
    value = cited.value(asked.field)
    if not is_said(value):
        return f"record {cited.index} does not show {asked.shows}"
    return f"record {cited.index} does not show {asked.shows}: {asked.field} is {value}"
