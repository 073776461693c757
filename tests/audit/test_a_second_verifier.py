"""docs/audit-format.md suffices for a second verifier: it finds what the first one finds."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import second_verifier
import test_second_signature as notes
import test_verifier_attacks as attacks
from acts_of_people import People
from changed_keys import (
    OTHER,
    SECOND,
    YEARLY,
    Draft,
    checkpoint,
    failed,
    history,
    log,
    second_of,
    taken_over,
    text,
    where,
)
from second_program import second_verdict
from second_verdict import found_by_second, second, verifier_of
from second_verifier import Wrong

from components.audit.envelope import Envelope
from components.audit.key_changes import KeyOrder
from components.audit.key_history import follow
from components.audit.keys import SigningKey
from components.audit.notary import open_notary
from components.audit.schema import _FILES
from components.audit.verify import verify_log
from components.core.canonical import parse_json
from components.core.errors import IntegrityError

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "audit-format.md"


@pytest.fixture
def copy(told: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(told, tmp_path / "copy"))


def test_it_shares_nothing_with_the_first() -> None:
    parts = {path.stem: path.read_text() for path in HERE.glob("second_verifier*.py")}
    assert second_verifier.__name__ in parts and len(parts) > 1
    text = "\n".join(parts.values())
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.M)) - parts.keys()
    assert "__import__" not in text and "importlib" not in text
    assert imported - set(sys.stdlib_module_names) == {
        "cryptography",
        "jsonschema",
        "referencing",
        "rfc8785",
    }


def test_it_runs_by_itself_and_ends_with_4_where_it_finds_something(recorded: Path) -> None:
    assert second_verdict(recorded) == (0, "18 entries and 19 checkpoints verify\n")
    model = recorded / "runs/run-1/artifacts/train_pytorch/pytorch_model/content.json"
    model.write_text("{}")
    assert second_verdict(recorded) == (4, "run-1/pytorch_model: other bytes\n")


def test_both_take_an_untouched_log(copy: Path) -> None:
    assert verify_log(copy / "home") == []
    assert second(copy / "home") == f"{attacks.ENTRIES} entries and 19 checkpoints verify"


def test_both_take_acts_and_changes_of_keys_and_both_find_what_a_revoked_key_signed(
    promoted: People, key: SigningKey
) -> None:
    promoted.notary.change_keys(YEARLY)
    promoted.approve()
    assert "checkpoints verify" in second(promoted.home)
    promoted.notary.change_keys(KeyOrder("actor-7", "stolen", revoked=key.public.keyid, first=3))
    assert {finding.check for finding in verify_log(promoted.home)} == {"key"}
    assert found_by_second(promoted.home) == "entry 3: its key was revoked"


def test_both_take_a_second_key_that_is_rotated_and_revoked(seconded: Path, draft: Draft) -> None:
    first = second_of(seconded).public.keyid
    with open_notary(seconded) as notary:
        for order in (SECOND, YEARLY, SECOND, KeyOrder("actor-7", "gone", revoked=first)):
            notary.change_keys(order)
        notary.submit(failed(draft, 4))
    assert verify_log(seconded) == []
    assert second(seconded) == "9 entries and 10 checkpoints verify"


def test_both_find_the_checkpoints_of_a_revoked_second_key(seconded: Path, draft: Draft) -> None:
    first = second_of(seconded).public.keyid
    with open_notary(seconded) as notary:
        notary.change_keys(SECOND)
        notary.change_keys(KeyOrder("actor-7", "stolen", revoked=first, first=2))
        notary.submit(failed(draft, 4))
    assert where(seconded) == [("checkpoint", "checkpoint 3"), ("checkpoint", "checkpoint 4")]
    assert found_by_second(seconded) == "checkpoint 3: its second key was revoked"


@pytest.mark.parametrize("attack", notes.ATTACKS.values(), ids=notes.ATTACKS)
def test_it_finds_every_wrong_second_signature_that_the_first_one_finds(
    seconded: Path, attack: Callable[[str, Path], str]
) -> None:
    assert "checkpoints verify" in second(seconded)
    checkpoint(seconded, 4).write_text(attack(log(seconded).note(4), seconded))
    assert "checkpoint 4" in found_by_second(seconded)


@pytest.mark.parametrize(
    "said",
    [
        {"handover": text(bytes(2420))},
        {"possession": text(bytes(2420))},
        {"previous": None},
        {"change": "begin"},
        {"key": {"keyid": "0" * 64, "public": OTHER.public.raw.hex()}},
        {"change": "revoke", "from": 0},
    ],
    ids=lambda said: ",".join(said),
)
def test_it_refuses_a_second_key_that_the_first_one_refuses(
    seconded: Path, key: SigningKey, said: dict[str, object]
) -> None:
    taken = taken_over(seconded, second_of(seconded))
    right, wrong = (
        Envelope.sign(value, key)
        for value in (taken, taken | {"predicate": taken["predicate"] | said})
    )
    verifier = verifier_of(seconded)
    verifier.run()
    with pytest.raises(IntegrityError):
        follow(history(seconded), wrong, 4)
    with pytest.raises(Wrong):
        verifier.keys.change(4, "0" * 64, parse_json(wrong.payload)["predicate"], second=True)
    verifier.keys.change(4, "0" * 64, parse_json(right.payload)["predicate"], second=True)


@pytest.mark.parametrize("attack", attacks.ATTACKS, ids=lambda attack: attack.__name__)
def test_it_finds_every_attack_that_the_first_one_finds(
    copy: Path, attack: Callable[[Path], None]
) -> None:
    attack(copy)
    assert found_by_second(copy / "home")


@pytest.mark.parametrize("change", attacks.THEFTS, ids=lambda change: change.__name__)
def test_it_finds_what_a_thief_of_the_key_contradicts(
    copy: Path, key: SigningKey, change: Callable[[list[dict[str, object]]], None]
) -> None:
    attacks.with_records(copy, key, lambda statements: None)
    assert "checkpoints verify" in second(copy / "home")
    attacks.with_records(copy, key, change)
    assert found_by_second(copy / "home")


def test_the_document_names_the_schema_of_every_type() -> None:
    text = DOCUMENT.read_text()
    for kind, file in _FILES.items():
        form = kind if kind in text else kind.removesuffix("/v2") + "/v1`, `v2"
        assert re.search(rf"{re.escape(form)}`[^\n]*schemas/audit/{re.escape(file)}\)", text), kind
