"""What speaks against an act: what `tandem audit verify` finds of the log, or of a version.

Rules: the log is verified whole, its runs' artifacts are not, since an act does not stand on them;
what a crash left open speaks against nothing, because closing it adds to the log, and neither does
what a revoked key signed: a revocation in the log says that already. With any other finding keys
are not rotated and artifacts not erased, unless whoever does it says that it is known, which goes
into the record's reason. So it is with a version that is to be the champion, against which speaks
only what its own records have against it (version_findings.py). A revocation is never refused and
waits for nothing: a stolen key may be the findings' cause, and they are cited once it is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.core.errors import Citation, IntegrityError
from pipelines.cli.one_line import LONGEST_REASON, checked_text
from pipelines.cli.remedies import ways_on

if TYPE_CHECKING:
    from components.audit.verified_log import VerifiedLog
    from pipelines.home import Home

OPTION = "--despite-findings"
_HARMLESS = frozenset({"open", "key"})
_NOT_AS_SIGNED = frozenset({"log", "checkpoint", "tree"})
_NAMED = 5
_ROOM = 200
"""Characters of a reason that are kept for what was found."""


@dataclass(frozen=True)
class Doubts:
    """The findings that speak against an act, each as it is cited, and the checkpoint.

    `remedy` is where more than seeing them is to be said.
    """

    findings: Sequence[dict[str, Any]]
    checkpoint: str
    remedy: str = ""

    @classmethod
    def of(cls, home: Home) -> Doubts:
        """Verify a home's log, which takes as long as `tandem audit verify` does without runs.

        Raises IntegrityError where it is not as its newest checkpoint has it, to which nothing can
        be added, UnverifiableError where there is none.
        """
        from components.audit.findings import cited
        from components.audit.folder import AuditFolder
        from components.audit.log import Log
        from components.audit.verified_log import VerifiedLog
        from components.audit.verify import verify_log

        found = verify_log(home.folder)
        if any(item.check in _NOT_AS_SIGNED for item in found):  # of the newest checkpoint, perhaps
            VerifiedLog.of(home.folder)
        log = Log.at(AuditFolder(home.folder))
        speaking = [item for item in found if item.check not in _HARMLESS]
        stolen = ", and at once where a key that still signs was stolen: rotate, then revoke"
        return cls([cited(item, log) for item in speaking], log.note(max(log.sizes())), stolen)

    @classmethod
    def of_version(cls, log: VerifiedLog, registration: str) -> Doubts:
        """Ask a log what is wrong with what the record of a registration names."""
        from components.audit.version_findings import version_findings

        found = version_findings(log, [registration])
        return cls([item.to_dict() for item in found], log.checkpoint)

    def require_none(self, act: str, *, despite: bool) -> None:
        """Raise IntegrityError, citing each, where there are some and nobody said that it is known.

        `act` is what is not done.
        """
        if despite or not self.findings:
            return
        error = IntegrityError(
            f"{act}: verifying the log gives {len(self.findings)} findings",
            remedy=f"see them with `tandem audit verify`; go on with {OPTION} once they are "
            f"explained{self.remedy}",
        )
        error.citation = Citation({"findings": list(self.findings)}, self.text, self.checkpoint)
        raise error

    @property
    def text(self) -> str:
        """The findings for people, with what to do about each kind."""
        lines = [line for item in self.findings for line in _lines(item)]
        return "\n".join([*lines, *ways_on(item["check"] for item in self.findings)])

    def told(self, reason: str) -> str:
        """Return a reason with the findings that the act was done despite, for its record."""
        if not self.findings:
            return reason
        named = ", ".join(f"{item['check']} of {item['where']}" for item in self.findings[:_NAMED])
        more = len(self.findings) - _NAMED
        return f"{reason} (despite findings: {named}{f' and {more} more' if more > 0 else ''})"


def checked_reason(text: str) -> str:
    """Return --reason as `checked_text` does, with room for findings behind it."""
    return checked_text("--reason", text, LONGEST_REASON - _ROOM)


def _lines(item: dict[str, Any]) -> list[str]:
    said = [f"{item['check']}: {item['where']}: {item['message']}"]
    record = item.get("record")
    return said if record is None else [*said, f"    record  {record}"]
