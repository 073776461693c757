"""`tandem audit reconcile` of a cluster's runs: KFP says which have ended, over HTTP as it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
from asked import named
from kfp_server import KfpServer
from receivers import web_server
from recorded_stages import ID, Stages, identity, records_of

from components.audit.notary import open_notary
from components.audit.process import NotaryProcess
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.stage_identity import PLATFORM_RUN_VARIABLE
from pipelines.cli import main

pytestmark = pytest.mark.slow
Reconcile = Callable[..., tuple[int, Any]]


@pytest.fixture
def run_id(served: KfpServer) -> str:
    """Return KFP's id of a run that works."""
    store = served.store
    experiment = store.create_experiment("team-a", api.V2beta1Experiment(display_name="tandem"))
    asked = api.V2beta1Run(
        display_name="flights-2013-01-0123456789ab",
        experiment_id=experiment.experiment_id,
        pipeline_spec={"root": {}},
    )
    made = str(store.create_run(asked).run_id)
    store.task(made, "train-pytorch", "RUNNING")
    return made


@pytest.fixture
def recorded(run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home whose log has that run with a stage that is open."""
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    monkeypatch.setenv(PLATFORM_RUN_VARIABLE, run_id)
    home = tmp_path / "home"
    with records_of(home, run_id) as stages:
        stages.start("ingest_examples")
        stages.complete("ingest_examples")
        stages.start("train_pytorch")
    return home


@pytest.fixture(params=["the home's own notary", "a notary elsewhere"])
def reconcile(
    request: pytest.FixtureRequest, recorded: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Reconcile]:  # fmt: skip
    """Give the command, beside each kind of notary."""

    def asked() -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["audit", "reconcile", "--json", "--home", str(recorded)])
        return code, json.loads(capsys.readouterr().out)

    if request.param == "the home's own notary":
        yield asked
        return
    with NotaryProcess(recorded) as process:
        monkeypatch.setenv("TANDEM_NOTARY", process.address)
        yield asked


def test_a_run_that_goes_on_is_left_as_it_is(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile
) -> None:
    for state in ("RUNNING", "CANCELING"):
        served.store.state(served.store.runs[run_id], state)
        code, answer = reconcile()
        assert (code, answer["closed"], answer["sealed"]) == (0, [], [])
        assert answer["going_on"] == [identity(run_id)["id"]]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SUCCEEDED"])
def test_a_run_that_ended_without_its_closing_record_gets_one_and_only_one(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile, state: str
) -> None:
    served.store.end(run_id, state)
    code, answer = reconcile()
    assert code == 0
    assert [(item["stage"], item["attempt"]) for item in answer["closed"]] == [("train_pytorch", 1)]
    assert [(item["run"], item["state"]) for item in answer["sealed"]] == [
        (identity(run_id)["id"], state)
    ]
    view = VerifiedLog.of(recorded).ledger.find(answer["sealed"][0]["record"])
    assert (view.stage, view.event, view.attempt) == ("seal_run", "ABORT", 1)
    assert view.cause is not None
    assert f"ended {state}" in view.cause["message"]
    assert answer["completeness"]["unclosed"] == []
    again = reconcile()[1]
    assert (again["closed"], again["sealed"], again["going_on"]) == ([], [], [])
    assert verify_log(recorded) == []


@pytest.mark.parametrize("status", [200, 500])
def test_an_end_that_no_exit_task_told_is_told_once_and_a_failure_is_recorded(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile,
    monkeypatch: pytest.MonkeyPatch, status: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("TANDEM_RUN_LINK", "https://kfp.example/#/runs/details/{platform_run}")
    served.store.end(run_id, "FAILED")
    with web_server() as receiver:
        receiver.status = [status, status]
        monkeypatch.setenv("TANDEM_NOTIFY_WEBHOOK", receiver.url)
        (closed,) = reconcile()[1]["sealed"]
        assert reconcile()[1]["sealed"] == []
    assert len(receiver.posts) == (1 if status == 200 else 2)
    assert (receiver.posts[0]["event"], receiver.posts[0]["stage"]) == ("failed", "train-pytorch")
    assert receiver.posts[0]["link"] == f"https://kfp.example/#/runs/details/{run_id}"
    view = VerifiedLog.of(recorded).ledger.find(closed["record"])
    told = {"channel": "webhook", "sent": status == 200}
    failed = {} if status == 200 else {"error": "HTTP status 500"}
    assert view.facts == {"notifications": [told | failed]}
    assert verify_log(recorded) == []


def test_a_closing_that_was_killed_is_closed_and_closes_its_run(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile
) -> None:
    with records_of(recorded, run_id) as stages:
        stages.start("seal_run")
    served.store.end(run_id, "FAILED")
    answer = reconcile()[1]
    assert [item["stage"] for item in answer["closed"]] == ["seal_run", "train_pytorch"]
    assert (answer["sealed"], answer["completeness"]["unclosed"]) == ([], [])
    assert verify_log(recorded) == []


def test_a_run_that_was_tried_again_is_closed_again(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile
) -> None:
    served.store.task(run_id, "train-pytorch", "FAILED")
    served.store.task(run_id, "seal-run", "SUCCEEDED")
    served.store.end(run_id, "FAILED")
    assert len(reconcile()[1]["sealed"]) == 1
    assert main(["retry", run_id]) == 0
    with records_of(recorded, run_id) as stages:
        assert stages.start("train_pytorch") == 2
    going_on = reconcile()[1]
    assert (going_on["closed"], going_on["sealed"]) == ([], [])
    assert going_on["completeness"]["unclosed"] == [identity(run_id)["id"]]
    with records_of(recorded, run_id) as stages:
        stages.complete("train_pytorch", attempt=2)
    served.store.end(run_id, "SUCCEEDED")
    answer = reconcile()[1]
    assert (answer["closed"], answer["sealed"][0]["state"]) == ([], "SUCCEEDED")
    assert answer["completeness"]["unclosed"] == []
    assert verify_log(recorded) == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:9", "cannot be reached"),
        ("KF_PIPELINES_ENDPOINT", "", "no KFP server is named"),
        ("TANDEM_KFP_TOKEN", "stale-token", "does not know who asks"),
    ],
)
def test_where_kfp_cannot_be_asked_nothing_is_closed(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile,
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str,
) -> None:  # fmt: skip
    served.store.end(run_id, "FAILED")
    size = VerifiedLog.of(recorded).snapshot.size
    monkeypatch.setenv(variable, value)
    code, answer = reconcile()
    assert code == 5
    assert f"the run {identity(run_id)['id']} ended is not known" in answer["error"]["message"]
    assert message in answer["error"]["message"]
    assert VerifiedLog.of(recorded).snapshot.size == size


def test_a_run_that_kfp_does_not_know_is_left_as_it_is_and_said(
    served: KfpServer, run_id: str, recorded: Path, reconcile: Reconcile
) -> None:
    served.store.runs.pop(run_id)
    code, answer = reconcile()
    assert (code, answer["closed"], answer["sealed"]) == (0, [], [])
    assert (answer["going_on"], answer["unknown"]) == ([], [identity(run_id)["id"]])


def test_a_log_without_runs_of_a_cluster_asks_nobody(
    served: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    with open_notary(tmp_path / "here") as notary:
        here = {"id": ID, "name": "flights", "trigger": "manual"}
        Stages(notary, tmp_path / "made", here).start("ingest_examples")
    named(monkeypatch, "http://127.0.0.1:9")
    assert main(["audit", "reconcile", "--json", "--home", str(tmp_path / "here")]) == 0
    assert len(json.loads(capsys.readouterr().out)["closed"]) == 1
