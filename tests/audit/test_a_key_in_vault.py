"""A log whose key is in Vault: signed there, verified as any other, and nothing of it on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vault

from components.audit.folder import AuditFolder
from components.audit.kept_elsewhere import SIGNER_VARIABLE
from components.audit.key_changes import KeyOrder
from components.audit.keys import read_public_key
from components.audit.notary import open_notary
from components.audit.verify import verify_log
from components.core.errors import IntegrityError, PlatformError, SettingsError, TandemError
from pipelines.cli import main

Draft = Callable[..., dict[str, Any]]
NAME = "tandem-log"


@pytest.fixture
def transit(monkeypatch: pytest.MonkeyPatch) -> Iterator[vault.Transit]:
    with vault.serving() as transit:
        transit.rotate(NAME)
        monkeypatch.setenv("VAULT_ADDR", transit.url)
        monkeypatch.setenv("VAULT_TOKEN", vault.TOKEN)
        monkeypatch.setenv(SIGNER_VARIABLE, f"hv:{NAME}")
        yield transit


@pytest.fixture
def begun(transit: vault.Transit, tmp_path: Path, draft: Draft) -> Path:
    with open_notary(tmp_path / "home") as notary:
        notary.submit(draft("START"))
    return tmp_path / "home"


def test_a_log_is_signed_in_vault_and_verifies_by_the_public_key_alone(
    begun: Path, transit: vault.Transit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert transit.signed >= 2, "an entry and a checkpoint"
    (key,) = transit.keys[NAME]
    assert read_public_key(AuditFolder(begun)).raw == key.public_key().public_bytes_raw()
    monkeypatch.delenv("VAULT_TOKEN")
    assert [finding.check for finding in verify_log(begun)] == ["open"]


def test_nothing_private_is_on_disk(begun: Path, transit: vault.Transit) -> None:
    (key,) = transit.keys[NAME]
    files = [path.read_bytes() for path in begun.rglob("*") if path.is_file()]
    names = {path.name for path in (begun / "audit" / "keys").iterdir()}
    assert names == {"notary.pub", "notary.signer"}
    for secret in (key.private_bytes_raw(), vault.TOKEN.encode(), b"PRIVATE"):
        assert not any(secret in data for data in files)


def test_a_home_stays_with_its_store_whatever_the_variable_says(
    begun: Path, transit: vault.Transit, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SIGNER_VARIABLE)
    before = transit.signed
    with open_notary(begun) as notary:
        notary.submit(draft("START", "train_pytorch"))
    assert transit.signed > before
    assert {finding.check for finding in verify_log(begun)} == {"open"}


def test_a_rotation_takes_the_stores_newest_version(
    begun: Path, transit: vault.Transit, draft: Draft
) -> None:
    with open_notary(begun) as notary:
        with pytest.raises(SettingsError, match="has signed this log before"):
            notary.change_keys(KeyOrder("actor-7", "yearly"))
        transit.rotate(NAME)
        notary.change_keys(KeyOrder("actor-7", "yearly"))
        notary.submit(draft("START", "train_pytorch"))
    old = transit.keys[NAME][0].public_key().public_bytes_raw()
    files = {path.name for path in (begun / "audit" / "keys").glob("*.signer")}
    assert len(files) == 2
    assert read_public_key(AuditFolder(begun)).raw == old
    assert {finding.check for finding in verify_log(begun)} == {"open"}


def test_a_rotation_stays_in_the_store_where_the_variable_is_not_set(
    begun: Path, transit: vault.Transit, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SIGNER_VARIABLE)
    with open_notary(begun) as notary:
        with pytest.raises(SettingsError, match="has signed this log before"):
            notary.change_keys(KeyOrder("actor-7", "yearly"))
        for _ in range(2):
            transit.rotate(NAME)
            notary.change_keys(KeyOrder("actor-7", "yearly"))
    assert not list((begun / "audit" / "keys").glob("*.key"))
    assert {finding.check for finding in verify_log(begun)} == {"open"}


def test_a_rotation_leaves_the_store_where_the_variable_says_so(
    begun: Path, transit: vault.Transit, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SIGNER_VARIABLE, "disk")
    with open_notary(begun) as notary:
        notary.change_keys(KeyOrder("actor-7", "out of Vault"))
        before = transit.signed
        notary.submit(draft("START", "train_pytorch"))
    assert transit.signed == before
    assert len(list((begun / "audit" / "keys").glob("*.key"))) == 1
    assert {finding.check for finding in verify_log(begun)} == {"open"}


def test_a_home_with_a_key_on_disk_rotates_into_the_store(
    notary: Any, home: Path, draft: Draft, transit: vault.Transit
) -> None:
    notary.submit(draft("START"))
    assert transit.signed == 0
    notary.change_keys(KeyOrder("actor-7", "into Vault"))
    notary.submit(draft("START", "train_pytorch"))
    assert transit.signed > 0
    assert verify_log(home) == []


def test_while_vault_is_away_nothing_is_recorded_and_afterwards_it_goes_on(
    begun: Path, transit: vault.Transit, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_notary(begun) as notary:
        keys, transit.keys = transit.keys, {}
        with pytest.raises(PlatformError, match="does not sign") as raised:
            notary.submit(draft("START", "train_pytorch"))
        assert "VAULT_TOKEN" in raised.value.remedy
        transit.keys = keys
        notary.submit(draft("START", "train_pytorch"))
    assert {finding.check for finding in verify_log(begun)} == {"open"}
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    with pytest.raises(PlatformError, match="does not sign"), open_notary(begun) as notary:
        notary.submit(draft("START", "train_tensorflow"))


def test_a_store_that_signs_with_another_key_spoils_nothing(
    begun: Path, transit: vault.Transit, draft: Draft
) -> None:
    transit.keys[NAME] = []
    transit.rotate(NAME)
    with (
        open_notary(begun) as notary,
        pytest.raises(IntegrityError, match="signs with another key"),
    ):
        notary.submit(draft("START", "train_pytorch"))
    assert {finding.check for finding in verify_log(begun)} == {"open"}


@pytest.mark.parametrize(
    "store",
    ["awskms:alias/x", "hv:", "notary.key", f"hv:{NAME}/1", f"hv://{NAME}", f"hv:{NAME}?list=1"],
)
def test_other_stores_are_refused_before_anything_is_written(
    transit: vault.Transit, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SIGNER_VARIABLE, store)
    with pytest.raises(SettingsError, match="no store of Ed25519 keys"), open_notary(tmp_path):
        pass
    assert not (tmp_path / "audit" / "keys").exists()


def test_a_key_of_another_type_is_refused(transit: vault.Transit, tmp_path: Path) -> None:
    transit.keys.clear()
    transit.foreign.add(NAME)
    with pytest.raises(SettingsError, match="no Ed25519 key"), open_notary(tmp_path):
        pass
    assert not (tmp_path / "audit" / "keys").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:8200", "http://", "ftp://x", "http://[::1"])
def test_an_address_that_is_none_is_no_fault_of_the_key(
    transit: vault.Transit, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_ADDR", address)
    with pytest.raises(PlatformError, match="does not sign") as raised, open_notary(tmp_path):
        pass
    assert "VAULT_ADDR" in raised.value.remedy


@pytest.mark.parametrize("token", [f"{vault.TOKEN}\n", "t\u00f6ken"])
def test_a_token_that_cannot_be_sent_is_not_told(
    transit: vault.Transit, tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", token)
    with pytest.raises(PlatformError, match="is no token") as raised, open_notary(tmp_path):
        pass
    assert token.strip() not in str(raised.value)


def test_a_certificate_that_is_not_there_is_named(
    transit: vault.Transit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:9")
    with pytest.raises(PlatformError, match=r"ca\.crt"), open_notary(tmp_path):
        pass


def test_answers_that_vault_never_gives_are_errors_of_ours(
    begun: Path, transit: vault.Transit, draft: Draft, tmp_path: Path
) -> None:
    transit.answers = {"signature": None, "keys": []}
    with open_notary(begun) as notary, pytest.raises(PlatformError, match="does not sign"):
        notary.submit(draft("START", "train_pytorch"))
    with pytest.raises(SettingsError, match="no Ed25519 key"), open_notary(tmp_path / "new"):
        pass


def test_the_command_says_that_vault_wants_a_token(
    begun: Path,
    transit: vault.Transit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    transit.rotate(NAME)
    monkeypatch.setenv("VAULT_TOKEN", "another")
    words = ["audit", "keys", "rotate", "--reason", "yearly", "--home", str(begun), "--json"]
    assert main(words) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert "VAULT_TOKEN" in error["remedy"]
    assert "another" not in json.dumps(error)


def test_a_checkpoint_that_vault_did_not_sign_is_signed_later(
    begun: Path, transit: vault.Transit, draft: Draft
) -> None:
    with open_notary(begun) as notary:
        transit.most = transit.signed + 1
        with pytest.raises(PlatformError, match="does not sign"):
            notary.submit(draft("START", "train_pytorch"))
            notary.checkpoint()
    transit.most = None
    with open_notary(begun) as notary:
        assert [view.stage for view in notary.records("run-1")][-1] == "train_pytorch"
        assert "\n2\n" in notary.checkpoint()
    assert {finding.check for finding in verify_log(begun)} == {"open"}


def test_a_token_is_taken_from_the_environment_alone(
    begun: Path,
    transit: vault.Transit,
    draft: Draft,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".vault-token").write_text(vault.TOKEN)
    monkeypatch.delenv("VAULT_TOKEN")
    with (
        open_notary(begun) as notary,
        pytest.raises(PlatformError, match="VAULT_TOKEN is not set"),
    ):
        notary.submit(draft("START", "train_pytorch"))


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (b"hv:no-version", SettingsError),
        (b"hv:tandem-log/7", PlatformError),
        (b"hv:\xff\xfe/1", SettingsError),
        (b"\xff\xfe", SettingsError),
        (b"", SettingsError),
    ],
)
def test_a_name_of_a_key_that_is_damaged_is_an_error_of_ours(
    begun: Path, transit: vault.Transit, draft: Draft, stored: bytes, error: type[TandemError]
) -> None:
    (begun / "audit" / "keys" / "notary.signer").write_bytes(stored)
    with pytest.raises(error), open_notary(begun) as notary:
        notary.submit(draft("START", "train_pytorch"))


def test_a_damaged_name_is_told_where_a_crash_left_no_public_key(
    begun: Path, transit: vault.Transit, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = begun / "audit" / "keys"
    (keys / "notary.pub").unlink()
    (keys / "notary.signer").write_bytes(b"\xff\xfe")
    monkeypatch.delenv(SIGNER_VARIABLE)
    with pytest.raises(SettingsError, match=r"\\xff\\xfe"), open_notary(begun):
        pass


@pytest.mark.parametrize("broken", ["%%%", "AAAA"])
def test_what_is_no_signature_spoils_nothing(
    begun: Path, transit: vault.Transit, draft: Draft, broken: str
) -> None:
    transit.broken = broken
    with open_notary(begun) as notary, pytest.raises((PlatformError, IntegrityError)):
        notary.submit(draft("START", "train_pytorch"))
    assert {finding.check for finding in verify_log(begun)} == {"open"}


def test_a_home_that_began_in_a_store_gets_no_key_on_disk_after_a_crash(
    begun: Path, transit: vault.Transit, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = begun / "audit" / "keys"
    (keys / "notary.pub").unlink()
    monkeypatch.delenv(SIGNER_VARIABLE)
    with pytest.raises(SettingsError, match="hv:tandem-log/1"), open_notary(begun):
        pass
    assert not (keys / "notary.key").exists()
    monkeypatch.setenv(SIGNER_VARIABLE, f"hv:{NAME}")
    with open_notary(begun):
        assert (keys / "notary.pub").exists()
