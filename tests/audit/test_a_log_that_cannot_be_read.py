"""Every command of `tandem audit` on a log that is damaged, and on one that cannot be read.

4 is a finding, 5 is no verdict, for those that would change the log too. The notary's service is
no answer to anybody: that it cannot read its log is the operator's to mend, 1.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from strict_s3 import StrictS3, strict_s3, variables

from components.audit.log import checkpoint_key, entry_key
from components.audit.subjects import KEY_BYTES
from pipelines.cli import main
from pipelines.cli.parser import build_parser

pytestmark = pytest.mark.slow
VERSION = "flight-delay@3"
COMMANDS = (
    "verify",
    f"trace {VERSION}",
    f"approvals {VERSION}",
    "impact 2013-02",
    "impact --subject P1 --key KEY",
    "forget --subject P1 --key KEY",
    "erase run-1 statistics --reason why",
    "gates --failed",
    f"diff {VERSION} flight-delay@4",
    f"export {VERSION} -o OUT",
    "inventory --at 2999-12-31",
    "reconcile",
    f"reproduce {VERSION}",
    f"openlineage {VERSION} -o OUT",
    f"report {VERSION} --template part11 -o OUT",
    "keys list",
    "keys rotate --reason yearly",
    "keys rotate --second --reason yearly",
    f"keys revoke {'0' * 16} --reason stolen",
    "monitor",
)
OTHER = {"notary", "witness"}
"""What serves, and reads the log of no home for an answer."""


@pytest.fixture
def home(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "KEY").write_bytes(bytes(KEY_BYTES))
    (tmp_path / "KEY").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return recorded


@pytest.fixture(scope="module")
def server() -> Iterator[StrictS3]:
    with strict_s3() as server:
        yield server


def ended(words: str, home: Path) -> int:
    return main(["audit", *words.split(), "--home", str(home)])


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands below one; argparse has no public way to them."""
    found: Any = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def test_every_command_of_audit_is_tried() -> None:
    audit = below(build_parser())["audit"]
    names = {
        f"{name} {second}".strip()
        for name, parser in below(audit).items()
        for second in (below(parser) or {""})
    }
    tried = {name for name in names for words in COMMANDS if f"{words} ".startswith(f"{name} ")}
    assert names - tried == OTHER


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("key", [entry_key(3), checkpoint_key(18)], ids=["entry", "checkpoint"])
def test_a_log_of_which_a_file_cannot_be_read_ends_with_5(
    words: str, key: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unread = home / "audit/log" / key
    unread.unlink()
    unread.symlink_to(unread)  # reading it fails, for a superuser too
    assert ended(words, home) == 5
    assert "cannot be read" in capsys.readouterr().err
    assert not (home / "tandem.log").exists()


@pytest.mark.parametrize("words", COMMANDS)
def test_a_log_whose_bucket_does_not_answer_ends_with_5(
    words: str, home: Path, server: StrictS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TANDEM_AUDIT_LOG", "s3://nowhere/log")
    assert ended(words, home) == 5


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("gone", ["log", "log/checkpoints", "keys/notary.pub"])
def test_a_log_that_is_not_there_or_has_no_checkpoint_or_key_ends_with_5(
    words: str, gone: str, home: Path
) -> None:
    path = home / "audit" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert ended(words, home) == 5
    assert not path.exists()


@pytest.mark.parametrize("words", [words for words in COMMANDS if not words.startswith("monitor")])
def test_a_log_of_which_a_byte_was_changed_ends_with_4_and_the_newest_checkpoint_is_shown(
    words: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf = home / "audit/log" / entry_key(1)
    leaf.write_bytes(leaf.read_bytes().replace(b"A", b"B", 1))
    before = sorted(path for path in (home / "audit/log").rglob("*") if path.is_file())
    newest = (home / "audit/log" / checkpoint_key(18)).read_text()
    assert ended(words, home) == 4
    assert newest in "".join(capsys.readouterr())
    assert sorted(path for path in (home / "audit/log").rglob("*") if path.is_file()) == before


def test_a_notary_that_cannot_read_its_log_does_not_serve(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unread = home / "audit/log" / entry_key(3)
    unread.unlink()
    unread.symlink_to(unread)
    assert ended("notary --listen 127.0.0.1:0", home) == 1
    assert "cannot be read" in capsys.readouterr().err
