"""The notary as a process: its client, its refusals, many writers, and the closing stage."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.audit.client import Notary, connect
from components.audit.process import NotaryProcess
from components.audit.proof import require_proof
from components.audit.service import SOCKET_PATH_LIMIT
from components.audit.verify import verify_log
from components.core.artifacts import read_json
from components.core.errors import DataError, IntegrityError, PlatformError
from components.seal_run.step import SealRunSettings, seal_run

pytestmark = pytest.mark.slow

Draft = Callable[..., dict[str, Any]]
WRITERS, RECORDS = 16, 25
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def process(home: Path) -> Iterator[NotaryProcess]:
    with NotaryProcess(home) as process:
        yield process


@pytest.fixture
def client(process: NotaryProcess) -> Notary:
    return Notary(process.address)


def write_records(address: str, writer: int, draft: Draft, results: Any) -> None:
    notary = Notary(address)
    run = draft("START")["run"] | {"id": f"run-{writer}"}
    for attempt in range(1, RECORDS + 1):
        cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
        value = draft("FAIL", run=run, attempt=attempt, cause=cause)
        first, again = notary.submit(value), notary.submit(value)
        results.put((first.index, first.record, first == again))


def test_many_processes_that_write_at_once_and_twice_leave_each_record_once(
    process: NotaryProcess, home: Path, draft: Draft
) -> None:
    results = FORK.Queue()
    writers = [
        FORK.Process(target=write_records, args=(process.address, i, draft, results))
        for i in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    answers = [results.get(timeout=60) for _ in range(WRITERS * RECORDS)]
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert all(same for _, _, same in answers)
    assert sorted(index for index, _, _ in answers) == list(range(400))
    files = list((home / "audit/log/entries").rglob("*.json"))
    assert len(files) == WRITERS * RECORDS == 400
    assert verify_log(home) == []


def test_what_the_client_is_told_is_what_the_notary_knows(
    client: Notary,
    process: NotaryProcess,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    new_story: Callable[..., Any],
) -> None:
    monkeypatch.setenv("TANDEM_NOTARY", process.address)
    monkeypatch.setenv("TANDEM_HOME", str(home))
    assert connect() == client
    new_story(client, tmp_path / "runs" / "run-1").tell()
    views = client.records("run-1")
    assert [view.index for view in views] == list(range(18))
    decision = next(view for view in views if "decision" in view.outputs)
    proof = require_proof(client, [decision.record])
    assert proof.checkpoint == client.checkpoint()
    assert "train_tensorflow" in proof.stages
    with pytest.raises(IntegrityError, match="not in the log"):
        require_proof(client, ["0" * 64])
    assert verify_log(home, tmp_path / "runs") == []


def test_a_refusal_arrives_as_the_error_that_the_notary_raised(
    client: Notary, draft: Draft, tmp_path: Path
) -> None:
    claim = {"name": "examples", "sha256": "0" * 64, "path": str(tmp_path)}
    with pytest.raises(IntegrityError, match="is not what the stage claims") as refused:
        client.submit(draft("COMPLETE", outputs=[claim]))
    assert refused.value.remedy == "find out what else writes to the artifact's folder"
    with pytest.raises(DataError, match=r"draft\.json"):
        client.submit(draft("START", stage="Not A Stage"))


def test_a_number_that_is_none_is_refused_in_facts_and_null_in_a_failed_gate(
    client: Notary, draft: Draft
) -> None:
    with pytest.raises(DataError, match="cannot hold what the step returned"):
        client.submit(draft("START", facts={"auc": math.nan}))
    with pytest.raises(DataError, match="cannot hold what the step returned"):
        client.submit(draft("START", facts={"when": object()}))
    gate = {"name": "auc", "metric": "auc", "operator": ">=", "threshold": 0.7, "slice": "overall"}
    failed = gate | {"value": math.nan, "interval": (math.nan, math.inf), "passed": False}
    cause = {"kind": "GateError", "message": "auc is not a number", "remedy": "more rows"}
    client.submit(draft("FAIL", "evaluate_models", gates=[failed], cause=cause))
    (view,) = client.records("run-1")
    assert view.gates[0]["value"] is None
    assert view.gates[0]["interval"] == [None, None]


def raw(address: str, request: bytes) -> tuple[int, dict[str, Any]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(address.removeprefix("unix:"))
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def post(body: bytes) -> bytes:
    head = f"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(b"[]"),
        post(b"{"),
        post(b"[" * 100_000),
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/unknown HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_request_of_another_form_is_refused_and_the_notary_goes_on(
    client: Notary, process: NotaryProcess, draft: Draft, request_bytes: bytes
) -> None:
    status, answer = raw(process.address, request_bytes)
    assert status == 400
    assert answer["error"]["kind"] == "DataError"
    assert client.submit(draft("START")).index == 0


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'"event": "START"', b'"event": "FAIL", "event": "START"'),
        (b'"facts": {}', b'"facts": {"auc": NaN}'),
    ],
)
def test_a_draft_with_duplicate_keys_or_nan_is_refused_before_anything_else(
    client: Notary, process: NotaryProcess, draft: Draft, good: bytes, bad: bytes
) -> None:
    body = json.dumps(draft("START")).encode()
    assert good in body
    status, answer = raw(process.address, post(body.replace(good, bad, 1)))
    assert (status, "the body is not JSON" in answer["error"]["message"]) == (400, True)
    assert raw(process.address, post(body))[0] == 200
    assert len(client.records("run-1")) == 1


def test_without_an_address_there_is_no_notary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    assert connect() is None


@pytest.mark.parametrize("address", ["unix:/nowhere/notary.sock", "ftp://host", "notary"])
def test_an_address_that_does_not_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("TANDEM_NOTARY", address)
    with pytest.raises(PlatformError):
        connect()


def test_a_second_process_of_a_home_is_refused_with_the_cause(
    client: Notary, home: Path, draft: Draft
) -> None:
    with pytest.raises(PlatformError, match="another notary") as refused, NotaryProcess(home):
        pass
    assert "wait for it, or use another --home" in refused.value.remedy
    assert client.submit(draft("START")).index == 0


def test_a_home_with_a_long_path_is_served(tmp_path: Path, draft: Draft) -> None:
    home = tmp_path / ("long" * 30) / ("longer" * 20)
    with NotaryProcess(home) as process:
        assert len(process.address.removeprefix("unix:")) <= SOCKET_PATH_LIMIT
        assert Notary(process.address).submit(draft("START")).index == 0


def test_a_long_temporary_folder_is_not_used_for_the_socket(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with NotaryProcess(home) as process:
        assert str(folder) not in process.address
        assert len(process.address.removeprefix("unix:")) <= SOCKET_PATH_LIMIT
        Notary(process.address).ready()


def test_a_socket_path_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 120)
    command = ["--home", str(tmp_path / "home"), "--socket", str(place)]
    ended = subprocess.run(
        [sys.executable, "-m", "components.audit.served_notary", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert f"longer than {SOCKET_PATH_LIMIT} bytes" in ended.stderr
    assert ended.stdout == ""


def test_the_notary_ends_with_the_process_that_started_it(home: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; "
        "from components.audit.process import NotaryProcess; "
        "process = NotaryProcess(Path(sys.argv[1])).__enter__(); "
        "print(process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    wait_for_end(int(ended.stdout))
    with NotaryProcess(home) as process:
        Notary(process.address).ready()


def wait_for_end(pid: int) -> None:
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.01)
    raise AssertionError("the notary outlived its owner")


def seal(run: dict[str, Any], state: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = SealRunSettings(run=run, state=state)
    outcome = seal_run(settings=settings, closing=folder)
    closing: dict[str, Any] = read_json(folder / "closing.json")
    return closing, dict(outcome.facts)


def test_a_run_without_a_notary_is_closed_and_says_that_there_are_no_records(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, draft: Draft
) -> None:
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    closing, facts = seal(draft("START")["run"], "FAILED", tmp_path)
    assert (closing["recorded"], closing["state"], closing["records"]) == (False, "FAILED", [])
    assert facts == {"state": "FAILED", "records": 0, "events": {}, "stages": {}}


def test_sealing_closes_open_stages_and_names_the_causes_of_failure(
    client: Notary,
    process: NotaryProcess,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    draft: Draft,
    home: Path,
) -> None:
    monkeypatch.setenv("TANDEM_NOTARY", process.address)
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look at the source"}
    client.submit(draft("START"))
    client.submit(draft("FAIL", cause=cause))
    client.submit(draft("START", "train_pytorch"))
    client.submit(draft("START", "seal_run"))
    closing, facts = seal(draft("START")["run"], "FAILED", tmp_path / "closing")
    assert facts == {
        "state": "FAILED",
        "records": 5,
        "events": {"ABORT": 1, "FAIL": 1, "START": 3},
        "stages": {"ingest_examples": "FAIL", "train_pytorch": "ABORT"},
    }
    assert [failure["stage"] for failure in closing["failures"]] == [
        "ingest_examples",
        "train_pytorch",
    ]
    assert closing["failures"][0]["cause"] == cause
    assert [record["index"] for record in closing["records"]] == [0, 1, 2, 3, 4]
    from components.core.artifacts import tree_digest

    digest = tree_digest(tmp_path / "closing")
    claim = {"name": "closing", "sha256": digest, "path": str(tmp_path / "closing")}
    client.submit(draft("COMPLETE", "seal_run", outputs=[claim], facts=facts))
    assert verify_log(home) == []
