"""Waivers: a person's signed word that one gate may fail, for a reason and until a day.

A waiver is a DSSE envelope over an in-toto statement of our own predicate type; its subject is the
schema that the data was held against. It counts where all of this is so:
1. its bytes are an envelope in its only form, its statement fits schemas/audit/waiver.json;
2. it is signed by one key that is trusted here: a public key in the folder that TANDEM_WAIVER_KEYS
   names, else below the audit folder of TANDEM_HOME; no setting and no parameter of a run adds one;
3. it is of this use case and this schema;
4. the day that the run started on, by the run's own identity, is from `issuedOn` to `until`.
A waiver that does not count lets nothing pass, and is no error by itself: why it does not count is
said and recorded. One that counts covers the failing gates of its name, and of its slice if it has
one; they stay failed in every record, beside its digest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from components.audit.envelope import Envelope
from components.audit.folder import HOME_VARIABLE, AuditFolder
from components.audit.keys import PublicKey, SigningKey
from components.audit.predicates import STATEMENT_TYPE, WAIVER
from components.audit.schema import check_waiver
from components.core.canonical import sha256_bytes
from components.core.errors import DataError, IntegrityError, SettingsError
from components.core.outcome import Gate

KEYS_VARIABLE = "TANDEM_WAIVER_KEYS"
SUFFIX = ".pub"
_SUBJECT = "schema"
_RUN_ID = re.compile(r"(\d{8})T\d{6}Z-")


@dataclass(frozen=True)
class Scope:
    """What a waiver must be of to count in a run; `day` is None where the run does not say."""

    use_case: str
    schema_sha256: str
    day: date | None


@dataclass(frozen=True)
class Waiver:
    """What a person signed; `slice` None is every slice of the gate."""

    use_case: str
    schema_sha256: str
    gate: str
    slice: str | None
    reason: str
    issued: date
    until: date

    def statement(self) -> dict[str, Any]:
        """Return the in-toto statement that is signed."""
        gate = {"name": self.gate} | ({"slice": self.slice} if self.slice is not None else {})
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": _SUBJECT, "digest": {"sha256": self.schema_sha256}}],
            "predicateType": WAIVER,
            "predicate": {
                "useCase": self.use_case,
                "gate": gate,
                "reason": self.reason,
                "issuedOn": self.issued.isoformat(),
                "until": self.until.isoformat(),
            },
        }

    @classmethod
    def from_statement(cls, value: Mapping[str, Any]) -> Waiver:
        """Read what `statement` returned; raise DataError for anything else."""
        check_waiver(value)
        said = value["predicate"]
        try:
            issued, until = (date.fromisoformat(said[name]) for name in ("issuedOn", "until"))
        except ValueError as error:
            raise DataError(f"no calendar has that day: {error}", remedy="sign it again") from error
        return cls(
            use_case=said["useCase"],
            schema_sha256=value["subject"][0]["digest"]["sha256"],
            gate=said["gate"]["name"],
            slice=said["gate"].get("slice"),
            reason=said["reason"],
            issued=issued,
            until=until,
        )

    def sign(self, key: SigningKey) -> bytes:
        """Return the waiver's only form, signed."""
        return Envelope.sign(self.statement(), key).to_bytes()

    def covers(self, gate: Gate) -> bool:
        """Say whether the waiver is about this gate, in this slice."""
        return gate.name == self.gate and self.slice in (None, gate.slice)


@dataclass(frozen=True)
class Judged:
    """A waiver's digest, and what it says, or why it does not count."""

    sha256: str
    keyid: str | None = None
    waiver: Waiver | None = None
    refused: str | None = None

    @property
    def counts(self) -> bool:
        """Say whether the waiver may let a gate pass."""
        return self.waiver is not None and self.refused is None

    def to_dict(self) -> dict[str, Any]:
        """Return what validation.json and the record say of it: who, why and how long."""
        said: dict[str, Any] = {"sha256": self.sha256, "keyid": self.keyid, "counts": self.counts}
        if self.waiver is not None:
            said |= {"gate": self.waiver.gate, "slice": self.waiver.slice}
            said |= {"reason": self.waiver.reason, "issued": self.waiver.issued.isoformat()}
            said["until"] = self.waiver.until.isoformat()
        return said | {"refused": self.refused}


def keys_folder() -> Path | None:
    """Return the folder of the public keys that may sign; None where no home is known."""
    if named := os.environ.get(KEYS_VARIABLE):
        return Path(named)
    home = os.environ.get(HOME_VARIABLE)
    return AuditFolder(Path(home)).waiver_keys if home else None


def trusted_keys(folder: Path | None, of: str = "waiver") -> dict[str, PublicKey]:
    """Return {keyid: key} of every key in a folder; raise SettingsError for a file that is none."""
    keys: dict[str, PublicKey] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder else ():
        try:
            key = PublicKey.from_pem(path.read_bytes())
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{path.name} in the folder of {of} keys is no Ed25519 public key",
                remedy="have it restored or removed by who looks after that folder",
            ) from error
        keys[key.keyid] = key
    return keys


def judge(text: str, trusted: Mapping[str, PublicKey], scope: Scope) -> Judged:
    """Return what a waiver says and whether it counts (the module's rules 1 to 4)."""
    data = text.encode("utf-8", "surrogatepass")
    sha256 = sha256_bytes(data)
    try:
        envelope = Envelope.from_bytes(data)
        signers = [item.keyid for item in envelope.signatures]
        if len(signers) != 1 or signers[0] not in trusted:
            return Judged(sha256, refused="no key that is trusted here signed it")
        waiver = Waiver.from_statement(envelope.statement(trusted[signers[0]]))
    except (IntegrityError, DataError) as error:
        return Judged(sha256, refused=f"it is not a signed waiver: {error.message}")
    return Judged(sha256, signers[0], waiver, _out_of_scope(waiver, scope))


def _out_of_scope(waiver: Waiver, scope: Scope) -> str | None:
    """Return why a waiver does not count in a run (rules 3 and 4), None where it does."""
    if waiver.use_case != scope.use_case:
        return "it is of another use case"
    if waiver.schema_sha256 != scope.schema_sha256:
        return "it is of another schema"
    if scope.day is None:
        return "the run's id does not say when the run started"
    if not waiver.issued <= scope.day <= waiver.until:
        return f"it holds from {waiver.issued} to {waiver.until}, the run started on {scope.day}"
    return None


def waive(gate: Gate, judged: Sequence[Judged]) -> Gate:
    """Return the gate with the digest of the first waiver that covers it, if it did not pass."""
    if gate.passed:
        return gate
    for item in judged:
        if item.counts and item.waiver is not None and item.waiver.covers(gate):
            return replace(gate, waived_by=item.sha256)
    return gate


def day_of_run(run: Mapping[str, Any]) -> date | None:
    """Return the day (UTC) that a run's id begins with; None where it begins with none."""
    found = _RUN_ID.match(str(run.get("id", "")))
    try:
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() if found else None
    except ValueError:
        return None
