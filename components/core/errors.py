"""The errors Tandem raises, grouped by who must act.

    TandemError
    ├── SettingsError     the caller: a wrong setting, argument, name or function   exit 2
    │   ├── WrongUsage          words that are no command
    │   └── NotRecordedError    no record of the log names it: an answer, of so much
    ├── DataError         the data's owner: the input is not what it should be      exit 1
    ├── GateError         a reviewer: a declared gate did not pass                  exit 3
    ├── IntegrityError    the auditor: bytes differ from what was recorded          exit 4
    │   └── UnverifiableError   the evidence needed to decide is missing            exit 5
    └── PlatformError     the operator: disk, process, network, package             exit 1
        └── OutOfMemoryError    memory ran out: less of it, or more of it           exit 1

Rules: a message says what is wrong, the remedy says what to do, in one line each. Only
PlatformError may be retried, and not OutOfMemoryError: the same would not fit again. Errors of
libraries are turned into one of these at the boundary.
The functions that settings name are the caller's too: whatever is raised through a line of theirs,
an OSError or a KeyError no less, is a SettingsError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Citation:
    """Of how much of a log an error speaks: the signed note of it, and words.

    `said` is that as a JSON object, `text` the same for people.
    """

    said: Mapping[str, Any]
    text: str
    checkpoint: str


class TandemError(Exception):
    """An error with a cause and a remedy, for a person and for a record.

    `citation` is there where the error is an answer from the log.
    """

    exit_code = 1
    citation: Citation | None = None

    def __init__(
        self, message: str, *, remedy: str, expected: object = None, actual: object = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.expected = expected
        self.actual = actual

    def to_dict(self) -> dict[str, str]:
        """Return the error as it stands in records and in run.json."""
        return {"kind": type(self).__name__, "message": self.message, "remedy": self.remedy}


class SettingsError(TandemError):
    """The caller gave a setting, an argument or a name that cannot be used."""

    exit_code = 2


class WrongUsage(SettingsError):
    """The caller typed words that are no command; `usage` is what may be typed instead."""

    def __init__(self, message: str, *, remedy: str, usage: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.usage = usage


class NotRecordedError(SettingsError):
    """No record of the log names what was asked about, of as many as `citation` says."""


class DataError(TandemError):
    """The input data is missing, unreadable or not what its description says."""


class GateError(TandemError):
    """A declared gate did not pass; `gates` holds every gate that was checked.

    `facts` are what the record of a passing stage would say: numbers, names and digests.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        remedy: str,
        gates: Sequence[Mapping[str, Any]] = (),
        facts: Mapping[str, Any] | None = None,
        expected: object = None,
        actual: object = None,
    ) -> None:
        super().__init__(message, remedy=remedy, expected=expected, actual=actual)
        self.gates = tuple(gates)
        self.facts = dict(facts or {})


class IntegrityError(TandemError):
    """Stored bytes, a signature or a proof differ from what was recorded."""

    exit_code = 4


class UnverifiableError(IntegrityError):
    """The evidence that would decide is missing, so nothing is claimed."""

    exit_code = 5


class PlatformError(TandemError):
    """The machine, the network or a package failed; trying again may help."""


class OutOfMemoryError(PlatformError):
    """Memory ran out, the machine's or an accelerator's."""


KINDS: Mapping[str, type[TandemError]] = {
    kind.__name__: kind
    for kind in (
        SettingsError,
        WrongUsage,
        NotRecordedError,
        DataError,
        GateError,
        IntegrityError,
        UnverifiableError,
        PlatformError,
        OutOfMemoryError,
    )
}


def error_from_dict(value: Mapping[str, str]) -> TandemError:
    """Return the error that `to_dict` wrote; an unknown kind becomes a PlatformError."""
    kind = KINDS.get(value.get("kind", ""), PlatformError)
    return kind(value.get("message", "unknown cause"), remedy=value.get("remedy", "see the log"))
