"""Checkpoints kept outside: each anchor sees a rewrite with stolen keys, and monitor says so."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from answering import answering
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from strict_s3 import strict_s3, variables

from components.audit import base64_strict
from components.audit.anchors.anchoring import anchor, compare
from components.audit.anchors.witness import Witness
from components.audit.anchors.witness_server import WitnessServer
from components.audit.checkpoint import Checkpoint, cosign, cosigned_at, origin_of
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keys import SigningKey
from components.audit.log import Log, read_snapshot
from components.audit.merkle import Tree, leaf_hash
from components.audit.notary import open_notary
from components.audit.storage import PosixStorage
from components.audit.verify import verify_log
from components.core.errors import IntegrityError, SettingsError, UnverifiableError
from pipelines.cli import main

pytestmark = pytest.mark.slow

FIXED = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(5, 37))))
NAME = "witness.example/w1"
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}
Draft = Callable[..., dict[str, Any]]


@contextmanager
def serving(folder: Path, *keys: SigningKey) -> Iterator[str]:
    logs = {origin_of(FIXED.public): [key.public for key in (FIXED, *keys)]}
    witness = Witness(NAME, WITNESS, logs, folder)
    with answering(WitnessServer(("127.0.0.1", 0), witness)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "witness") as url:
        yield url


def anchors(home: Path, **said: Any) -> None:
    AuditFolder(home).root.mkdir(parents=True, exist_ok=True)
    (AuditFolder(home).root / "anchors.yaml").write_text(json.dumps(said))


def witnesses(url: str) -> dict[str, Any]:
    return {"witnesses": [{"url": url, "name": NAME, "key": WITNESS.public.raw.hex()}]}


def record(home: Path, draft: Draft, *attempts: int) -> str:
    with open_notary(home) as notary:
        for attempt in attempts:
            notary.submit(draft("FAIL", attempt=attempt, cause=CAUSE))
        return notary.checkpoint()


def keep(home: Path, note: str) -> list[str]:
    """Anchor a note; return what went wrong."""
    return [item.error["message"] for item in anchor(home, note) if item.error]


def rewrite(home: Path, draft: Draft, *attempts: int) -> None:
    """Write the log anew, with the stolen key: it verifies by itself."""
    for name in ("log", "spool"):
        shutil.rmtree(AuditFolder(home).root / name)
    record(home, draft, *attempts)


def troubles(home: Path) -> list[tuple[str, str]]:
    return [(item.anchor, item.message) for item in compare(home).trouble]


def test_the_git_anchor_is_on_by_default_and_agrees_with_an_untouched_log(
    home: Path, draft: Draft
) -> None:
    assert keep(home, record(home, draft, 1)) == []
    note = record(home, draft, 2, 3)
    assert keep(home, note) == keep(home, note) == []
    found = compare(home)
    assert (found.size, found.compared, found.trouble) == (3, {"git": 2}, ())
    log = subprocess.run(
        ["git", "log", "--format=%an %s"], cwd=home / "anchors/git", capture_output=True, check=True
    )
    assert len(log.stdout.splitlines()) == 2


def test_no_configuration_of_the_users_sends_git_elsewhere_or_leaves_notes_out(
    home: Path, draft: Draft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, forged = tmp_path / "remote.git", tmp_path / "forged.git"
    for place in (remote, forged):
        subprocess.run(["git", "init", "--quiet", "--bare", str(place)], check=True)
    anchors(home, git={"remote": str(remote)})
    assert keep(home, record(home, draft, 1)) == []
    (tmp_path / "all").write_text("*\n")
    (tmp_path / ".gitconfig").write_text(
        f'[url "{forged}"]\n\tinsteadOf = {remote}\n[core]\n\texcludesFile = {tmp_path}/all\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert compare(home).compared == {"git": 1, "git remote": 1}
    assert keep(home, record(home, draft, 2)) == []
    assert compare(home).compared == {"git": 2, "git remote": 2}
    assert not list((forged / "refs/heads").iterdir())


@pytest.mark.parametrize("attempts", [(7, 8), (7,), (7, 8, 9)])
def test_a_log_rewritten_with_stolen_keys_disagrees_with_the_git_anchor(
    home: Path, draft: Draft, attempts: tuple[int, ...]
) -> None:
    keep(home, record(home, draft, 1, 2))
    assert troubles(home) == []
    rewrite(home, draft, *attempts)
    ((name, message),) = troubles(home)
    assert name == "git"
    assert ("had 2 entries and has 1" if len(attempts) == 1 else "are not those") in message
    keep(home, record(home, draft))  # what is anchored after it hides nothing
    assert len(troubles(home)) == 1


def test_a_remote_that_was_rewritten_along_is_not_needed_to_see_what_the_local_one_has(
    home: Path, draft: Draft, tmp_path: Path
) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    anchors(home, git={"remote": str(remote)})
    assert keep(home, record(home, draft, 1)) == []
    assert compare(home).compared == {"git": 1, "git remote": 1}
    rewrite(home, draft, 5)
    shutil.rmtree(home / "anchors")  # the local copy is lost to whoever has the machine
    ((_, message),) = troubles(home)
    assert "are not those that were anchored" in message
    assert any("failed" in error for error in keep(home, record(home, draft, 6)))
    shutil.rmtree(remote)
    assert any("git anchor failed" in message for _, message in troubles(home))


def test_a_remote_that_is_new_or_was_emptied_is_told_and_filled_if_told_to(
    home: Path, draft: Draft, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", "monitor", "--home", str(home)]
    record(home, draft, 1)
    for number in (1, 2):
        remote = tmp_path / f"{number}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
        anchors(home, git={"remote": str(remote)})
        codes = [main(words) for words in (command, [*command, "--keep"], command)]
        assert codes == [5, 5, 0]
        printed = capsys.readouterr().out
        assert "git remote kept no checkpoint of this log" in printed
        assert "the log agrees; 1 entries, checkpoints compared: git 1, git remote 1" in printed


def test_an_anchored_note_that_the_log_did_not_sign_is_trouble(home: Path, draft: Draft) -> None:
    note = record(home, draft, 1)
    keep(home, note)
    forged = Checkpoint(origin_of(FIXED.public), 1, bytes(32)).sign(WITNESS)
    keep(home, forged)
    assert [message for _, message in troubles(home)] == [
        "the checkpoint is not signed by the log's key"
    ]


def test_notes_from_before_and_after_a_change_of_keys_are_compared(
    home: Path, draft: Draft
) -> None:
    keep(home, record(home, draft, 1))
    with open_notary(home) as notary:
        notary.change_keys(KeyOrder("actor-7", "yearly"))
    keep(home, record(home, draft, 2))
    assert compare(home).compared == {"git": 2}
    assert troubles(home) == []


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3

    with strict_s3() as strict:
        for name, value in variables(strict).items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        client.strict = strict
        yield client


def test_a_bucket_with_object_lock_keeps_what_nobody_can_remove(
    home: Path, draft: Draft, locked: Any
) -> None:
    from botocore.exceptions import ClientError

    anchors(home, git={"enabled": False}, bucket={"address": "s3://locked/logs", "days": 30})
    note = record(home, draft, 1)
    assert keep(home, note) == keep(home, note) == []
    assert compare(home).compared == {"bucket": 1}
    (version,) = locked.list_object_versions(Bucket="locked")["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        locked.delete_object(Bucket="locked", Key=version["Key"], VersionId=version["VersionId"])
    assert troubles(home) == []
    rewrite(home, draft, 2)
    assert [name for name, _ in troubles(home)] == ["bucket"]
    assert "another note of this size" in keep(home, record(home, draft))[0]


def test_a_server_that_takes_a_lock_and_keeps_none_has_not_kept_the_note(
    home: Path, draft: Draft, locked: Any
) -> None:
    bucket = {"address": "s3://locked/unlocked", "days": 30}
    anchors(home, git={"enabled": False}, bucket=bucket)
    note = record(home, draft, 1)
    locked.strict.locks = False
    (why,) = keep(home, note)
    assert "does not say that it locked the note" in why
    locked.strict.locks = True
    assert keep(home, note) == [why]  # it lies there without one
    assert keep(home, record(home, draft, 2)) == []


@pytest.mark.parametrize("hidden", ["deleted", "overwritten", "neither"])
def test_a_locked_note_that_is_hidden_beneath_its_key_is_still_compared(
    home: Path, draft: Draft, locked: Any, hidden: str
) -> None:
    bucket = {"address": f"s3://locked/{hidden}", "days": 30}
    anchors(home, git={"enabled": False}, bucket=bucket)
    assert keep(home, record(home, draft, 1)) == []
    found = locked.list_objects_v2(Bucket="locked", Prefix=f"{hidden}/")["Contents"]
    (key,) = (item["Key"] for item in found)
    if hidden == "neither":
        assert keep(home, record(home, draft, 2)) == []
        assert (troubles(home), compare(home).compared) == ([], {"bucket": 2})
        return
    rewrite(home, draft, 2)
    if hidden == "deleted":
        locked.delete_object(Bucket="locked", Key=key)
        assert keep(home, record(home, draft)) == []  # the thief's takes its place
    else:
        locked.put_object(Bucket="locked", Key=key, Body=record(home, draft).encode())
    assert "1 entries of the log are not those" in dict(troubles(home))["bucket"]
    assert main(["audit", "monitor", "--home", str(home)]) == 1


def test_a_witness_cosigns_what_grows_and_refuses_a_rewrite(
    home: Path, draft: Draft, witness: str
) -> None:
    anchors(home, git={"enabled": False}, **witnesses(witness))
    assert keep(home, record(home, draft, 1)) == []
    note = record(home, draft, 2, 3)
    assert keep(home, note) == keep(home, note) == []
    assert compare(home).compared == {f"witness {NAME}": 2}
    assert troubles(home) == []
    rewrite(home, draft, 4, 5, 6, 7)
    shutil.rmtree(home / "anchors")  # the witness remembers
    ((name, message),) = troubles(home)
    assert (name, "does not extend" in message) == (f"witness {NAME}", True)


def test_of_two_histories_with_one_beginning_anchors_and_witness_know_the_first(
    home: Path, draft: Draft, witness: str, tmp_path: Path
) -> None:
    """A fork: both go on from the same signed checkpoint, with the log's own key."""
    anchors(home, **witnesses(witness))
    assert keep(home, record(home, draft, 1)) == []
    fork = Path(shutil.copytree(home, tmp_path / "fork"))
    assert keep(home, record(home, draft, 2)) == []
    other = record(fork, draft, 3)
    assert verify_log(home) == verify_log(fork) == []
    assert troubles(home) == []
    (seen,) = troubles(fork)  # its copy of the repository ends before the fork: the witness alone
    assert seen[0] == f"witness {NAME}"
    assert [*keep(fork, other)] == [seen[1]]
    shutil.copytree(home / "anchors", fork / "anchors", dirs_exist_ok=True)
    wrong = "the first 2 entries of the log are not those that were anchored"
    assert ("git", wrong) in troubles(fork)
    assert (f"witness {NAME}", wrong) in troubles(fork)


def test_a_witness_that_is_away_is_trouble_and_fails_no_run(home: Path, draft: Draft) -> None:
    anchors(home, **witnesses("http://127.0.0.1:9"))
    assert len(keep(home, record(home, draft, 1))) == 1
    assert compare(home).compared["git"] == 1
    assert [name for name, _ in troubles(home)] == [f"witness {NAME}"]


def test_the_witness_of_the_command_line_cosigns_for_a_home(
    home: Path, draft: Draft, tmp_path: Path
) -> None:
    note = record(home, draft, 1)
    public = AuditFolder(home).public_key
    options = ["--name", NAME, "--log", str(public), "--listen", "127.0.0.1:0", "--json"]
    places = ["--key", str(tmp_path / "w1.key"), "--state", str(tmp_path / "w1")]
    command = [sys.executable, "-m", "pipelines.cli", "audit", "witness", *options, *places]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "}\n")
            said = json.loads("".join(lines) + "}")
            anchors(home, witnesses=[{name: said[name] for name in ("url", "name", "key")}])
            assert keep(home, note) == []
            assert compare(home).compared == {"git": 1, f"witness {NAME}": 1}
        finally:
            process.terminate()


@pytest.mark.parametrize(
    "change", [["--listen", "nowhere"], ["--log", "/nowhere.pub"], ["--listen", "127.0.0.1:x"]]
)
def test_a_witness_that_cannot_be_is_wrong_usage(
    home: Path, draft: Draft, tmp_path: Path, change: list[str]
) -> None:
    record(home, draft, 1)
    options = ["--name", NAME, "--log", str(AuditFolder(home).public_key)]
    places = ["--key", str(tmp_path / "w1.key"), "--state", str(tmp_path / "w1")]
    assert main(["audit", "witness", *options, *places, *change]) == 2


def request(tree: Tree, old: int, size: int, **changed: Any) -> str:
    proof = tree.consistency_proof(old, size) if 0 < old < size else []
    note = Checkpoint(origin_of(FIXED.public), size, tree.root(size)).sign(FIXED)
    hashes = changed.get("proof", list(map(base64_strict.encode, proof)))
    return "\n".join([f"old {old}", *hashes, "", changed.get("note", note)])


def test_a_witness_answers_as_its_specification_says(tmp_path: Path) -> None:
    """https://c2sp.org/tlog-witness, add-checkpoint, clause by clause."""
    tree, other = Tree(), Tree()
    for i in range(8):
        tree.append(leaf_hash(bytes([i])))
        other.append(leaf_hash(bytes([i, i])))
    logs = {origin_of(FIXED.public): [FIXED.public]}
    asked = Witness(NAME, WITNESS, logs, tmp_path, lambda: 1_700_000_000.5)
    unknown = Checkpoint("example.com/other", 3, tree.root(3)).sign(FIXED)
    forged = Checkpoint(origin_of(FIXED.public), 3, tree.root(3)).sign(WITNESS)
    for body, status in (
        ("", HTTPStatus.BAD_REQUEST),
        (request(tree, 0, 3).replace("old 0", "old 00"), HTTPStatus.BAD_REQUEST),
        (request(tree, 0, 3).replace("old 0", "old -1"), HTTPStatus.BAD_REQUEST),
        (request(tree, 0, 3, proof=["AAAA"] * 64), HTTPStatus.BAD_REQUEST),
        (request(tree, 4, 3), HTTPStatus.BAD_REQUEST),
        (request(tree, 0, 3, note=unknown), HTTPStatus.NOT_FOUND),
        (request(tree, 0, 3, note=forged), HTTPStatus.FORBIDDEN),
        (request(tree, 2, 3), HTTPStatus.CONFLICT),
        (
            request(tree, 0, 3, proof=[base64_strict.encode(bytes(32))]),
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ),
        (request(tree, 0, 3), HTTPStatus.OK),
        (request(tree, 3, 3), HTTPStatus.OK),
        (request(other, 3, 3), HTTPStatus.CONFLICT),
        (request(tree, 0, 5), HTTPStatus.CONFLICT),
        (request(other, 3, 5), HTTPStatus.UNPROCESSABLE_ENTITY),
        (request(tree, 3, 5, proof=[]), HTTPStatus.UNPROCESSABLE_ENTITY),
        (request(tree, 3, 5), HTTPStatus.OK),
    ):
        answer = asked.add_checkpoint(body)
        assert answer.status == status, body
    conflict = asked.add_checkpoint(request(tree, 3, 8))
    assert (conflict.body, conflict.type) == ("5\n", "text/x.tlog.size")
    again = Witness(NAME, WITNESS, logs, tmp_path)
    assert again.add_checkpoint(request(tree, 5, 8)).status == HTTPStatus.OK


def test_a_cosignature_is_of_the_specified_bytes_and_no_other_witness_made_it() -> None:
    """https://c2sp.org/tlog-cosignature: key ID, time and signature, over text and time."""
    import hashlib

    note = Checkpoint(origin_of(FIXED.public), 3, bytes(32)).sign(FIXED)
    line = cosign(note, NAME, WITNESS, 1_700_000_000)
    data = base64_strict.decode(line.split(" ")[2].strip())
    key_id = hashlib.sha256(NAME.encode() + b"\n\x04" + WITNESS.public.raw).digest()[:4]
    assert (data[:4], int.from_bytes(data[4:12]), len(data)) == (key_id, 1_700_000_000, 76)
    text = note.partition("\n\n")[0] + "\n"
    assert WITNESS.public.verifies(data[12:], f"cosignature/v1\ntime 1700000000\n{text}".encode())
    assert cosigned_at(note + line, NAME, WITNESS.public) == 1_700_000_000
    for name, key in ((NAME + "x", WITNESS.public), (NAME, FIXED.public)):
        with pytest.raises(IntegrityError, match="not cosigned"):
            cosigned_at(note + line, name, key)
    later = data[:11] + bytes([data[11] + 1]) + data[12:]
    with pytest.raises(IntegrityError, match="not cosigned"):
        cosigned_at(f"{note}\u2014 {NAME} {base64_strict.encode(later)}\n", NAME, WITNESS.public)


@pytest.mark.parametrize(
    "said",
    [
        {"unknown": {}},
        {"git": {"enabled": True, "unknown": 1}},
        {"git": {"remote": "--upload-pack=x"}},
        {"bucket": {"address": "https://host/b", "days": 1}},
        {"bucket": {"address": "s3://b"}},
        {"witnesses": [{"url": "file:///etc", "name": "w", "key": "00" * 32}]},
        {"witnesses": [{"url": "http://host", "name": "w", "key": "zz"}]},
        [],
    ],
)
def test_anchors_that_the_schema_does_not_know_are_refused(home: Path, said: Any) -> None:
    AuditFolder(home).root.mkdir(parents=True, exist_ok=True)
    (AuditFolder(home).root / "anchors.yaml").write_text(json.dumps(said))
    with pytest.raises(SettingsError, match=r"anchors\.yaml"):
        anchor(home, Checkpoint(origin_of(FIXED.public), 0, bytes(32)).sign(FIXED))


def test_monitor_ends_with_1_on_trouble_and_5_where_there_is_no_log(
    home: Path, draft: Draft, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(home, record(home, draft, 1))
    command = ["audit", "monitor", "--home", str(home)]
    assert main(command) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == "the log agrees; 1 entries, checkpoints compared: git 1"
    rewrite(home, draft, 2)
    assert main([*command, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["trouble"][0]["anchor"] == "git"
    assert main(command) == 1
    assert "trouble: 1" in capsys.readouterr().out
    assert main(["audit", "monitor", "--home", str(tmp_path / "nothing")]) == 5
    with pytest.raises(UnverifiableError):
        compare(tmp_path / "nothing")


def test_a_told_run_is_anchored_whole(
    home: Path, tmp_path: Path, new_story: Callable[..., Any], clock: Any
) -> None:
    with open_notary(home, clock) as notary:
        new_story(notary, tmp_path / "runs" / "run-1").tell()
        assert keep(home, notary.checkpoint()) == []
    snapshot = read_snapshot(Log(PosixStorage(AuditFolder(home).log)), FIXED.public)
    assert (compare(home).size, troubles(home)) == (snapshot.size, [])


def test_monitor_gives_the_newest_checkpoint_to_the_anchors_if_told_to_and_none_says_otherwise(
    home: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", "monitor", "--home", str(home)]
    record(home, draft, 1, 2)
    for code in (5, 0, 0):
        assert main([*command, "--keep"]) == code
        assert compare(home).compared == {"git": 1}
    capsys.readouterr()
    rewrite(home, draft, 7, 8, 9)
    assert main([*command, "--keep"]) == 1
    assert "are not those that were anchored" in capsys.readouterr().out
    assert compare(home).compared == {"git": 1}  # no note of the other log is beside it


def test_monitor_says_how_far_each_anchor_reaches(
    home: Path, draft: Draft, witness: str, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors(home, **witnesses(witness))
    keep(home, record(home, draft, 1))
    record(home, draft, 2)  # and the anchor of that day was away, or its note was taken away since
    line = ["audit", "monitor", "--home", str(home)]
    assert main(line) == 0
    assert "git reaches to 1 of 2 entries" in capsys.readouterr().out
    assert main([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reach"] == {"git": 1, f"witness {NAME}": 2}
    assert main([*line, "--keep"]) == 0
    assert "reaches" not in capsys.readouterr().out
    assert main([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reach"] == {"git": 2, f"witness {NAME}": 2}


def test_monitor_calls_nothing_compared_not_clean(
    home: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", "monitor", "--home", str(home)]
    note = record(home, draft, 1, 2)
    assert main(command) == 5
    printed = capsys.readouterr().out
    assert "nothing to compare with: git kept no checkpoint of this log" in printed
    assert "not verified; 2 entries, checkpoints compared: git 0" in printed
    assert "have it do so with --keep" in printed
    assert main([*command, "--json"]) == 5
    answer = json.loads(capsys.readouterr().out)
    assert (answer["error"]["kind"], answer["exit_code"]) == ("UnverifiableError", 5)
    assert (answer["compared"], answer["checkpoint"]) == ({"git": 0}, note)
    keep(home, note)
    assert main(command) == 0
    anchors(home, git={"enabled": False})
    assert main(command) == 5
    assert "no anchor is configured" in capsys.readouterr().out


def test_monitor_names_the_anchor_that_was_emptied_beside_one_that_agrees(
    home: Path, draft: Draft, witness: str, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors(home, **witnesses(witness))
    keep(home, record(home, draft, 1))
    command = ["audit", "monitor", "--home", str(home)]
    assert main(command) == 0
    shutil.rmtree(home / "anchors" / "git")
    assert main(command) == 5
    printed = capsys.readouterr().out
    assert "nothing to compare with: git kept no checkpoint" in printed
    assert f"git 0, witness {NAME} 1" in printed


def test_the_checkpoint_of_an_empty_log_is_kept_and_compared_like_any_other(
    home: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", "monitor", "--keep", "--home", str(home)]
    record(home, draft)
    for code in (5, 0):
        assert main(command) == code
    assert "the log agrees; 0 entries, checkpoints compared: git 1" in capsys.readouterr().out
    shutil.rmtree(AuditFolder(home).log / "checkpoints")
    assert main(command) == 5
    assert "the log has no checkpoint" in capsys.readouterr().err


def test_monitor_says_which_anchor_did_not_keep_the_checkpoint(
    home: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    record(home, draft, 1)
    (home / "anchors").write_text("in the way of its folder")
    assert main(["audit", "monitor", "--home", str(home), "--keep", "--json"]) == 1
    (trouble,) = json.loads(capsys.readouterr().out)["trouble"]
    assert trouble["anchor"] == "git"
