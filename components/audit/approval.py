"""An approval: what a person says of a registered version, signed with their own key.

It is a DSSE envelope over an in-toto statement of our own predicate type, whose subjects are the
evaluation and the bundle that the person judged; name, time and meaning are under the signature
(21 CFR 11.50, 11.70). The log holds it as it was signed, inside a record of the notary's, beside
the public key that verifies it. That a signature is right does not say that the key is trusted, or
that the approval counts: see standing.py and components/approvals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from components.audit.envelope import Envelope
from components.audit.keys import PublicKey, SigningKey
from components.audit.predicates import APPROVAL, STATEMENT_TYPE
from components.audit.records import timestamp
from components.audit.schema import check_approval
from components.core.canonical import canonical_json, parse_json
from components.core.errors import DataError, IntegrityError

MEANINGS = ("review", "approval")


@dataclass(frozen=True)
class Approval:
    """What a person signed; it holds up to the end of the day `until` (UTC)."""

    model: str
    version: str
    evaluation_sha256: str
    bundle_sha256: str
    name: str
    meaning: str
    signed: datetime
    until: date
    reason: str | None = None

    def statement(self) -> dict[str, Any]:
        """Return the in-toto statement that is signed."""
        said = {
            "model": self.model,
            "version": self.version,
            "name": self.name,
            "meaning": self.meaning,
            "signedAt": timestamp(self.signed),
            "until": self.until.isoformat(),
        }
        subjects = {"evaluation": self.evaluation_sha256, "bundle": self.bundle_sha256}
        return {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": name, "digest": {"sha256": sha256}} for name, sha256 in subjects.items()
            ],
            "predicateType": APPROVAL,
            "predicate": said | ({} if self.reason is None else {"reason": self.reason}),
        }

    @classmethod
    def from_statement(cls, value: Mapping[str, Any]) -> Approval:
        """Read what `statement` returned; raise DataError for anything else."""
        check_approval(value)
        said = value["predicate"]
        evaluation, bundle = (item["digest"]["sha256"] for item in value["subject"])
        try:
            signed = datetime.fromisoformat(said["signedAt"])
            until = date.fromisoformat(said["until"])
        except ValueError as error:
            raise DataError(f"no calendar has that day: {error}", remedy="sign it again") from error
        return cls(
            model=said["model"],
            version=said["version"],
            evaluation_sha256=evaluation,
            bundle_sha256=bundle,
            name=said["name"],
            meaning=said["meaning"],
            signed=signed,
            until=until,
            reason=said.get("reason"),
        )

    def sign(self, key: SigningKey) -> dict[str, Any]:
        """Return what the record of this approval holds: the envelope, and its public key."""
        envelope = parse_json(Envelope.sign(self.statement(), key).to_bytes())
        return {"approval": envelope, "publicKey": key.public.raw.hex()}


def open_approval(said: Mapping[str, Any]) -> tuple[Approval, PublicKey]:
    """Return what a record's `approval` says, and the key that signed it.

    Raises IntegrityError unless the record's `publicKey`, and no other, signed just that.
    """
    try:
        key = PublicKey(bytes.fromhex(said["publicKey"]))
        envelope = Envelope.from_bytes(canonical_json(said["approval"]))
        if [item.keyid for item in envelope.signatures] != [key.keyid]:
            raise ValueError("another key signed it than the record names")
        return Approval.from_statement(envelope.statement(key)), key
    except (IntegrityError, DataError, ValueError) as error:
        raise IntegrityError(
            f"it is no signed approval: {error}", remedy="have it signed again"
        ) from error
