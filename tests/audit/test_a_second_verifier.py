"""docs/audit-format.md suffices for a second verifier: it finds what the first one finds."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import second_verifier
import test_verifier_attacks as attacks
from acts_of_people import People
from second_verifier import Verifier, Wrong

from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keys import SigningKey
from components.audit.schema import _FILES, FOLDER
from components.audit.verify import verify_log

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-format.md"
OURS = {"components", "pipelines", "schemas"}


def second(home: Path) -> str:
    """Return the second verifier's verdict, by the log's first key."""
    folder = AuditFolder(home)
    return Verifier(folder.log, folder.public_key.read_bytes(), FOLDER).run()


@pytest.fixture
def copy(told: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(told, tmp_path / "copy"))


def test_it_shares_nothing_with_the_first() -> None:
    text = Path(second_verifier.__file__).read_text()
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.M))
    assert imported & OURS == set()
    assert imported - set(sys.stdlib_module_names) <= {
        "cryptography",
        "jsonschema",
        "referencing",
        "rfc8785",
    }


def test_both_take_an_untouched_log(copy: Path) -> None:
    assert verify_log(copy / "home") == []
    assert second(copy / "home") == f"{attacks.ENTRIES} entries and 19 checkpoints verify"


def test_both_take_acts_and_changes_of_keys_and_both_find_what_a_revoked_key_signed(
    promoted: People, key: SigningKey
) -> None:
    promoted.notary.change_keys(KeyOrder("actor-7", "yearly"))
    promoted.approve()
    assert "checkpoints verify" in second(promoted.home)
    promoted.notary.change_keys(KeyOrder("actor-7", "stolen", revoked=key.public.keyid, first=3))
    assert {finding.check for finding in verify_log(promoted.home)} == {"key"}
    with pytest.raises(Wrong, match="entry 3: its key was revoked"):
        second(promoted.home)


@pytest.mark.parametrize("attack", attacks.ATTACKS, ids=lambda attack: attack.__name__)
def test_it_finds_every_attack_that_the_first_one_finds(
    copy: Path, attack: Callable[[Path], None]
) -> None:
    attack(copy)
    with pytest.raises(Wrong):
        second(copy / "home")


@pytest.mark.parametrize("change", attacks.THEFTS, ids=lambda change: change.__name__)
def test_it_finds_what_a_thief_of_the_key_contradicts(
    copy: Path, key: SigningKey, change: Callable[[list[dict[str, object]]], None]
) -> None:
    attacks.with_records(copy, key, lambda statements: None)
    assert "checkpoints verify" in second(copy / "home")
    attacks.with_records(copy, key, change)
    with pytest.raises(Wrong):
        second(copy / "home")


def test_the_document_names_the_schema_of_every_type() -> None:
    text = DOCUMENT.read_text()
    for kind, file in _FILES.items():
        form = kind if kind in text else kind.removesuffix("/v2") + "/v1`, `v2"
        assert re.search(rf"{re.escape(form)}`[^\n]*schemas/audit/{re.escape(file)}\)", text), kind
