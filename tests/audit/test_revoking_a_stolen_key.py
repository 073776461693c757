"""Whoever stole the key that signs appends what is no record: it can be revoked all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from changed_keys import YEARLY, Draft, failed, log
from second_verdict import found_by_second
from test_keys_of_the_log import append, similar

from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keys import SigningKey
from components.audit.log import entry_key
from components.audit.notary import open_notary
from components.audit.spool import folder_spool
from components.audit.verify import verify_log
from components.core.canonical import canonical_json
from components.core.errors import IntegrityError
from pipelines.cli import main

FOREIGN = ("no envelope", "an envelope of nothing", "a statement of nothing", "a run that is none",
           "a number that is none", "a time that is none", "a kind that is none",
           "half a change of keys")  # fmt: skip


def leaf(kind: str, home: Path, key: SigningKey) -> bytes:
    """Return an entry that is no record, signed by the key where something can be."""
    if kind == "no envelope":
        return b"not an envelope"
    if kind == "an envelope of nothing":
        return b"{}"
    if kind == "a statement of nothing":
        return Envelope.sign({}, key).to_bytes()
    said = similar(home, 0)
    audit = said["predicate"]["tandem_audit"]
    if kind == "a run that is none":
        audit["run"] = {"id": ["run-1"]}
    elif kind == "a number that is none":
        audit["gates"] = [{"name": "auc", "value": "many", "threshold": 1}]
    elif kind == "a time that is none":
        audit["clocks"]["notary"] = "yesterday"
    elif kind == "a kind that is none":
        del said["predicateType"]
    elif kind == "half a change of keys":
        audit["event"] = "KEY"
    return Envelope.sign(said, key).to_bytes()


@pytest.fixture
def recorded_once(home: Path, draft: Draft, clock: Any) -> Path:
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
    return home


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_key_that_signed_for_no_record_is_rotated_and_revoked_by_the_commands(
    recorded_once: Path, key: SigningKey, kind: str, draft: Draft, capsys: Any
) -> None:
    home = recorded_once
    append(home, leaf(kind, home, key), key)
    place = ["--home", str(home), "--json"]
    assert main(["audit", "verify", *place]) == 4
    assert main(["audit", "keys", "rotate", "--reason", "stolen", *place]) == 4
    capsys.readouterr()
    rotate = ["audit", "keys", "rotate", "--reason", "stolen", "--despite-findings"]
    assert main([*rotate, *place]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    revoke = ["audit", "keys", "revoke", key.public.keyid[:8], "--from", "1", "--reason", "stolen"]
    assert main([*revoke, *place]) == 0
    (same,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["where"], same) == ("entry 1", finding)
    with open_notary(home) as notary:
        assert notary.submit(failed(draft, 2)).index == 4
    foreign, rotation = verify_log(home)
    assert (foreign.where, foreign.check in ("signature", "schema")) == ("entry 1", True)
    assert (rotation.where, rotation.check) == ("entry 2", "key"), "the stolen key signed it too"
    assert found_by_second(home).startswith("entry 1: ")


@pytest.mark.parametrize("kind", FOREIGN)
def test_nothing_else_is_recorded_before_the_key_is_revoked_from_there_on(
    recorded_once: Path, key: SigningKey, kind: str, draft: Draft
) -> None:
    home = recorded_once
    append(home, leaf(kind, home, key), key)
    with open_notary(home) as notary:
        for _ in range(2):
            with pytest.raises(IntegrityError, match="entry 1 of the log is no record"):
                notary.submit(failed(draft, 2))
            notary.change_keys(YEARLY)
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 2))
        with pytest.raises(IntegrityError, match="entry 1 of the log is no record"):
            notary.submit(failed(draft, 2))
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 1))
        assert notary.submit(failed(draft, 2)).index == 6


ANSWERS = (
    "trace flight-delay@3", "approvals flight-delay@3", "gates", "gates --failed",
    "inventory --at 2027-01-01", "impact flights", "diff flight-delay@3 flight-delay@4",
)  # fmt: skip


@pytest.mark.parametrize("words", ANSWERS)
def test_answers_are_refused_until_the_key_is_revoked_and_say_then_what_is_no_record(
    recorded: Path, key: SigningKey, words: str, capsys: Any
) -> None:
    line = ["audit", *words.split(), "--home", str(recorded)]
    assert main(line) == 0
    before = capsys.readouterr().out
    append(recorded, b"not an envelope", key)
    assert main(line) == 4
    assert "entry 18 of the log is no record" in capsys.readouterr().err
    with open_notary(recorded) as notary:
        notary.change_keys(YEARLY)
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 18))
    assert main(line) == 4
    said = capsys.readouterr().out
    assert "entry 18: it is no record" in said
    assert set(before.split("covered by")[0].splitlines()[:1]) <= set(said.splitlines())
    assert main([*line, "--json"]) == 4
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(item["check"], item["index"]) for item in found] == [("schema", 18)]


def test_drafts_wait_meanwhile_and_are_not_set_aside(
    recorded_once: Path, key: SigningKey, draft: Draft
) -> None:
    home = recorded_once
    append(home, b"not an envelope", key)
    spool = folder_spool(AuditFolder(home).spool)
    spool.put(canonical_json(failed(draft, 2)))
    with open_notary(home) as notary:
        notary.change_keys(YEARLY)
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 1))
        assert [len(names) for names in spool.names()] == [1, 0]
    with open_notary(home) as notary:
        assert [len(names) for names in spool.names()] == [0, 0]
        assert [view.attempt for view in notary.records("run-1")] == [1, 2]


def test_an_entry_that_nobody_signed_for_is_still_refused_and_can_be_removed(
    recorded_once: Path, draft: Draft
) -> None:
    place = AuditFolder(recorded_once).log / entry_key(1)
    place.write_bytes(b"not an envelope")
    with pytest.raises(IntegrityError, match="not an envelope"), open_notary(recorded_once):
        pass
    place.unlink()
    with open_notary(recorded_once) as notary:
        assert notary.submit(failed(draft, 2)).index == 1


def test_a_record_that_was_dated_ahead_hinders_no_change_of_keys(
    recorded_once: Path, key: SigningKey
) -> None:
    said = similar(recorded_once, 0, clocks={"notary": "9998-12-31T23:59:59.999Z", "claimed": ""})
    append(recorded_once, Envelope.sign(said, key).to_bytes(), key)
    with open_notary(recorded_once) as notary:
        notary.change_keys(YEARLY)
        revoked = notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 1))
    assert revoked.index == 3
    assert len(list(log(recorded_once).entries())) == 4
