"""The second signature in exports: what verify.py makes of it, and of keys that were revoked."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import People
from changed_keys import SECOND, YEARLY
from exported_files import Files, envelopes, exported, unpacked, verified

from components.audit.envelope import Envelope
from components.audit.export import verify
from components.audit.export.verify import Key
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keyring import Keyring
from components.audit.keys import SigningKey
from components.audit.log import Log
from components.audit.second_history import handed_over
from components.audit.verified_log import VerifiedLog

pytestmark = pytest.mark.slow

MLDSA = "cryptography.hazmat.primitives.asymmetric.mldsa"


@pytest.fixture
def later(files: Files, promoted: People) -> Files:
    """The export of after the log got a second key, and the next one; `files` is of before."""
    for order in (SECOND, SECOND, YEARLY):
        promoted.notary.change_keys(order)
    return unpacked(exported(promoted.home))


def _second_of(files: Files) -> list[str]:
    """Return the fingerprints of the second keys, in order."""
    said = [statement["predicate"] for statement in envelopes(files).values()]
    return [item["key"]["keyid"] for item in said if "handover" in item]


def _noted(files: Files, note: str) -> Files:
    """Return the files under another note, each proof too."""
    old = files["checkpoint"]
    return {name: data.replace(old, note.encode()) for name, data in files.items()}


def test_a_log_with_a_second_signature_verifies_by_both(
    later: Files, files: Files, tmp_path: Path, capsys
) -> None:
    assert verified(later, tmp_path / "with", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["second"], answer["second_checked"]) == (_second_of(later), True)
    assert verified(later, tmp_path / "with") == 0
    assert f"ML-DSA-44) verified; key {answer['second'][1]}" in capsys.readouterr().out
    assert f"--second {answer['second'][1]}" in later["VERIFY.md"].decode()
    assert verified(files, tmp_path / "without", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["second"], answer["second_checked"]) == ([], None)
    assert "--second" not in files["VERIFY.md"].decode()


def _second_line_changed(note: str, change: Callable[[bytes], bytes]) -> str:
    text, _, line = note.removesuffix("\n").rpartition(" ")
    return f"{text} {b64encode(change(b64decode(line))).decode()}\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "signature of the checkpoint is wrong"),
        (lambda data: data[:-1], "of another form"),
        (lambda data: data[:11] + b"\1" + data[12:], "of another form"),
        (lambda data: bytes(4) + data[4:], "lacks the second signature"),
    ],
    ids=["one bit", "cut", "a time", "of an unknown key"],
)
def test_a_wrong_second_signature_is_a_finding(
    later: Files, tmp_path: Path, capsys, change: Callable[[bytes], bytes], why: str
) -> None:
    note = later["checkpoint"].decode()
    assert verified(_noted(later, _second_line_changed(note, change)), tmp_path) == 4
    assert why in capsys.readouterr().err


def test_a_second_signature_that_is_absent_or_of_another_checkpoint_is_a_finding(
    later: Files, people: People, tmp_path: Path, monkeypatch, capsys
) -> None:
    note = later["checkpoint"].decode()
    bare = note[: note.rindex("\u2014")]
    older = Log.at(AuditFolder(people.home)).note(int(note.split("\n")[1]) - 1)
    moved = bare + older[older.rindex("\u2014") :]
    assert verified(_noted(later, moved), tmp_path / "moved") == 4
    assert "signature of the checkpoint is wrong" in capsys.readouterr().err
    assert verified(_noted(later, bare), tmp_path / "bare") == 4
    assert "lacks the second signature" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, MLDSA, None)
    assert verified(_noted(later, bare), tmp_path / "bare") == 4, "to see this takes no ML-DSA"


def test_where_cryptography_has_no_ml_dsa_that_is_said_and_the_rest_is_verified(
    later: Files, files: Files, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setitem(sys.modules, MLDSA, None)
    assert verified(later, tmp_path / "with") == 0
    shown = capsys.readouterr().out
    assert "is there and COULD NOT BE CHECKED: this Python's cryptography has no ML-DSA" in shown
    assert verified(later, tmp_path / "with", "--json") == 0
    assert json.loads(capsys.readouterr().out)["second_checked"] is False
    assert verified(later, tmp_path / "with", "--second", _second_of(later)[0]) == 5
    assert "has no ML-DSA-44" in capsys.readouterr().err
    broken = {name: data for name, data in later.items() if name != "records/000000003.json"}
    assert verified(broken, tmp_path / "broken") == 4
    capsys.readouterr()
    assert verified(files, tmp_path / "without") == 0
    assert "COULD NOT" not in capsys.readouterr().out


def test_a_log_without_the_second_key_that_is_named_is_refused(
    later: Files, files: Files, tmp_path: Path, capsys
) -> None:
    for keyid in _second_of(later):
        assert verified(later, tmp_path / "with", "--second", keyid) == 0
        assert verified(files, tmp_path / "without", "--second", keyid) == 4
        assert "never had the second key" in capsys.readouterr().err
    assert verified(later, tmp_path / "with", "--second", "0" * 64) == 4


def test_the_key_before_must_have_handed_over_to_the_next(people: People) -> None:
    """Whoever has the Ed25519 key alone signs the record, and not the handover in it."""
    people.notary.change_keys(SECOND)
    people.notary.change_keys(SECOND)
    log = VerifiedLog.of(people.home)
    begun, rotated = (log.inclusion(view) for view in log.views[-2:])
    first = Keyring(AuditFolder(people.home)).signing_key(log.key)

    def followed(**said: Any) -> verify.Keys:
        keys = verify.Keys(Key(log.key.raw))
        keys.follow(begun.envelope, begun.index)
        statement = json.loads(Envelope.from_bytes(rotated.envelope).payload)
        statement["predicate"] |= said
        keys.follow(Envelope.sign(statement, first).to_bytes(), rotated.index)
        return keys

    assert len(followed().second) == 2
    foreign = b64encode(bytes(2420)).decode()
    begins, rotates = (log.statement(item.record)["predicate"] for item in (begun, rotated))
    history = log.snapshot.keys
    itself = Keyring(AuditFolder(people.home)).second_key(history.second.tenures[0].key)
    again = handed_over(history.origin, rotates["previous"], itself, itself)
    for said in (
        {"handover": None},
        {"handover": foreign},
        {"possession": foreign},
        {"change": "begin"},
        {"previous": None},
        {"key": begins["key"], **again},
        {"key": rotates["key"] | {"keyid": begins["key"]["keyid"]}},
        {"key": begins["key"], "change": "revoke", "from": 0},
    ):
        with pytest.raises(verify.Refused):
            followed(**said)


def _revoked(people: People, first: int | None = None) -> str:
    """Have a log begin, rotate and revoke a second key; return its fingerprint."""
    people.notary.change_keys(SECOND)
    keyid = VerifiedLog.of(people.home).snapshot.keys.second.tenures[0].key.keyid
    people.notary.change_keys(SECOND)
    people.notary.change_keys(KeyOrder("actor-7", "stolen", revoked=keyid, first=first))
    return keyid


def test_a_second_key_that_was_revoked_before_it_handed_over_vouches_for_none(
    promoted: People, tmp_path: Path, capsys
) -> None:
    begun = len(VerifiedLog.of(promoted.home).views)
    stolen = _revoked(promoted, begun)
    files = unpacked(exported(promoted.home))
    _, now, _ = _second_of(files)
    assert verified(files, tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["revoked"] == {stolen: begun}
    said = f"{stolen} is revoked: what it signed from entry {begun} on does not count"
    assert verified(files, tmp_path, "--second", now) == 0
    assert f"key {said}" in capsys.readouterr().out
    assert f"The key {said}." in files["VERIFY.md"].decode()
    assert f"is revoked: what it signed from entry {begun} on" in files["report.html"].decode()
    assert verified(files, tmp_path, "--second", stolen.upper()) == 4
    assert f"was revoked from entry {begun} on" in capsys.readouterr().err


def test_a_second_key_that_was_given_up_after_it_handed_over_vouches_for_the_next(
    promoted: People, tmp_path: Path, capsys
) -> None:
    gone = _revoked(promoted)
    files = unpacked(exported(promoted.home))
    assert verified(files, tmp_path, "--second", gone) == 0
    assert f"key {gone} is revoked" in capsys.readouterr().out


def test_an_older_export_is_refused_by_who_knows_that_its_second_key_was_revoked(
    promoted: People, tmp_path: Path, capsys
) -> None:
    promoted.notary.change_keys(SECOND)
    files = unpacked(exported(promoted.home))
    (stolen,) = _second_of(files)
    size = len(VerifiedLog.of(promoted.home).views)
    assert verified(files, tmp_path) == 0, "by itself it cannot know"
    assert verified(files, tmp_path, "--revoked", f"{stolen}={size}") == 0
    assert verified(files, tmp_path, "--revoked", f"{stolen}={size - 1}") == 4
    assert f"its second key was revoked from entry {size - 1} on" in capsys.readouterr().err


def test_an_older_export_is_refused_by_who_knows_that_its_first_key_was_revoked(
    files: Files, promoted: People, tmp_path: Path, key: SigningKey, capsys
) -> None:
    size = len(VerifiedLog.of(promoted.home).views)
    assert verified(files, tmp_path, "--revoked", f"{key.public.keyid}={size}") == 0
    assert verified(files, tmp_path, "--revoked", f"{key.public.keyid}={size - 1}") == 4
    assert f"its key was revoked from entry {size - 1} on" in capsys.readouterr().err


def test_a_revocation_that_names_no_key_of_the_log_is_never_passed_over(
    files: Files, tmp_path: Path, capsys
) -> None:
    assert verified(files, tmp_path, "--revoked", f"{'0' * 64}=1") == 4
    assert "never had the key" in capsys.readouterr().err
    for wrong in ("63d0", "63d0=", "=x"):
        with pytest.raises(SystemExit, match="2"):
            verified(files, tmp_path, "--revoked", wrong)
