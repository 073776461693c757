"""`tandem audit export` and the verifier in it: on an untouched export, and on attacked ones."""

from __future__ import annotations

import json
import re
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from acts_of_people import ANN, MODEL, SUBMITTER, People
from changed_keys import YEARLY
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exported_files import Files, envelopes, exported, unpacked, verified
from hypothesis import given
from hypothesis import strategies as st
from tried_examples import tries
from verified_alone import verified_alone

from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import Envelope
from components.audit.export import verify
from components.audit.export.verify import Key
from components.audit.key_changes import KeyOrder
from components.audit.keys import SigningKey
from components.audit.merkle import Tree, leaf_hash
from components.audit.tlog_proof import TlogProof
from components.audit.verified_log import VerifiedLog
from components.core.canonical import sha256_bytes
from components.core.errors import IntegrityError
from pipelines.cli import main

pytestmark = pytest.mark.slow


def test_an_untouched_export_verifies(files: Files, tmp_path: Path, capsys) -> None:
    assert verified(files, tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verified"], answer["findings"]) == (True, [])
    assert answer["model"] == f"{MODEL}@3"
    assert answer["records"] == len([name for name in files if name.endswith(".tlog-proof")]) == 11
    by = [(item["name"], item["meaning"], item["why_not"]) for item in answer["approvals"]]
    assert by == [("Ann, model risk", "approval", None), ("Ann, model risk", "review", None)]
    assert answer["unproven"] == sorted(answer["unproven"])
    assert {"VERIFY.md", "verify.py", "report.html"} < set(answer["unproven"])


def test_the_page_in_an_export_is_the_auditors_and_names_no_place_of_this_machine(
    files: Files, promoted: People
) -> None:
    text = files["report.html"].decode()
    assert "Annex IV" in text
    assert "python verify.py --key THAT_KEY.pub" in text
    assert str(promoted.home) not in text


def test_the_same_log_gives_the_same_file(promoted: People) -> None:
    assert exported(promoted.home) == exported(promoted.home)


def test_it_verifies_where_there_is_nothing_but_cryptography(files: Files, tmp_path: Path) -> None:
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    done = verified_alone(packed, tmp_path / "alone")
    assert done.returncode == 0, done.stderr
    assert "11 records under a checkpoint of" in done.stdout
    assert "all verify" in done.stdout


UNPROVEN = ("VERIFY.md", "verify.py", "schemas/", "report.html")


def test_a_byte_changed_in_any_file_that_counts_is_a_finding(files: Files, tmp_path: Path) -> None:
    for number, name in enumerate(sorted(files)):
        if name.startswith(UNPROVEN):
            continue
        data = bytearray(files[name])
        middle = len(data) // 2
        data[middle] = ord("A") if data[middle] != ord("A") else ord("B")
        changed = {**files, name: bytes(data)}
        assert verified(changed, tmp_path / str(number)) in (4, 5), name


@pytest.mark.parametrize("name", ["\x1b[2Jevil", "two\nlines", "turned\u202eround"])
def test_what_a_terminal_would_obey_is_spelled_out(
    files: Files, tmp_path: Path, name: str, capsys
) -> None:
    assert verified(files | {name: b""}, tmp_path) == 4
    shown = capsys.readouterr().out
    assert name not in shown
    assert ascii(name)[1:-1] in shown


def test_a_name_that_no_terminal_can_show_is_a_finding(
    files: Files, tmp_path: Path, capsys
) -> None:
    said = json.loads(files["export.json"])
    lone = json.dumps(said | {"model": "\ud800"}).encode()
    assert verified(files | {"export.json": lone}, tmp_path) == 4
    assert "\\ud800" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["another.json", "records/notes.txt", "records/000000001.JSON", "records/000000099.tlog-proof"],
)
def test_a_file_that_is_no_part_of_an_export_is_a_finding(
    files: Files, tmp_path: Path, name: str, capsys
) -> None:
    assert verified({**files, name: b"{}"}, tmp_path) == 4
    assert f"{name}: it is no part of an export" in capsys.readouterr().out


def test_a_copy_of_another_key_in_an_export_is_a_finding(
    files: Files, tmp_path: Path, key: SigningKey, capsys
) -> None:
    trusted = tmp_path / "trusted.pub"
    trusted.write_bytes(key.public.to_pem())
    other = SigningKey(Ed25519PrivateKey.generate()).public.to_pem()
    for number, copy in enumerate((other, b"none")):
        folder = tmp_path / str(number)
        assert verified({**files, "log.pub": copy}, folder, "--key", str(trusted)) == 4
        assert "log.pub: it is not the key that the log is verified by" in capsys.readouterr().out


def _without(files: Files, stage: str) -> Files:
    gone = [
        name
        for name, statement in envelopes(files).items()
        if statement["predicate"]["tandem_audit"]["stage"] == stage
    ]
    proofs = [name.removesuffix(".json") + ".tlog-proof" for name in gone]
    assert gone
    return {name: data for name, data in files.items() if name not in (*gone, *proofs)}


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("ingest_examples", "is not here"),
        ("evaluate_models", "is not here"),
        ("decide_release", "is not here"),
        ("register_models", "the registration is not among the records"),
        ("approve_model", "is not here, or does not count"),
    ],
)
def test_a_record_left_out_is_a_finding(
    files: Files, tmp_path: Path, capsys, stage: str, said: str
) -> None:
    assert verified(_without(files, stage), tmp_path) == 4
    assert said in capsys.readouterr().out


def test_two_records_whose_places_are_exchanged_are_findings(files: Files, tmp_path: Path) -> None:
    one, two, *_ = sorted(name for name in files if name.endswith(".tlog-proof"))
    assert verified({**files, one: files[two], two: files[one]}, tmp_path) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", "4"), ("model", "another"), ("bundle_sha256", "0" * 64)],
)
def test_an_export_that_says_it_is_of_another_version_is_a_finding(
    files: Files, tmp_path: Path, field: str, value: str
) -> None:
    said = json.loads(files["export.json"]) | {field: value}
    assert verified({**files, "export.json": json.dumps(said).encode()}, tmp_path) == 4


def test_another_policy_than_the_decisions_is_a_finding(
    files: Files, tmp_path: Path, capsys
) -> None:
    policy = json.dumps({"prefer": "latency"}).encode()
    assert verified({**files, "policies/release.json": policy}, tmp_path) == 4
    assert "policies/release.json: decide_release read another one" in capsys.readouterr().out


def _forged(files: Files, change: Callable[[dict[str, Any]], None], key: SigningKey) -> Files:
    """Sign every record again, changed, under a tree and a checkpoint of one's own."""
    tree, leaves = Tree(), []
    for _, statement in sorted(envelopes(files).items()):
        change(statement)
        leaves.append(Envelope.sign(statement, key).to_bytes())
        tree.append(leaf_hash(leaves[-1]))
    note = Checkpoint(origin_of(key.public), tree.size, tree.root()).sign(key)
    others = {name: data for name, data in files.items() if not name.startswith("records/")}
    forged = {**others, "checkpoint": note.encode(), "log.pub": key.public.to_pem()}
    for index, leaf in enumerate(leaves):
        proof = TlogProof(index, tuple(tree.inclusion_proof(index)), note).to_text()
        forged[f"records/{index:09d}.json"] = leaf
        forged[f"records/{index:09d}.tlog-proof"] = proof.encode()
    return forged


def test_a_log_written_anew_by_another_key_is_not_the_log(
    files: Files, tmp_path: Path, key: SigningKey, capsys
) -> None:
    other = SigningKey(Ed25519PrivateKey.generate())
    trusted = tmp_path / "trusted.pub"
    trusted.write_bytes(key.public.to_pem())
    forged = _forged(files, lambda statement: None, other)
    assert verified(forged, tmp_path / "forged", "--key", str(trusted)) == 4
    assert "the log's key did not sign it" in capsys.readouterr().err
    assert verified(files, tmp_path / "real", "--key", str(trusted)) == 0


def _coherently_forged(
    files: Files, change: Callable[[dict[str, Any]], None], key: SigningKey
) -> Files:
    """Sign every record again, changed, with the digests of records that follow from that."""
    renamed: dict[str, str] = {}

    def named_anew(text: str) -> str:
        return re.sub("[0-9a-f]{64}", lambda found: renamed.get(found[0], found[0]), text)

    def changed(statement: dict[str, Any]) -> None:
        before = sha256_bytes(Envelope.sign(statement, key).to_bytes())
        change(statement)
        said = json.loads(named_anew(json.dumps(statement)))
        statement.clear()
        statement |= said
        renamed[before] = sha256_bytes(Envelope.sign(statement, key).to_bytes())

    forged = _forged(files, changed, key)
    said = named_anew(forged["export.json"].decode()).encode()
    return {**forged, "export.json": said, "log.pub": files["log.pub"]}


def _gate_without_the_number(statement: dict[str, Any]) -> None:
    """Say of a gate that it passed, whose number does not meet its threshold."""
    for gate in statement["predicate"]["tandem_audit"]["gates"]:
        gate["value"] = gate["threshold"] - 1


def _other_origin(statement: dict[str, Any]) -> None:
    """Say of what a trainer made that it came from the cache, from a record of something else."""
    audit = statement["predicate"]["tandem_audit"]
    if audit["stage"].startswith("train_") and audit["event"] == "COMPLETE":
        audit["event"] = "CACHED"
        audit["facts"] = {"origin": dict.fromkeys(audit["outputs"], audit["parents"][0])}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda statement: None, None),
        (_gate_without_the_number, "its gate minimum_auc says otherwise than its numbers"),
        (_other_origin, "made another pytorch_model"),
    ],
    ids=["nothing", "gate", "cache"],
)
def test_a_stolen_key_makes_no_record_that_contradicts_itself_or_those_before(
    files: Files,
    tmp_path: Path,
    key: SigningKey,
    change: Callable[[dict[str, Any]], None],
    said: str | None,
    capsys,
) -> None:
    code = verified(_coherently_forged(files, change, key), tmp_path)
    printed = capsys.readouterr().out
    assert code == (4 if said else 0), printed
    assert said is None or said in printed


def _gate_failed(statement: dict[str, Any]) -> None:
    for gate in statement["predicate"]["tandem_audit"]["gates"]:
        gate["passed"] = False


def test_a_stolen_key_does_not_make_a_chain_of_changed_records(
    files: Files, tmp_path: Path, key: SigningKey, capsys
) -> None:
    """Parents are digests of envelopes: what is changed early is named no more by what is later."""
    assert verified(_forged(files, _gate_failed, key), tmp_path) == 4
    assert "is not here" in capsys.readouterr().out


@pytest.fixture
def rotated(people: People) -> Files:
    """An export of a version that was approved by records of the log's second key."""
    people.notary.change_keys(YEARLY)
    people.promote("3", None, people.approve())
    return unpacked(exported(people.home))


def test_a_log_that_changed_its_key_verifies_by_the_first(
    rotated: Files, tmp_path: Path, key: SigningKey, capsys
) -> None:
    assert Key.from_pem(rotated["log.pub"]).keyid == key.public.keyid
    assert verified(rotated, tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["keys"], answer["keyid"]) == (2, key.public.keyid)


def test_a_change_of_keys_that_is_left_out_is_found(rotated: Files, tmp_path: Path, capsys) -> None:
    assert verified(_without(rotated, "rotate_key"), tmp_path) == 4
    assert "speaks of other changes of keys" in capsys.readouterr().err


def test_what_a_revoked_key_signed_does_not_count(
    people: People, tmp_path: Path, key: SigningKey, capsys
) -> None:
    files = unpacked(exported(people.home))
    people.notary.change_keys(KeyOrder("actor-7", "stolen"))
    revoked = KeyOrder("actor-7", "stolen", revoked=key.public.keyid, first=4)
    people.notary.change_keys(revoked)
    with pytest.raises(IntegrityError, match="revoked from 4 on"):
        exported(people.home)
    assert verified(files, tmp_path) == 0, "an older export knows nothing of it"
    keys = verify.Keys(Key(key.public.raw))
    log = VerifiedLog.of(people.home)
    for view in log.views[-2:]:
        keys.follow(log.inclusion(view).envelope, view.index)
    keys.require_valid(3)
    with pytest.raises(verify.Refused, match="revoked from entry 4 on"):
        keys.require_valid(4)
    keys.require_valid(len(log.views))


def test_a_rotation_by_a_key_that_was_stolen_before_counts_by_the_checkpoints_key(
    promoted: People, tmp_path: Path, key: SigningKey, capsys
) -> None:
    rotation = len(VerifiedLog.of(promoted.home).views)
    promoted.notary.change_keys(YEARLY)
    promoted.notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, rotation))
    files = unpacked(exported(promoted.home))
    newest = VerifiedLog.of(promoted.home).snapshot.keys.tenures[-1].key.keyid
    assert f"add `--newest {newest}`" in files["VERIFY.md"].decode()
    assert verified(files, tmp_path) == 4
    found = f"records/{rotation:09d}.json: its key was revoked from entry {rotation} on: name by"
    assert capsys.readouterr().out.startswith(found)
    assert verified(files, tmp_path, "--newest", newest.upper()) == 0
    assert f"is revoked: what it signed from entry {rotation} on" in capsys.readouterr().out
    assert verified(files, tmp_path, "--newest", key.public.keyid) == 4
    assert "not the one that --newest names" in capsys.readouterr().err
    promoted.notary.change_keys(YEARLY)
    again = unpacked(exported(promoted.home))
    assert f"add `--newest {newest}`" in again["VERIFY.md"].decode(), "the next signed nothing yet"
    assert verified(again, tmp_path / "again", "--newest", newest) == 0


def test_who_names_the_newest_key_excuses_changes_of_keys_and_nothing_else(
    promoted: People, tmp_path: Path, key: SigningKey, capsys
) -> None:
    last = len(VerifiedLog.of(promoted.home).views) - 1
    promoted.notary.change_keys(YEARLY)
    promoted.approve(name="Ann, of the next key")
    files = unpacked(exported(promoted.home))
    newest = VerifiedLog.of(promoted.home).snapshot.keys.tenures[-1].key.keyid
    stolen = ("--revoked", f"{key.public.keyid}={last}", "--newest", newest)
    assert verified(files, tmp_path, *stolen) == 4
    assert f"records/{last:09d}.json: its key was revoked" in capsys.readouterr().out
    later = ("--revoked", f"{key.public.keyid}={last + 1}", "--newest", newest)
    assert verified(files, tmp_path, *later) == 0


@pytest.mark.parametrize("said", ["zz=1", "ab=1", f"{'ab' * 32}=-1", "ab" * 32])
def test_what_is_no_fingerprint_and_entry_is_wrong_usage(said: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        verify.main([str(tmp_path), "--revoked", said])
    assert stop.value.code == 2


def test_an_approval_of_who_submitted_the_run_is_shown_not_to_count(
    people: People, tmp_path: Path, capsys
) -> None:
    people.approve(actor=SUBMITTER)
    assert verified(unpacked(exported(people.home)), tmp_path) == 0
    assert "does not count: the approver submitted the run" in capsys.readouterr().out


def test_a_promotion_by_approvals_that_do_not_count_is_a_finding(
    people: People, tmp_path: Path, capsys
) -> None:
    """What a notary refuses, somebody with its key may still write."""
    first = people.approve(key=ANN)
    people.promote("3", None, first)
    files = unpacked(exported(people.home))
    proofs = {name for name in files if name.endswith(".tlog-proof")}
    assert verified(files, tmp_path / "real") == 0
    left_out = _without(files, "approve_model")
    assert verified(left_out, tmp_path / "left-out") == 4
    assert "is not here, or does not count" in capsys.readouterr().out
    assert len(proofs) == 10


@pytest.mark.parametrize("name", ["model", "version", "bundle_sha256", "registration"])
def test_a_claim_that_lacks_a_text_cannot_be_verified(
    files: Files, tmp_path: Path, name: str, capsys
) -> None:
    said = json.loads(files["export.json"])
    for number, wrong in enumerate(({name: 3}, {name: None})):
        folder = tmp_path / str(number)
        assert verified({**files, "export.json": json.dumps(said | wrong).encode()}, folder) == 5
        assert "export.json is not of a form" in capsys.readouterr().err


def test_a_signed_record_that_is_none_of_tandems_is_a_finding(
    files: Files, tmp_path: Path, key: SigningKey, capsys
) -> None:
    def emptied(statement: dict[str, Any]) -> None:
        if statement["predicate"]["tandem_audit"]["stage"] == "seal_run":
            return
        statement["predicate"]["tandem_audit"] = {}

    assert verified(_forged(files, emptied, key), tmp_path) == 4
    assert "records/000000000.json: it is no record of Tandem's" in capsys.readouterr().out


def test_json_that_is_nested_too_deep_is_a_finding(files: Files, tmp_path: Path, capsys) -> None:
    deep = b"[" * 700 + b"]" * 700
    assert verified({**files, "data-card.json": deep}, tmp_path) == 4
    assert "data-card.json: its JSON is nested too deep" in capsys.readouterr().out


def test_a_key_of_an_unknown_kind_cannot_be_verified_by(
    files: Files, tmp_path: Path, key: SigningKey, capsys
) -> None:
    der = b64decode("".join(key.public.to_pem().decode().splitlines()[1:-1]))
    unknown = b64encode(der.replace(bytes.fromhex("2b6570"), bytes.fromhex("2b6577"))).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{unknown}\n-----END PUBLIC KEY-----\n".encode()
    assert verified({**files, "log.pub": pem}, tmp_path) == 5
    assert "not an Ed25519 public key" in capsys.readouterr().err


def _flagged(at: int, value: int) -> Callable[[bytearray], None]:
    """Return what changes the first member's header, and its copy in the directory."""

    def change(data: bytearray) -> None:
        for header, place in ((b"PK\x03\x04", at), (b"PK\x01\x02", at + 2)):
            data[data.index(header) + place] = value

    return change


def _damaged(data: bytearray) -> None:
    """Have the first member's compressed bytes begin with a block of no kind."""
    start = data.index(b"PK\x03\x04")
    data[start + 30 + data[start + 26]] = 0xFF


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_packing_cannot_be_verified(tmp_path: Path, packing: int) -> None:
    place = tmp_path / "export.zip"
    with zipfile.ZipFile(place, "w", packing) as packed:
        packed.writestr("checkpoint", "of a log" * 100)
    data = place.read_bytes()
    place.write_bytes(data[:50] + b"broken" + data[56:])
    assert verify.main([str(place)]) == 5


@pytest.mark.parametrize(
    "change",
    [_flagged(6, 1), _flagged(8, 0x63), _damaged],
    ids=["encrypted", "unknown method", "damaged"],
)
def test_a_zip_that_cannot_be_unpacked_cannot_be_verified(
    files: Files, tmp_path: Path, change: Callable[[bytearray], None], capsys
) -> None:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    data = bytearray(stream.getvalue())
    place = tmp_path / "export.zip"
    place.write_bytes(data)
    assert verify.main([str(place)]) == 0
    change(data)
    place.write_bytes(data)
    assert verify.main([str(place)]) == 5
    assert "cannot be read" in capsys.readouterr().err


def test_what_is_no_export_cannot_be_verified(tmp_path: Path, files: Files) -> None:
    assert verify.main([str(tmp_path / "nothing")]) == 5
    (tmp_path / "text.zip").write_text("no zip")
    assert verify.main([str(tmp_path / "text.zip")]) == 5
    del files["checkpoint"]
    assert verified(files, tmp_path / "without") == 5
    with pytest.raises(SystemExit, match="2"):
        verify.main(["--unknown"])


def test_the_command_writes_the_file_and_says_what_it_holds(
    promoted: People, tmp_path: Path, capsys
) -> None:
    target = tmp_path / "version.zip"
    words = ["audit", "export", f"{MODEL}@3", "-o", str(target), "--home", str(promoted.home)]
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["records"] == 11
    assert answer["absent"]["evaluation"]
    assert verify.main([str(target)]) == 0
    assert main(["audit", "export", f"{MODEL}@9", *words[3:]]) == 2
    missing = str(tmp_path / "no" / "version.zip")
    assert main([*words[:4], missing, *words[5:]]) == 2
    assert [path.name for path in tmp_path.glob("*.unfinished")] == []


@pytest.mark.parametrize("name", ["", ".", "folder"])
def test_a_folder_is_no_place_for_an_export(
    promoted: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ["audit", "export", f"{MODEL}@3", "-o", name, "--home", str(promoted.home)]
    assert main(words) == 2
    assert [path.name for path in tmp_path.rglob("*.unfinished")] == []


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text("ae\xe9\u20ac\U0001f600\ufb00")
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
)


@tries(500)
@given(values)
def test_the_verifiers_canonical_json_is_rfc_8785(value: Any) -> None:
    assert verify.canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (-0.0, "0"),
        (333333333.33333329, "333333333.3333333"),
    ],
)
def test_numbers_are_written_as_rfc_8785_appendix_b_has_them(value: float, text: str) -> None:
    assert verify.canonical(value) == text.encode()


@pytest.mark.parametrize("data", ['{"a":1,"a":2}', "[NaN]", "[Infinity]", "{"])
def test_json_that_has_two_meanings_is_refused(data: str) -> None:
    with pytest.raises(verify.Refused):
        verify.parsed(data)
