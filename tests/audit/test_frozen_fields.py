"""Every field of the closed schemas of records is in a golden one, and these are made as ever.

A field that is added to a schema without a golden record fails here: it could change unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from acts_of_people import ANN, People, change, entry
from changed_keys import OTHER, SECOND, YEARLY, failed, history, log
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from second_verdict import found_by_second, second
from walked_schemas import OF_TYPE, SCHEMAS, held, properties

from components.audit import base64_strict
from components.audit.acts import ROLL_BACK
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keyring import Keyring
from components.audit.log_place import log_storage, spool
from components.audit.notary import LocalNotary, open_notary
from components.audit.schema import check_approval, check_statement, check_waiver
from components.audit.second_key import SecondPublicKey, SecondSigningKey
from components.audit.verify import verify_log
from components.audit.writer_lock import WriterLock
from components.waivers import Waiver

GOLDEN = Path(__file__).parent / "golden"
RECORDS = sorted(path.stem for path in GOLDEN.glob("*.json") if "payload" in path.read_text())
Draft = Callable[..., dict[str, Any]]
SECOND_KEYS = ("second-key-change", "second-key-change-rotate", "second-key-change-revoke")
Artifact = Callable[[Path, Any], str]
NEXT = SecondSigningKey(MLDSA44PrivateKey.from_seed_bytes(bytes(range(1, 33))))
NEW = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
PRICES = {"currency": "EUR", "cpu_hour": 0.04, "gpu_hour": 2.5, "tpu_hour": 4}
RESOURCES = {
    "wall_seconds": 40.5,
    "cpu_seconds": 61.25,
    "peak_memory_bytes": 2**31,
    "gpu_seconds": 36.0,
    "cost": {"amount": 0.0257, "currency": "EUR"},
}
CAUSE = {"kind": "PlatformError", "message": "no memory on the GPU", "remedy": "smaller batches"}
WAIVED = {
    "name": "drift:carrier",
    "metric": "l_infinity_distance",
    "value": 0.5,
    "operator": "<=",
    "threshold": 0.1,
    "slice": "2013-02 against 2013-01",
    "n": 25000,
    "baseline": 0.05,
    "interval": [0.48, 0.52],
    "passed": False,
    "waived_by": "ab" * 32,
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def statements(name: str) -> list[dict[str, Any]]:
    """Return a golden file's statement, and that of the approval inside it."""
    said = json.loads(Envelope.from_bytes(golden(name)).payload)
    inside = said["predicate"].get("approval")
    signed = [json.loads(base64_strict.decode(inside["payload"]))] if inside else []
    return [said, *signed]


def test_every_field_of_the_closed_schemas_is_in_a_golden_record() -> None:
    named = {"common.json", *OF_TYPE.values()}
    every = {place for name in named for place in properties(SCHEMAS[name], name)}
    frozen = {place for name in RECORDS for said in statements(name) for place in held(said)}
    assert len(every) > 240
    assert sorted(every - frozen) == []


@pytest.mark.parametrize("name", RECORDS)
def test_every_golden_record_is_read(name: str) -> None:
    check = {"waiver": check_waiver, "approval": check_approval}.get(name, check_statement)
    check(json.loads(Envelope.from_bytes(golden(name)).payload))


def priced(draft: Draft, event: str, stage: str, **parts: Any) -> dict[str, Any]:
    made = draft(event, stage, **parts)
    return made | {"run": made["run"] | {"prices": PRICES}}


def test_a_priced_failure_has_the_bytes_that_version_1_froze(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    failure = priced(draft, "FAIL", "train_pytorch", cause=CAUSE, resources=RESOURCES)
    notary.submit(failure)
    assert log(home).entry(0).leaf == golden("stage-event-failed")
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


def test_a_priced_test_with_a_waived_gate_has_the_bytes_that_version_1_froze(
    notary: LocalNotary, home: Path, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    notary.submit(priced(draft, "START", "validate_examples"))
    made = {"sha256": artifact(tmp_path / "made", "rows"), "path": str(tmp_path / "made")}
    done = {"gates": [WAIVED], "resources": RESOURCES, "outputs": [{"name": "validation"} | made]}
    notary.submit(priced(draft, "COMPLETE", "validate_examples", **done))
    assert log(home).entry(1).leaf == golden("test-result-waived")
    (finding,) = verify_log(home)
    assert (finding.check, finding.where) == ("gate", "entry 1")
    assert "the waiver abababababab, which it does not hold" in finding.message
    assert found_by_second(home) == "entry 1: gate drift:carrier: its waiver is not held"


def test_a_priced_record_of_an_account_has_the_bytes_that_version_2_froze(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    failure = priced(draft, "FAIL", "train_pytorch", cause=CAUSE, resources=RESOURCES)
    notary.submit(failure, "tandem/pipeline")
    assert log(home).entry(0).leaf == golden("stage-event-failed-v2")


def test_a_failure_under_tfx_has_the_bytes_that_version_1_froze(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    failure = draft("FAIL", "train_pytorch", cause=CAUSE)
    notary.submit(failure | {"run": failure["run"] | {"orchestrator": "tfx"}})
    assert log(home).entry(0).leaf == golden("stage-event-tfx")
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


def test_a_rollback_has_the_bytes_that_its_golden_file_froze(promoted: People) -> None:
    second = promoted.approve("4", reason=None)
    promoted.promote("4", "3", second)
    promoted.act(ROLL_BACK, change("4", "3"), "3")
    assert entry(promoted.home, 23).read_bytes() == golden("registry-change-v2-rollback")


def test_a_revocation_has_the_bytes_that_version_1_froze(
    home: Path, draft: Draft, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ed25519PrivateKey, "generate", classmethod(lambda cls: NEW))
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(YEARLY)
        former = history(home).tenures[0].key
        notary.change_keys(KeyOrder("actor-7", "copied", former.keyid, 2))
    assert log(home).entry(2).leaf == golden("key-change-revoke")
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


class Remembering:
    """An ML-DSA-44 private key that gives a golden record's signature where that is its own.

    Such signatures are hedged: two of one message are other bytes, and only one can be frozen.
    """

    def __init__(self, key: SecondSigningKey) -> None:
        self._key = key
        said = [statements(name)[0]["predicate"] for name in SECOND_KEYS]
        texts = [item[name] for item in said for name in ("possession", "handover")]
        self._frozen = [base64_strict.signature(text) for text in texts]

    def sign(self, message: bytes) -> bytes:
        own = [frozen for frozen in self._frozen if self._key.public.verifies(frozen, message)]
        return own[0] if own else self._key.sign(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key.private, name)


@dataclass(frozen=True)
class FixedSecondKeys(Keyring):
    """A keyring whose second keys are those of the golden records, in their order."""

    next_one: Iterator[SecondSigningKey] = field(default_factory=lambda: iter((OTHER, NEXT)))

    def make_second(self) -> SecondSigningKey:
        return self.second_key(next(self.next_one).public)

    def second_key(self, public: SecondPublicKey) -> SecondSigningKey:
        key = next(item for item in (OTHER, NEXT) if item.public == public)
        return SecondSigningKey(cast("MLDSA44PrivateKey", Remembering(key)))


def test_the_changes_of_a_second_key_have_the_bytes_that_version_1_froze(
    home: Path, draft: Draft, clock: Any
) -> None:
    folder = AuditFolder(home)
    keyring = FixedSecondKeys(folder)
    with WriterLock(folder):
        notary = LocalNotary(log_storage(folder), spool(folder, durable=False), keyring, clock)
        notary.submit(failed(draft, 1))
        notary.change_keys(SECOND)
        notary.change_keys(SECOND)
        notary.change_keys(KeyOrder("actor-7", "copied", OTHER.public.keyid, 2))
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
    for index, name in enumerate(SECOND_KEYS, start=1):
        assert log(home).entry(index).leaf == golden(name)


def test_a_waiver_has_the_bytes_that_version_1_froze() -> None:
    made = Waiver(
        use_case="flights",
        schema_sha256="cd" * 32,
        gate="drift:carrier",
        slice="2013-02 against 2013-01",
        reason="a carrier was merged into another",
        issued=date(2026, 5, 4),
        until=date(2026, 6, 3),
    )
    assert made.sign(ANN) == golden("waiver")
