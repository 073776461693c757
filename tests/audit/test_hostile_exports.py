"""`verify.py` on files that were made to hurt it: it ends with an exit code and a line, always."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from exported_files import Files, verified

from components.audit import base64_strict
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import PAYLOAD_TYPE, Envelope, pre_authentication_encoding
from components.audit.envelope import Signature as Signed
from components.audit.export import verify
from components.audit.keys import SigningKey
from components.audit.merkle import Tree, leaf_hash
from components.audit.tlog_proof import TlogProof
from components.core.errors import DataError
from pipelines.audit_export import require_readable

EXPORT = {"export.json": b"{}", "checkpoint": b"of a log"}


def packed(files: Files, packing: int = zipfile.ZIP_STORED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def bomb() -> bytes:
    """Some hundred kilobytes, unpacked more than an export may have."""
    half = bytes(verify.MOST_BYTES // 2 + 1)
    return packed({**EXPORT, "schemas/a": half, "schemas/b": half}, zipfile.ZIP_DEFLATED)


def many() -> bytes:
    return packed({**EXPORT, **{f"schemas/{n}": b"" for n in range(verify.MOST_FILES)}})


def twice() -> bytes:
    return packed({**EXPORT, "log.pub": b"", "log.puc": b""}).replace(b"log.puc", b"log.pub")


def of_another_code(local: bytes, listed: bytes) -> Callable[[], bytes]:
    """Name a file by bytes that are no UTF-8, and say that they are."""

    def made() -> bytes:
        data = packed({**EXPORT, "schemas/\u00e9": b""})
        name = b"schemas/\xc3\xa9"
        first, second = data.index(name), data.rindex(name)
        assert first != second
        data = data[:second] + listed + data[second + len(name) :]
        return data[:first] + local + data[first + len(name) :]

    return made


def listed_as(at: int, value: bytes) -> Callable[[], bytes]:
    """Say something else of the first file, in the directory."""

    def made() -> bytes:
        data = bytearray(packed(EXPORT))
        start = data.index(verify.DIRECTORY_ENTRY) + at
        data[start : start + len(value)] = value
        return bytes(data)

    return made


def of_64_bits(size: int, offset: int) -> Callable[[], bytes]:
    """Give the first file's sizes and place in fields of 64 bits, as large as they like."""

    def made() -> bytes:
        data = packed(EXPORT)
        start = data.index(verify.DIRECTORY_ENTRY)
        extra = b"\x01\x00\x18\x00" + size.to_bytes(8, "little") * 2 + offset.to_bytes(8, "little")
        entry = bytearray(data[start : start + 46 + len("export.json")])
        entry[20:28] = entry[42:46] * 0 + b"\xff" * 8
        entry[30:32], entry[42:46] = len(extra).to_bytes(2, "little"), b"\xff" * 4
        rest = data[start + len(entry) :]
        end = len(rest) - 22
        whole = int.from_bytes(rest[end + 12 : end + 16], "little") + len(extra)
        longer = rest[: end + 12] + whole.to_bytes(4, "little") + rest[end + 16 :]
        return data[:start] + bytes(entry) + extra + longer

    return made


def cut() -> bytes:
    data = packed(EXPORT)
    return data[:40] + data[data.index(verify.DIRECTORY_ENTRY) :]


HOSTILE = {
    "a bomb": (bomb, "more than 268435456 bytes"),
    "many files": (many, "more than 10000 files"),
    "a name twice": (twice, "holds a name twice"),
    "another code": (of_another_code(b"schemas/\xff\xff", b"schemas/\xff\xff"), "utf-8"),
    "two names": (of_another_code(b"schemas/\xff\xff", b"schemas/\xc3\xa9"), "utf-8"),
    "encrypted": (listed_as(8, b"\x01"), "encrypted"),
    "patched": (listed_as(8, b"\x20"), "patch"),
    "of a later version": (listed_as(6, b"\xff"), "version"),
    "a size too large": (listed_as(24, b"\xfe\xff\xff\xff"), "another size"),
    "a size too small": (listed_as(24, b"\x01\x00\x00\x00"), "CRC"),
    "a place behind the end": (listed_as(42, b"\xfe\xff\xff\x7f"), "cannot be read"),
    "a comment too long": (listed_as(32, b"\xff\xff"), "no export.json"),
    "64 bits of size": (of_64_bits(2**63, 0), "cannot be read"),
    "64 bits of place": (of_64_bits(2, 2**63), "cannot be read"),
    "all bits of place": (of_64_bits(2, 2**64 - 1), "cannot be read"),
    "cut": (cut, "cannot be read"),
    "nothing": (lambda: b"", "cannot be read"),
    "no file in it": (lambda: b"PK\x05\x06" + bytes(18), "no export.json"),
}


@pytest.mark.parametrize(("made", "why"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_zip_cannot_be_verified_and_one_line_says_why(
    tmp_path: Path, made: Callable[[], bytes], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "export.zip"
    place.write_bytes(made())
    assert verify.main([str(place)]) == 5
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("cannot be verified: ") and why in said.err


def test_a_file_and_a_folder_with_more_than_an_export_has_cannot_be_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in EXPORT.items():
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(verify.MOST_BYTES + 1)
    for place in (tmp_path, tmp_path / "large"):
        assert verify.main([str(place)]) == 5
        assert "more than 268435456 bytes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["/schemas/a", "../schemas", "schemas/../../a", "schemas\\..\\a", "..", "artifacts/../a"],
)
def test_a_name_that_leads_out_of_the_folder_is_a_finding_and_nothing_is_written(
    files: Files, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    place = folder / "export.zip"
    place.write_bytes(packed({**files, name: b"{}"}))
    before = sorted(tmp_path.rglob("*"))
    assert verify.main([str(place)]) == 4
    assert f"{name}: " in capsys.readouterr().out.replace("\\\\", "\\")
    assert sorted(tmp_path.rglob("*")) == before


JSON = {
    "nested": b"[" * 100_000,
    "nested and closed": b"[" * 900 + b"]" * 900,
    "an integer too long": b"1" * 10_000,
    "a number too large": b'{"a":1e400}',
    "not a number": b'{"a":NaN}',
    "half a letter": b'{"a":"\\ud800"}',
    "half a letter as it is": b'{"a":"\xed\xa0\x80"}',
    "a key twice": b'{"a":1,"a":1}',
    "text": b'"text"',
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "no text": b"\xff\xfe\x00\x01",
    "no base 64": b'{"payload":"A","payloadType":"a","signatures":[{"keyid":"","sig":"!"}]}',
    "other base 64": b'{"payload":"e3==","payloadType":"a","signatures":[{"keyid":"","sig":"!"}]}',
    "too long": b'"' + b" " * verify.LARGEST_JSON + b'"',
}
PLACES = (
    "export.json",
    "checkpoint",
    "policies/release.json",
    "artifacts/decision/manifest.json",
    "records/000000000.json",
    "records/000000000.tlog-proof",
    "records/-1.json",
    "log.pub",
)


@pytest.mark.parametrize("data", JSON.values(), ids=JSON)
def test_no_content_of_any_file_ends_it_otherwise_than_by_a_code(
    files: Files, tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(PLACES):
        code = verified({**files, name: data}, tmp_path / str(number))
        assert code == (5 if name == "log.pub" else 4) or name == "export.json", name
        assert code in (4, 5), name
        said = capsys.readouterr()
        assert said.err.count("\n") == (1 if said.out == "" else 0), name


def test_a_change_of_keys_of_no_place_is_a_finding(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload = base64_strict.encode(b'{"predicateType":"https://tandem.invalid/key-change/v1"}')
    changed = json.dumps({"payload": payload}).encode()
    for number, name in enumerate(("records/-1.json", "-1", "records/\u0661.json")):
        assert verified({**files, name: changed}, tmp_path / str(number)) == 4
        assert f"{name}: " in capsys.readouterr().out


def one_record(payload: bytes, key: SigningKey) -> Files:
    """Return an export of one entry, which a holder of the key has signed whatever it says."""
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    leaf = Envelope(payload, PAYLOAD_TYPE, (Signed(key.public.keyid, signature),)).to_bytes()
    tree = Tree()
    tree.append(leaf_hash(leaf))
    note = Checkpoint(origin_of(key.public), 1, tree.root()).sign(key)
    said = {name: "a" for name in verify.SAID} | {"schema": verify.SCHEMA}
    return {
        "export.json": json.dumps(said).encode(),
        "checkpoint": note.encode(),
        "log.pub": key.public.to_pem(),
        "records/000000000.json": leaf,
        "records/000000000.tlog-proof": TlogProof(0, (), note).to_text().encode(),
    }


SIGNED = {
    **{name: data for name, data in JSON.items() if name != "too long"},
    "a key change of nothing": b'{"predicate":{},"predicateType":"https://tandem.invalid/key-change/v1"}',
    "a list for an act": b'{"predicate":[],"predicateType":[],"subject":[]}',
}


@pytest.mark.parametrize("payload", SIGNED.values(), ids=SIGNED)
def test_nothing_that_a_holder_of_the_key_signed_ends_it_otherwise(
    tmp_path: Path, key: SigningKey, payload: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(one_record(payload, key), tmp_path) == 4
    said = capsys.readouterr()
    assert (said.out == "") == (said.err != "")


def test_a_terminal_without_the_letters_is_shown_them_spelled_out(
    files: Files, tmp_path: Path
) -> None:
    said: dict[str, Any] = json.loads(files["export.json"])
    other = json.dumps(said | {"model": "mod\u00e8le \u4e16"}).encode()
    assert verified({**files, "export.json": other}, tmp_path) == 4
    command = [sys.executable, verify.__file__, str(tmp_path / "export")]
    env = {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "")
    assert "mod\\xe8le \\u4e16@3" in done.stdout


@pytest.mark.parametrize(
    ("added", "zipped", "cause"),
    [
        (dict.fromkeys(map(str, range(verify.MOST_FILES)), b""), 0, "10001 files"),
        ({"artifacts/examples/manifest.json": bytes(verify.LARGEST_JSON + 1)}, 0, "manifest.json"),
        ({}, verify.MOST_BYTES + 1, "268435457 bytes"),
    ],
)
def test_an_export_that_its_own_verifier_would_not_read_is_not_written(
    added: dict[str, bytes], zipped: int, cause: str
) -> None:
    with pytest.raises(DataError, match=cause):
        require_readable({"export.json": b"{}"} | added, zipped)


def test_an_export_as_large_as_its_verifier_reads_is_written() -> None:
    names = [f"records/{number}.tlog-proof" for number in range(verify.MOST_FILES - 1)]
    largest = {"export.json": bytes(verify.LARGEST_JSON)}
    require_readable(largest | dict.fromkeys(names, b""), verify.MOST_BYTES)
