"""Where registered versions stand by the acts so far, and which act must not be.

The notary asks before it signs, the verifier afterwards, `tandem models` before it acts: one set of
rules. An act must be about a version as it was registered, and
1. an approval is signed by the key that its record names, for this version's evaluation and bundle,
   and not later than its record (but for the tolerance of a clock);
2. a promotion is of no withdrawn version, nor of the champion unless a revoked key signed what made
   it so; it names as many approvals that count as the settings of
   the version's run ask for, each meaning by so many people, and one where any key is trusted
   (trust.py); it names the keys of those approvals;
3. a rollback goes to the champion before, by the acts; what is archived or withdrawn is passed by,
   and so is a version of which no promotion counts;
4. neither stands on a registration or an approval that a revoked key signed;
5. the champion is not archived, and what is withdrawn stays withdrawn; both take aliases of the
   version away and move none to another.
An approval counts for a version where it is of it, was signed after the decision to release it and
not after its last day, and its signer is not the submitter. Keys and pseudonyms that approvals of
the log join are one person's (people.py), the submitter's too. Which keys are trusted is no rule of
the log, because that changes: components/approvals asks it at the time of the promotion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from components.audit.act_fields import (
    alias_problems,
    approval_problems,
    digests,
    key_problems,
    unasked_problems,
)
from components.audit.acts import (
    ARCHIVE,
    PROMOTE,
    REGISTRATION,
    ROLL_BACK,
    WITHDRAW,
    Act,
    Made,
    Reader,
    Registered,
    registered,
)
from components.audit.approval import Approval, open_approval
from components.audit.model_standing import ModelStanding
from components.audit.people import People
from components.audit.predicates import APPROVE
from components.audit.trust import asked_here
from components.core.errors import IntegrityError


@dataclass(frozen=True)
class SignedApproval:
    """An approval in the log: its record, what it says, who handed it in and which key signed."""

    record: str
    approval: Approval
    actor: str | None
    keyid: str


class Standing:
    """All models' standing; acts are taken in the order of the log."""

    def __init__(self, read: Reader, require_valid: Callable[[str], None]) -> None:
        """Begin; `require_valid` raises IntegrityError for a record that a revoked key signed."""
        self._read = read
        self._require_valid = require_valid
        self._models: dict[str, ModelStanding] = {}
        self._approvals: dict[str, SignedApproval] = {}
        self._people = People()

    def of(self, model: str) -> ModelStanding:
        """Return a model's standing, which is empty before the first act."""
        return self._models.get(model, ModelStanding())

    def reigns(self, model: str) -> bool:
        """Say whether a model has a champion by acts that stand on no revoked key."""
        act = self.of(model).made_champion
        if act is None or self.of(model).champion is None:
            return False
        return self._counts(act) and self._was_promoted(model, act.version)

    def previous(self, model: str) -> str | None:
        """Return the champion that a rollback goes back to, None for none."""
        former = self.of(model).former
        return next((version for version in former if self._was_promoted(model, version)), None)

    def _was_promoted(self, model: str, version: str) -> bool:
        """Say whether a promotion of a version stands on no revoked key."""
        return any(map(self._counts, self.of(model).promotions.get(version, ())))

    def _counts(self, act: Act) -> bool:
        registration = [made.record for name, made in act.inputs.items() if name == REGISTRATION]
        records = [act.record, *registration, *act.said["approvals"]]
        return not any(map(self._revoked, records))

    def approvals(self, model: str, version: str) -> list[SignedApproval]:
        """Return the approvals that were handed in for a version, in order."""
        asked = (model, version)
        return [
            item
            for item in self._approvals.values()
            if (item.approval.model, item.approval.version) == asked
        ]

    def take(self, act: Act) -> None:
        """Go on with an act, whether or not it should have been."""
        self._models.setdefault(act.model, ModelStanding()).take(act)
        if act.kind == APPROVE:
            try:
                approval, key = open_approval(act.said)
            except IntegrityError:
                return
            signed = SignedApproval(act.record, approval, act.actor, key.keyid)
            self._approvals[act.record] = signed
            if act.actor:
                self._people.join(act.actor, key.keyid)

    def problems(self, act: Act) -> Iterator[str]:
        """Yield why an act must not be."""
        try:
            registration = _made(act, REGISTRATION).record
            version = registered(self._read, registration, act.model, act.version)
        except IntegrityError as error:
            yield error.message
            return
        if version.inputs != act.inputs or version.run != act.run:
            yield "it is not about the version as it was registered"
        if act.kind in (PROMOTE, ROLL_BACK) and (why := self._revoked(registration)):
            yield f"the registration does not count: {why}"
        yield from self._problems_of_kind(act, version)

    def _revoked(self, record: str) -> str | None:
        """Return why a record does not count, None unless a revoked key signed it."""
        try:
            self._require_valid(record)
        except IntegrityError as error:
            return error.message
        return None

    def _problems_of_kind(self, act: Act, version: Registered) -> Iterator[str]:
        now = self.of(act.model)
        if act.kind == APPROVE:
            yield from approval_problems(act)
        elif act.kind == PROMOTE:
            yield from self._promotion_problems(act, version)
        elif act.kind == ROLL_BACK and act.version != (before := self.previous(act.model)):
            yield f"the champion before is {before or 'none'}, not {act.version}"
        elif act.kind == ARCHIVE and act.version == now.champion:
            yield "the champion is not archived"
        elif act.kind != WITHDRAW and act.version in now.withdrawn:
            yield "the version was withdrawn"
        yield from alias_problems(act, now.champion)
        yield from unasked_problems(act)

    def _promotion_problems(self, act: Act, version: Registered) -> Iterator[str]:
        if act.version in self.of(act.model).withdrawn:
            yield "the version was withdrawn"
        if act.version == self.of(act.model).champion and self.reigns(act.model):
            yield "it is the champion already"
        if act.said["required"] != version.required:
            yield "it does not ask for what the settings of the version's run ask for"
        counted = []
        for record in act.said["approvals"]:
            signed = self._approvals.get(record)
            if signed is None:
                yield f"record {record[:12]} is no approval"
            elif why := self.why_not(signed, version, act.time.date()):
                yield f"the approval {record[:12]} does not count: {why}"
            else:
                counted.append(signed)
        required = version.required
        if "keys" in act.said:  # registry-change v1 has no such field
            yield from key_problems(act.said["keys"], [signed.keyid for signed in counted])
            required = asked_here(required, act.said["keys"])
        yield from self.lacking(required, counted)

    def lacking(
        self, required: Mapping[str, int], counted: Iterable[SignedApproval]
    ) -> Iterator[str]:
        """Yield what is still asked for, by meaning."""
        items = list(counted)
        for meaning, number in sorted(required.items()):
            signed = [item.keyid for item in items if item.approval.meaning == meaning]
            found = self._people.count(signed)
            if found < number:
                yield f"{number} people must have signed with meaning {meaning}, {found} have"

    def why_not(self, signed: SignedApproval, version: Registered, day: date) -> str | None:
        """Return why an approval does not count for a version on a day, None where it does."""
        said = signed.approval
        if why := self._revoked(signed.record):
            return why
        if (said.model, said.version) != (version.model, version.version):
            return "it is of another version"
        if (said.evaluation_sha256, said.bundle_sha256) != digests(version.inputs):
            return "it is of another evaluation or bundle"
        if not version.submitter or not signed.actor:
            return "the log does not say who submitted the run or who handed it in"
        if signed.actor == version.submitter:
            return "its signer submitted the run"
        if self._people.are_one(version.submitter, signed.keyid):
            return "by the keys and accounts in the log its signer submitted the run"
        if said.signed < version.decided:
            return "it was signed before the run's gates were decided on"
        if day > said.until:
            return f"it held until {said.until}"
        return None


def standing_of(
    records: Iterable[str], read: Reader, require_valid: Callable[[str], None]
) -> Standing:
    """Return where all versions stand after the acts that are among the records, in order."""
    standing = Standing(read, require_valid)
    for record in records:
        standing.take(Act.from_statement(read(record), record))
    return standing


def _made(act: Act, name: str) -> Made:
    found = act.inputs.get(name)
    if found is None or not found.record:
        raise IntegrityError(f"it names no {name}", remedy="run `tandem audit verify`")
    return found
