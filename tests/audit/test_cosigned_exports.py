"""The checkpoint of an export has its witnesses' cosignatures, which verify.py holds to a key."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from acts_of_people import MODEL, People
from answering import answering
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.audit.anchors.anchoring import anchor, compare
from components.audit.anchors.witness import Witness
from components.audit.anchors.witness_server import WitnessServer
from components.audit.checkpoint import cosigned_at, origin_of
from components.audit.export import verify
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.verified_log import VerifiedLog
from pipelines.cli import main

pytestmark = pytest.mark.slow

WITNESS = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(5, 37))))
STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(7, 39))))
NAME, AWAY = "witness.example/w1", "witness.example/w2"
CLOCK = 1_800_000_000


@pytest.fixture
def home(promoted: People, tmp_path: Path, key: SigningKey) -> Iterator[Path]:
    """A home with one witness that answers, and one that does not."""
    logs = {origin_of(key.public): [key.public]}
    witness = Witness(NAME, WITNESS, logs, tmp_path / "w1", clock=lambda: CLOCK)
    with answering(WitnessServer(("127.0.0.1", 0), witness)) as server:
        place = AuditFolder(promoted.home).root / "anchors.yaml"
        said = [_said(f"http://127.0.0.1:{server.server_port}", NAME, WITNESS)]
        said.append(_said("http://127.0.0.1:9", AWAY, STRANGER))
        place.write_text(json.dumps({"witnesses": said, "git": {"enabled": False}}))
        yield promoted.home


def _said(url: str, name: str, key: SigningKey) -> dict[str, str]:
    return {"url": url, "name": name, "key": key.public.raw.hex()}


def exported(home: Path, target: Path) -> tuple[dict[str, bytes], str]:
    """Export by the command; return the files and what was printed with --json."""
    command = ["audit", "export", f"{MODEL}@3", "-o", str(target), "--home", str(home), "--json"]
    assert main(command) == 0
    with zipfile.ZipFile(BytesIO(target.read_bytes())) as packed:
        return {name: packed.read(name) for name in packed.namelist()}, str(target)


def option(name: str, key: SigningKey) -> tuple[str, str]:
    return "--witness", f"{name}={key.public.raw.hex()}"


def test_a_checkpoint_that_was_cosigned_is_exported_so_and_verified_offline(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = VerifiedLog.of(home).checkpoint
    anchor(home, note)
    files, target = exported(home, tmp_path / "x.zip")
    answer = json.loads(capsys.readouterr().out)
    checkpoint = files["checkpoint"].decode()
    assert checkpoint.startswith(note)
    assert cosigned_at(checkpoint, NAME, WITNESS.public) == CLOCK
    assert all(
        data.decode().endswith(checkpoint)
        for name, data in files.items()
        if name.endswith(".tlog-proof")
    )
    assert (answer["cosigned_by"], answer["checkpoint"]) == ({NAME: CLOCK}, checkpoint)
    assert "did not cosign" in answer["absent"][f"cosignature of {AWAY}"]
    manual = files["VERIFY.md"].decode()
    assert f"cosigned by: {NAME}" in manual
    assert f"cosignature of {AWAY}" in manual

    assert verify.main([target]) == 0
    capsys.readouterr()
    assert verify.main([target, *option(NAME, WITNESS), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["witnesses"] == {NAME: CLOCK}
    assert verify.main([target, *option(NAME, WITNESS)]) == 0
    assert f"cosigned by {NAME} at 2027-01-15" in capsys.readouterr().out


def test_a_checkpoint_that_no_witness_saw_is_exported_without_and_says_so(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, target = exported(home, tmp_path / "x.zip")
    answer = json.loads(capsys.readouterr().out)
    assert files["checkpoint"].decode() == VerifiedLog.of(home).checkpoint
    assert answer["cosigned_by"] == {}
    assert f"cosignature of {NAME}" in answer["absent"]
    assert "cosigned by: nobody" in files["VERIFY.md"].decode()
    assert verify.main([target]) == 0
    assert verify.main([target, *option(NAME, WITNESS)]) == 4
    assert f"the witness {NAME} did not cosign it" in capsys.readouterr().out
    compare(home)  # what `tandem audit monitor` does: it asks the witness for the newest
    assert NAME.encode() in exported(home, tmp_path / "y.zip")[0]["checkpoint"]


def test_a_cosignature_of_another_key_name_or_time_is_a_finding(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchor(home, VerifiedLog.of(home).checkpoint)
    files, target = exported(home, tmp_path / "x.zip")
    assert verify.main([target, *option(NAME, STRANGER)]) == 4
    assert verify.main([target, *option(AWAY, WITNESS)]) == 4
    text, line = files["checkpoint"].decode().rsplit("\n— ", 1)
    data = bytearray(verify.decoded(line.strip().split(" ")[1]))
    data[11] ^= 1
    forged = f"{text}\n— {NAME} {verify.base64.b64encode(data).decode()}\n"
    changed = {
        name: content.replace(files["checkpoint"], forged.encode())
        for name, content in files.items()
    }
    folder = tmp_path / "changed"
    for name, content in changed.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert verify.main([str(folder)]) == 0, "the log's own signature is as it was"
    assert verify.main([str(folder), *option(NAME, WITNESS)]) == 4
    assert f"the signature of the witness {NAME} is wrong" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["w1", "w1=ab", "w1=" + "zz" * 32])
def test_a_witness_without_a_key_is_wrong_usage(said: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        verify.main(["--witness", said])
