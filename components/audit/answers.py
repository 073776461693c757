"""What a notary answers: receipts, views of records, inclusion proofs; plain values over the wire.

Imports the standard library only, so that every stage can load the client at once. A view is a
convenience made from a record; whoever must be sure verifies the record itself (proof.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

AUDIT = "tandem_audit"
ACT = "ACT"
"""What a person did to a registered version: no stage's attempt, so without START and outputs."""
KEY = "KEY"
"""The log's keys change: no stage's and no person's on a model."""
IMPORTED = "IMPORTED"
"""Done before there was a log, as another system's store tells it (imported.py)."""
CLOSED_EVENTS = frozenset({ACT, KEY, IMPORTED})
"""Whose facts are the fields of their predicate, closed by its schema; no stage's attempts."""
CLOSING_EVENTS = frozenset({"COMPLETE", "FAIL", "ABORT", "CACHED"})
DONE_EVENTS = frozenset({"COMPLETE", "CACHED"})


@dataclass(frozen=True)
class Receipt:
    """Where a record went: the digest of its envelope, and its index in the log."""

    record: str
    index: int


@dataclass(frozen=True)
class Registration:
    """Which run registered a version, and by which entry."""

    run: str
    index: int


@dataclass(frozen=True)
class RecordView:
    """One record, read.

    `outputs` are the subjects that the notary re-hashed, by name; `subjects` are all of them.
    """

    index: int
    record: str
    record_id: str
    idempotency_key: str
    run: str
    stage: str
    attempt: int
    event: str
    time: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    subjects: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    start: str | None = None
    gates: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, str] | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_statement(cls, statement: Mapping[str, Any], index: int, record: str) -> RecordView:
        """Return the view of a statement that its schema accepts."""
        audit = statement["predicate"][AUDIT]
        subjects = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
        return cls(
            index=index,
            record=record,
            record_id=audit["record_id"],
            idempotency_key=audit["idempotency_key"],
            run=audit["run"]["id"],
            stage=audit["stage"],
            attempt=audit["attempt"],
            event=audit["event"],
            time=audit["clocks"]["notary"],
            outputs={name: subjects[name] for name in audit["outputs"]},
            subjects=subjects,
            parents=tuple(audit["parents"]),
            start=audit["start"],
            gates=tuple(map(gate_in_numbers, audit["gates"])),
            facts=_facts(statement["predicate"]),
            cause=audit["cause"],
            resources=audit["resources"] or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the view as a JSON object."""
        return asdict(self) | {"parents": list(self.parents), "gates": list(self.gates)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> RecordView:
        """Return the view that `to_dict` wrote."""
        parts = dict(value)
        return cls(**parts | {"parents": tuple(parts["parents"]), "gates": tuple(parts["gates"])})


def gate_in_numbers(gate: Mapping[str, Any]) -> dict[str, Any]:
    """Return a gate whose numbers are numbers, large ones too, which a record holds as texts."""
    numbers = {name: gate[name] for name in ("value", "threshold", "baseline") if name in gate}
    found = {**gate, **{name: _number(value) for name, value in numbers.items()}}
    if "interval" in gate:
        found["interval"] = [_number(value) for value in gate["interval"]]
    return found


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _facts(predicate: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a stage stated; of the other events their closed fields."""
    audit: Mapping[str, Any] = predicate[AUDIT]
    if audit["event"] not in CLOSED_EVENTS:
        facts: Mapping[str, Any] = audit["facts"]
        return facts
    return {name: value for name, value in predicate.items() if name != AUDIT}


@dataclass(frozen=True)
class InclusionProof:
    """A record's envelope, and the hashes that lead from it to a checkpoint's root."""

    record: str
    index: int
    envelope: bytes
    hashes: tuple[bytes, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the proof as a JSON object."""
        return {
            "record": self.record,
            "index": self.index,
            "envelope": self.envelope.decode("latin-1"),
            "hashes": [item.hex() for item in self.hashes],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> InclusionProof:
        """Return the proof that `to_dict` wrote."""
        return cls(
            str(value["record"]),
            int(value["index"]),
            str(value["envelope"]).encode("latin-1"),
            tuple(bytes.fromhex(item) for item in value["hashes"]),
        )


@dataclass(frozen=True)
class ProofBundle:
    """Proofs of several records under one signed checkpoint."""

    checkpoint: str
    proofs: tuple[InclusionProof, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the bundle as a JSON object."""
        return {"checkpoint": self.checkpoint, "proofs": [item.to_dict() for item in self.proofs]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ProofBundle:
        """Return the bundle that `to_dict` wrote."""
        proofs = tuple(InclusionProof.from_dict(item) for item in value["proofs"])
        return cls(str(value["checkpoint"]), proofs)
