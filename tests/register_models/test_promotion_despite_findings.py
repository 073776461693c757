"""No version becomes the champion over what is wrong with its own records, unless it is known."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from release_chain import Chain

from components.approvals.approvers import KEYS_VARIABLE
from components.audit.client import Notary
from components.audit.folder import AuditFolder
from components.audit.process import NotaryProcess
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.errors import PlatformError
from components.core.outcome import Outcome
from components.decide_release.step import DecideSettings, decide_release
from components.register_models.aliases import Aliases
from components.register_models.store import opened_store
from pipelines.cli import main

pytestmark = pytest.mark.slow
CARELESS = (
    "from components.audit.admission import Admission\n"
    "from components.audit.served_notary import main\n"
    "Admission.require = lambda *_: None\n"
    "raise SystemExit(main())"
)
Tandem = Callable[..., tuple[int, dict[str, Any]]]


def decide_by_no_gate(
    *, settings: DecideSettings, evaluation: Path, measurements: Path, decision: Path
) -> Outcome:
    """Decide, and hand in a record without the gates that the policy asks for."""
    made = decide_release(
        settings=settings, evaluation=evaluation, measurements=measurements, decision=decision
    )
    return replace(made, gates=())


decide_by_no_gate.__name__ = "decide_release"


@contextmanager
def careless_notary(home: Path) -> Iterator[str]:
    """Serve a notary that signs whatever it is given, as one would whose key was stolen."""
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/notary.sock"
        line = [sys.executable, "-c", CARELESS, "--home", str(home), "--socket", socket]
        root = Path(__file__).parents[2]
        with subprocess.Popen([*line, "--until-stdin-closes"], cwd=root, stdin=-1) as process:
            assert process.stdin is not None
            try:
                _wait(f"unix:{socket}", process)
                yield f"unix:{socket}"
            finally:
                process.stdin.close()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            return Notary(address).ready()
        except PlatformError:
            continue
    raise AssertionError("the notary did not start")


@pytest.fixture
def tandem(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tandem:
    """Run `tandem models ... --json` with a configuration of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)

    def call(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["models", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


@pytest.fixture(params=["left out", "untouched"])
def is_wrong(
    request: pytest.FixtureRequest,
    home: Path,
    tmp_path: Path,
    tandem: Tandem,
    monkeypatch: pytest.MonkeyPatch,
) -> bool:
    """Register and approve two versions, by a decision that left its gates out or did not."""
    wrong = bool(request.param == "left out")
    chain = Chain(tmp_path, decide=decide_by_no_gate if wrong else decide_release)
    with careless_notary(home) if wrong else _honest(home) as address:
        monkeypatch.setenv("TANDEM_NOTARY", address)
        chain.until_decision().register()
        for version in "12":
            said = ("--as", "Ann", "--meaning", "approval")
            code, answer = tandem("approve", version, *said)
            assert (code, bool(answer["findings"])) == (0, wrong)
    monkeypatch.delenv("TANDEM_NOTARY")
    keys = AuditFolder(home).approver_keys
    keys.mkdir(exist_ok=True)
    public = tmp_path / "config/tandem/signing.pub"
    (keys / public.name).write_bytes(public.read_bytes())
    return wrong


@contextmanager
def _honest(home: Path) -> Iterator[str]:
    with NotaryProcess(home) as process:
        yield process.address


def champion() -> str | None:
    with opened_store() as client:
        return Aliases(client, "flights").all().get("champion")


def reason(home: Path, record: str) -> str:
    return str(VerifiedLog.of(home).statement(record)["predicate"]["reason"])


def test_a_version_with_a_finding_becomes_champion_only_where_it_is_known(
    is_wrong: bool, tandem: Tandem, home: Path
) -> None:
    found = [(item.check, item.where, item.message) for item in verify_log(home)]
    assert bool(found) is is_wrong
    named = ", ".join(f"gate of {where}" for _, where, _ in found)
    told = f" (despite findings: {named})" if is_wrong else ""
    promoting = ("promote", "1", "--reason", "as agreed")
    if is_wrong:
        entries = len(VerifiedLog.of(home).views)
        code, refused = tandem(*promoting)
        assert (code, refused["error"]["kind"], champion()) == (4, "IntegrityError", None)
        assert "flights@1 does not become the champion" in refused["error"]["message"]
        assert [(i["check"], i["where"], i["message"]) for i in refused["findings"]] == found
        assert "--despite-findings" in refused["error"]["remedy"]
        assert len(VerifiedLog.of(home).views) == entries
    more = ("--despite-findings",) if is_wrong else ()
    code, change = tandem(*promoting, *more)
    assert (code, champion()) == (0, "1")
    assert reason(home, change["record"]) == f"as agreed{told}"
    assert tandem(*promoting)[0] == 0  # the log says so already

    assert tandem("promote", "2", "--reason", "better", *more)[0] == 0
    back = ("rollback", "--reason", "slow")
    if is_wrong:
        assert tandem(*back)[0] == 4
        assert champion() == "2"
    code, change = tandem(*back, *more)
    assert (code, champion()) == (0, "1")
    assert reason(home, change["record"]) == f"slow{told}"
    assert tandem("withdraw", "1", "--reason", "wrong")[0] == 0  # which no finding hinders
    assert champion() is None
