"""Leaves that the log's own key signed and that are still no records, and logs that hold nothing.

Whoever stole the key can sign any bytes. The verifier must find them, and no reader may end in
anything but an answer or a refusal, each with a control that gives no finding.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from second_verdict import found_by_second, second

from components.audit import base64_strict
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import (
    PAYLOAD_TYPE,
    Envelope,
    pre_authentication_encoding,
)
from components.audit.keys import SigningKey
from components.audit.log import checkpoint_key, entry_key
from components.audit.merkle import Tree, leaf_hash
from components.audit.notary import open_notary
from components.audit.verify import verify, verify_log
from components.core.canonical import canonical_json
from pipelines.cli import main

ENTRIES, ATTACKED = 18, 15
MEBIBYTE = 2**20
READERS = (
    ("trace", "flight-delay@3"),
    ("gates",),
    ("impact", "flights"),
    ("diff", "3", "4"),
    ("inventory", "--at", "2027-01-01"),
    ("approvals", "flight-delay@3"),
)


def signed(payload: bytes, key: SigningKey) -> bytes:
    """Return an envelope of any payload, canonical or not, under the log's key."""
    sig = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    line = {"keyid": key.public.keyid, "sig": base64_strict.encode(sig)}
    return canonical_json(
        {
            "payload": base64_strict.encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [line],
        }
    )


def nan(payload: bytes) -> bytes:
    return payload.replace(b'"version":"3"', b'"version":NaN', 1)


def infinity(payload: bytes) -> bytes:
    return payload.replace(b'"version":"3"', b'"version":-Infinity', 1)


def duplicate_key(payload: bytes) -> bytes:
    return payload.replace(b'"version":"3"', b'"version":"9","version":"3"', 1)


def other_order(payload: bytes) -> bytes:
    return json.dumps(json.loads(payload), sort_keys=False).encode()


def half(payload: bytes) -> bytes:
    return payload[: len(payload) // 2]


def deep(payload: bytes) -> bytes:
    return b'{"a":' * 200_000 + b"1" + b"}" * 200_000


def huge(payload: bytes) -> bytes:
    return payload.replace(b'"version":"3"', b'"version":"' + b"3" * (48 * MEBIBYTE) + b'"', 1)


def no_object(payload: bytes) -> bytes:
    return b"[1,2,3]"


def no_statement(payload: bytes) -> bytes:
    return canonical_json({"predicate": {}, "subject": []})


ATTACKS = (nan, infinity, duplicate_key, other_order, half, deep, huge, no_object, no_statement)


def attack(home: Path, change: Callable[[bytes], bytes], key: SigningKey) -> None:
    """Change the payload of the registration, and sign it and every checkpoint after it anew."""
    log, tree = home / "audit" / "log", Tree()
    for index in range(ENTRIES):
        path = log / entry_key(index)
        if index == ATTACKED:
            payload = Envelope.from_bytes(path.read_bytes()).payload
            path.write_bytes(signed(change(payload), key))
        tree.append(leaf_hash(path.read_bytes()))
        note = Checkpoint(origin_of(key.public), index + 1, tree.root()).sign(key)
        (log / checkpoint_key(index + 1)).write_text(note)


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    """Return a copy without the index that another test's trace may have left in the log's home."""
    without = shutil.ignore_patterns("index.sqlite*")
    return Path(shutil.copytree(told / "home", tmp_path / "copy", ignore=without))


def ask(home: Path, *words: str) -> int:
    return main(["audit", *words, "--home", str(home)])


def test_the_same_bytes_signed_anew_give_no_finding_and_every_answer(
    home: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    attack(home, bytes, key)
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
    assert {ask(home, *words) for words in READERS} == {0}
    assert "flight-delay@3" in capsys.readouterr().out


@pytest.mark.parametrize("change", ATTACKS, ids=lambda change: change.__name__)
def test_a_signed_leaf_that_is_no_record_is_found_and_named(
    home: Path, key: SigningKey, change: Callable[[bytes], bytes]
) -> None:
    attack(home, change, key)
    found = [(finding.check, finding.where) for finding in verify_log(home)]
    assert found[0][0] in ("signature", "schema", "size")
    assert found[0][1] == f"entry {ATTACKED}"
    assert found_by_second(home).startswith(f"entry {ATTACKED}: ")


@pytest.mark.parametrize(
    "change",
    [change for change in ATTACKS if change is not huge],
    ids=lambda change: change.__name__,
)
def test_no_reader_takes_a_signed_leaf_that_is_no_record(
    home: Path,
    key: SigningKey,
    change: Callable[[bytes], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    attack(home, change, key)
    for words in READERS:
        assert ask(home, *words) == 4, words
    printed = capsys.readouterr()
    assert "unexpected" not in printed.err
    assert not (home / "tandem.log").exists()


def test_an_empty_log_verifies_and_answers_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_notary(tmp_path / "new") as notary:
        notary.checkpoint()
    verified = verify(tmp_path / "new")
    assert (verified.findings, verified.records, verified.runs) == ([], 0, 0)
    assert second(tmp_path / "new") == "0 entries and 1 checkpoints verify"
    assert ask(tmp_path / "new", "impact", "flights") == 0
    assert ask(tmp_path / "new", "gates", "--failed") == 0
    assert ask(tmp_path / "new", "inventory", "--at", "2027-01-01") == 0
    printed = capsys.readouterr().out
    assert printed.count("0 runs started, 0 closed, log consistent from 0 to 0 entries") == 3


@pytest.mark.parametrize("keep", [0, 1, 17])
def test_a_log_that_was_emptied_or_cut_under_its_checkpoints_is_found(
    home: Path, keep: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(keep, ENTRIES):
        (home / "audit/log" / entry_key(index)).unlink()
    assert "checkpoint" in {finding.check for finding in verify_log(home)}
    assert found_by_second(home) == f"checkpoint {keep + 1}: entries are missing"
    for words in READERS:
        assert ask(home, *words) == 4, words
    told = capsys.readouterr().err
    assert told.count("are not those that the checkpoint") == len(READERS) - 1
    assert told.count(f"entry {keep} is missing") == 1, "a trace reads what it needs"
