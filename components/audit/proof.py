"""Proof that records are in the log: what registration asks for before it registers anything.

Rules: nothing that the notary says is taken on trust; each envelope's signature, its place in the
tree and the checkpoint's signature are verified with the public key, which is read from the home
and not asked of the notary; every ancestor must be among the proofs; a record that says anything
but done stands behind nothing; whatever is missing means no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.audit.answers import DONE_EVENTS, IMPORTED, InclusionProof, ProofBundle, RecordView
from components.audit.checkpoint import Checkpoint
from components.audit.client import Notary
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_history import KeyHistory, is_change, open_note, read_history
from components.audit.keys import PublicKey, read_public_key
from components.audit.merkle import leaf_hash, verify_inclusion
from components.audit.schema import check_statement
from components.core.canonical import sha256_bytes
from components.core.errors import DataError, IntegrityError, UnverifiableError


@dataclass(frozen=True)
class Proof:
    """Verified records, by index, and the bundle that proves them.

    `statements` are what was signed, whole, by record.
    """

    records: tuple[RecordView, ...]
    bundle: ProofBundle
    statements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def checkpoint(self) -> str:
        """The signed note that covers the records."""
        return self.bundle.checkpoint

    @property
    def stages(self) -> frozenset[str]:
        """The stages that wrote the records."""
        return frozenset(view.stage for view in self.records)


def require_proof(
    notary: Notary | None, records: Sequence[str], key: PublicKey | None = None
) -> Proof:
    """Return the verified records and all their ancestors.

    The key is that of the home that TANDEM_HOME names unless one is given. Raises IntegrityError
    unless every record is proven, its subclass UnverifiableError where there is no notary or key.
    """
    if notary is None:
        raise UnverifiableError(
            "there is no notary, so nothing proves the records",
            remedy="run with a notary: `tandem run` starts one, or set TANDEM_NOTARY",
        )
    if not records or not all(records):
        raise IntegrityError(
            "an artifact has no record", remedy="run its stage again, with a notary"
        )
    if key is None:
        key = read_public_key(AuditFolder.from_environment())
    return verify_bundle(notary.prove(records), records, key)


def verify_bundle(bundle: ProofBundle, records: Sequence[str], key: PublicKey) -> Proof:
    """Return what a bundle proves; raise IntegrityError unless it proves all of it.

    The key is the log's first; the bundle holds the records of those after it.
    """
    keys = read_history(bundle.checkpoint, _leaf_of(bundle), key)
    checkpoint = open_note(bundle.checkpoint, keys)
    statements = {
        proof.record: verified_statement(proof, checkpoint, keys) for proof in bundle.proofs
    }
    views = {
        proof.record: RecordView.from_statement(statements[proof.record], proof.index, proof.record)
        for proof in bundle.proofs
        if not is_change(statements[proof.record])
    }
    wanted = [*records, *(parent for view in views.values() for parent in view.parents)]
    for record in wanted:
        if record not in views:
            raise IntegrityError(
                f"record {record[:12]} is not proven", remedy="run `tandem audit verify`"
            )
    for view in views.values():
        if view.event not in DONE_EVENTS and view.event != IMPORTED:
            raise IntegrityError(
                f"record {view.index} ({view.stage}) says {view.event}, which proves no result",
                remedy="run the stage again",
            )
        if view.event != IMPORTED and any(views[p].event == IMPORTED for p in view.parents):
            raise IntegrityError(
                f"record {view.index} ({view.stage}) stands on what was only imported",
                remedy="run `tandem audit verify`",
            )
    ordered = sorted(views.values(), key=lambda view: view.index)
    return Proof(tuple(ordered), bundle, statements)


def _leaf_of(bundle: ProofBundle) -> Callable[[int], bytes]:
    leaves = {proof.index: proof.envelope for proof in bundle.proofs}

    def leaf(index: int) -> bytes:
        if index not in leaves:
            raise IntegrityError(
                f"the proof lacks entry {index}, which changed the log's keys",
                remedy="have it made again",
            )
        return leaves[index]

    return leaf


def verified_statement(
    proof: InclusionProof, checkpoint: Checkpoint, keys: KeyHistory
) -> dict[str, Any]:
    """Return the statement that a proof shows to be under a verified checkpoint, and that counts.

    It does not where its key was revoked from there on: then IntegrityError is raised too.
    """
    statement = signed_statement(proof, checkpoint, keys)
    if not is_change(statement):
        keys.require_valid(proof.index)
    return statement


def signed_statement(
    proof: InclusionProof, checkpoint: Checkpoint, keys: KeyHistory
) -> dict[str, Any]:
    """Return the statement that a proof shows to be under a verified checkpoint.

    Whether its key was revoked since is not asked.
    """
    if sha256_bytes(proof.envelope) != proof.record:
        raise IntegrityError(
            f"the envelope of record {proof.record[:12]} is another one",
            remedy="run `tandem audit verify`",
        )
    verify_inclusion(
        leaf_hash(proof.envelope), proof.index, checkpoint.size, proof.hashes, checkpoint.root
    )
    statement = Envelope.from_bytes(proof.envelope).statement(keys.holder(proof.index))
    try:
        check_statement(statement)
    except DataError as error:
        raise IntegrityError(error.message, remedy=error.remedy) from error
    return statement
