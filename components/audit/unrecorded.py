"""Drafts that are in no log: those that wait in a home's spool, and those that a notary refused.

Why: no answer that is made from the log tells of them, and who asks whether anything was left out
wants to know.

Rules: the spool is looked at and never changed; what a draft says of itself is shown where it is a
plain name, and believed nowhere; none of it is a finding, because the log is not wrong by what it
does not hold, and the next notary takes up what waits; a spool that cannot be read is said and
fails no answer. An export has no spool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.audit.folder import AuditFolder
from components.audit.log_place import spool
from components.core.canonical import parse_json
from components.core.errors import TandemError

_PLAIN = re.compile(r"[\w.:+~-]{1,200}", re.ASCII)
_NO_CHARACTER = re.compile(r"[^\x20-\x7e\xa1-\u1fff]+")
_LONGEST = 300
_OF = ("event", "stage", "run", "attempt", "claimed_time")


@dataclass(frozen=True)
class Unrecorded:
    """A draft in the spool: where it lies, what it says it is, and why it was refused, if it was.

    What it does not say plainly is None.
    """

    place: str
    event: str | None
    stage: str | None
    run: str | None
    attempt: str | None
    claimed_time: str | None
    reason: str | None = None

    def to_text(self) -> str:
        """Return it for people, on one line."""
        what = f"{self.event or 'a draft'} of {self.stage or 'a stage'} of run {self.run or '?'}"
        if self.reason is not None:
            return f"refused: {what}: {self.reason} ({self.place})"
        return f"waiting: {what}, claimed at {self.claimed_time or '?'} ({self.place})"


@dataclass(frozen=True)
class Drafts:
    """The drafts of a home that are in no log; `unreadable` is why they could not all be seen."""

    waiting: tuple[Unrecorded, ...] = ()
    refused: tuple[Unrecorded, ...] = ()
    unreadable: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return them as a JSON object."""
        return {
            "waiting": [asdict(item) for item in self.waiting],
            "refused": [asdict(item) for item in self.refused],
            "unreadable": self.unreadable,
        }

    @property
    def counted(self) -> Counted:
        """How many there are."""
        if self.unreadable is not None:
            return Counted(None, None)
        return Counted(len(self.waiting), len(self.refused))

    def lines(self) -> Iterator[str]:
        """Yield them for people, a line each."""
        for item in (*self.waiting, *self.refused):
            yield item.to_text()
        if self.unreadable is not None:
            yield f"the spool could not be read: {self.unreadable}"


@dataclass(frozen=True)
class Counted:
    """How many drafts wait and were refused, None where the spool could not be read."""

    waiting: int | None = 0
    refused: int | None = 0

    def to_text(self) -> str:
        """Say what is in no record, where there is anything; the empty text where there is not."""
        if self.waiting is None or self.refused is None:
            return "; whether drafts wait for a notary could not be seen"
        if not (self.waiting or self.refused):
            return ""
        wait = f"{self.waiting} draft{'' if self.waiting == 1 else 's'} wait"
        refused = f"{self.refused} {'was' if self.refused == 1 else 'were'} refused"
        return f"; in no record: {wait}{'s' if self.waiting == 1 else ''}, {refused}"


def drafts(home: Path) -> Drafts:
    """Return the drafts of a home that are in no log, and what they say of themselves."""
    try:
        found = spool(AuditFolder(home))
        waiting = [_waiting(place, data) for place, data in found.looked_at()]
        refused = [_refused(place, data) for place, data in found.refusals()]
    except (TandemError, OSError) as error:
        return Drafts(unreadable=str(error))
    return Drafts(tuple(waiting), tuple(refused))


def counted(home: Path) -> Counted:
    """Count them, unread: every answer says how many there are."""
    try:
        found = spool(AuditFolder(home))
        return Counted(*map(len, found.names()))
    except (TandemError, OSError):
        return Counted(None, None)


def said_of(draft: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what a draft says of itself, each where it is a plain name."""
    run = draft.get("run")
    values = {**draft, "run": run.get("id") if isinstance(run, Mapping) else None}
    return {name: _plain(values.get(name)) for name in _OF}


def _plain(value: Any) -> str | None:
    text = str(value) if isinstance(value, str | int) else ""
    return text if _PLAIN.fullmatch(text) else None


def _waiting(place: str, data: bytes) -> Unrecorded:
    return Unrecorded(place, **said_of(_object(data)))


def _refused(place: str, data: bytes) -> Unrecorded:
    value = _object(data)
    of = value.get("of")
    said = {name: _plain(of.get(name)) if isinstance(of, Mapping) else None for name in _OF}
    reason = f"{value.get('kind')}: {value.get('message')}"
    return Unrecorded(place, **said, reason=_NO_CHARACTER.sub(" ", reason)[:_LONGEST])


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        value = parse_json(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}
