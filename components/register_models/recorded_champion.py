"""The champion by the records of a home's log, which MLflow must agree with.

Rules: the last record that moved the alias counts, under a verified checkpoint; where no record
ever moved it, the log has no say. A record that a revoked key signed, or that stands on one, makes
no champion and unmakes none: what it changed is refused until a record that counts moves the alias
again. Most homes have no such record, and every run asks: so the
entries are first searched for the word that each first promotion holds, unverified, because a word
too many costs a reading of the log and nothing else.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.audit.folder import AuditFolder
from components.core.candidates import CHAMPION
from components.core.errors import IntegrityError

if TYPE_CHECKING:
    from components.audit.verified_log import VerifiedLog
    from components.register_models.logbook import AliasChange

WORD = b'"promote_model"'


@dataclass(frozen=True)
class RecordedChampion:
    """The version that a record made champion, and its bundle; None where it took it away."""

    model: str
    index: int
    version: str | None
    bundle_sha256: str | None

    def require(self, version: str | None, bundle_sha256: str | None) -> None:
        """Raise IntegrityError unless MLflow's champion, None for none, is the recorded one."""
        if (version, bundle_sha256) != (self.version, self.bundle_sha256):
            raise IntegrityError(
                f"the champion of {self.model} is {_named(version, bundle_sha256)} in MLflow and "
                f"{_named(self.version, self.bundle_sha256)} by record {self.index} of the log",
                remedy="run `tandem models reconcile`; find out who changed it, or complete the "
                "command that was stopped by calling it again",
                expected=[self.version, self.bundle_sha256],
                actual=[version, bundle_sha256],
            )


def recorded_champion(home: Path, model: str) -> RecordedChampion | None:
    """Return the recorded champion of a model, None where no record ever moved the alias.

    Raises IntegrityError for a log that does not verify, and for a champion that does not count.
    """
    if surely_unrecorded(home):
        return None
    from components.audit.verified_log import VerifiedLog
    from components.register_models.logbook import Logbook

    log = VerifiedLog.of(home)
    book = Logbook.of(log)
    moved = [change for change in book.changes if (change.model, change.alias) == (model, CHAMPION)]
    if not moved:
        return None
    last = moved[-1]
    _require_standing(log, last)
    release = None if last.after is None else book.releases.get((model, last.after))
    return RecordedChampion(
        model, last.index, last.after, None if release is None else release.bundle_sha256
    )


def _require_standing(log: VerifiedLog, change: AliasChange) -> None:
    """Raise IntegrityError for a change that does not stand by the keys as they are now."""
    problems = list(_problems(log, change.record))
    if problems:
        raise IntegrityError(
            f"the champion of {change.model} is {_version(change.after)} by record {change.index} "
            f"of the log, which does not count: {'; '.join(problems)}",
            remedy="do not use it: move the alias by a record that counts, with `tandem models "
            "rollback` or a promotion",
        )


def _problems(log: VerifiedLog, record: str) -> Iterator[str]:
    from components.audit.acts import Act
    from components.audit.standing import standing_of

    try:
        log.require_valid(record)
    except IntegrityError as error:
        yield error.message
    acts = log.ledger.acts()
    if record in acts:
        before = standing_of(acts[: acts.index(record)], log.statement, log.require_valid)
        yield from before.problems(Act.from_statement(log.statement(record), record))


def surely_unrecorded(home: Path) -> bool:
    """Say whether no entry of a home's log promotes a version; False means: read the log."""
    forms = _base64_forms(WORD)
    entries = (AuditFolder(home).log / "entries").glob("*/*.json")
    return not any(form in leaf for leaf in map(Path.read_bytes, entries) for form in forms)


def _base64_forms(word: bytes) -> list[bytes]:
    """Return what a word's base 64 holds in any case, for each of its three places in a group."""
    forms = []
    for before in range(3):
        bits = 8 * before, 8 * (before + len(word))
        encoded = b64encode(bytes(before) + word)
        forms.append(encoded[-(-bits[0] // 6) : bits[1] // 6])
    return forms


def _named(version: str | None, bundle_sha256: str | None) -> str:
    return _version(version) + ("" if version is None else f" (bundle {bundle_sha256})")


def _version(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
