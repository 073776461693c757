"""What the log says of registered versions: how each was registered, and where it stands.

Rules: it is read from the log on disk, under its newest checkpoint, which is verified with the
public key of the home; MLflow is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from components.approvals.approvers import trusted_approvers
from components.audit.acts import Registered, registered
from components.audit.answers import RecordView
from components.audit.predicates import released_versions
from components.audit.standing import SignedApproval, Standing, standing_of
from components.audit.trust import asked_here, keys_said
from components.audit.verified_log import VerifiedLog
from components.core.errors import SettingsError
from components.core.stage_names import REGISTERING


@dataclass(frozen=True)
class Judged:
    """An approval in the log, and why it does not count, if it does not."""

    index: int
    signed: SignedApproval
    refused: str | None


class Trail:
    """A home's verified log, as far as it is about registered versions."""

    def __init__(self, home: Path) -> None:
        """Read the log; IntegrityError where it does not verify, UnverifiableError for none."""
        self._home = home
        self.log = VerifiedLog.of(home)
        acts = self.log.ledger.acts()
        self.standing: Standing = standing_of(acts, self.log.statement, self.log.require_valid)

    @property
    def checkpoint(self) -> str:
        """The signed note that covers all of it."""
        return self.log.checkpoint

    @cached_property
    def trusted(self) -> frozenset[str]:
        """The ids of the keys that are trusted here, asked once; what trusted_approvers raises."""
        return frozenset(trusted_approvers(self._home))

    def index(self, record: str) -> int:
        """Return where a record stands in the log."""
        return self.log.ledger.find(record).index

    def version(self, model: str, version: str) -> Registered:
        """Return a version as it was registered; SettingsError where no record names it."""
        for view in reversed(self._registrations()):
            releases = released_versions(view.facts).values()
            named = {str(release.get("version")) for release in releases}
            if view.facts.get("model_name") == model and version in named:
                return registered(self.log.statement, view.record, model, version)
        raise SettingsError(
            f"no record in the log registered version {version} of {model}",
            remedy="name a version as a run registered it, with the --home of that run",
        )

    @property
    def models(self) -> set[str]:
        """The names of the models that the log registered versions of."""
        return {str(view.facts.get("model_name")) for view in self._registrations()}

    def judged(self, version: Registered, day: date) -> list[Judged]:
        """Return every approval of a version, and whether it counts here on that day."""
        found = []
        for signed in self.standing.approvals(version.model, version.version):
            refused = self.standing.why_not(signed, version, day)
            if signed.keyid not in self.trusted:
                refused = "its key is not trusted here"
            found.append(Judged(self.index(signed.record), signed, refused))
        return found

    def lacking(self, version: Registered, judged: list[Judged]) -> list[str]:
        """Return what a promotion still lacks."""
        counting = counted(judged)
        required = asked_here(version.required, self.keys_said(counting))
        return list(self.standing.lacking(required, counting))

    def keys_said(self, counting: list[SignedApproval]) -> dict[str, Any]:
        """Return what the record of a promotion on these approvals says of keys."""
        return keys_said(self.trusted, (signed.keyid for signed in counting))

    def _registrations(self) -> list[RecordView]:
        return self.log.ledger.done_by(REGISTERING)


def counted(judged: list[Judged]) -> list[SignedApproval]:
    """Return the approvals that count."""
    return [item.signed for item in judged if item.refused is None]
