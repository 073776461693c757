"""Runs in Kubeflow Pipelines by the commands of people, over HTTP, and what may go wrong there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import kfp_server_api as api
import pytest
from asked import named, said
from kfp_server import KfpServer, kfp_server
from kfp_store import KfpStore

from components.core.errors import SettingsError
from pipelines.cli import main
from pipelines.kubeflow.session import WAITS, Session

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "training.yaml"
SCOPE = {"KF_PIPELINES_ENDPOINT", "TANDEM_KFP_NAMESPACE", "TANDEM_KFP_TOKEN"}


@pytest.fixture
def run_id(served: KfpServer) -> str:
    """Return the id of a run that failed in its second stage."""
    store = served.store
    experiment = store.create_experiment("team-a", api.V2beta1Experiment(display_name="flights"))
    store.versions["v"] = api.V2beta1PipelineVersion(pipeline_spec={"root": {}})
    made = [start(served, experiment.experiment_id, name) for name in ("flights-1", "flights-2")]
    store.task(made[0], "ingest-examples", "SUCCEEDED", "327,346 rows\n")
    store.task(made[0], "validate-examples", "FAILED", "a gate failed")
    store.end(made[0], "FAILED")
    return made[0]


def start(served: KfpServer, experiment: str, name: str) -> str:
    asked = api.V2beta1Run(display_name=name, experiment_id=experiment, pipeline_spec={"root": {}})
    return str(served.store.create_run(asked).run_id)


def test_the_runs_of_the_namespace_are_listed(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = said(capsys, "runs", "--cluster")
    assert code == 0
    assert [(run["name"], run["state"]) for run in answer["runs"]] == [
        ("flights-1", "FAILED"),
        ("flights-2", "PENDING"),
    ]
    assert main(["runs", "--cluster"]) == 0
    assert run_id in capsys.readouterr().out


def test_more_runs_than_a_page_holds_are_all_listed(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = served.store.runs[run_id].experiment_id
    for number in range(230):
        start(served, experiment, f"more-{number}")
    assert len(said(capsys, "runs", "--cluster")[1]["runs"]) == 232
    assert served.made("GET", "/runs$") == 2


@pytest.mark.parametrize("name", ["flights-1", "id", "beginning"])
def test_a_run_is_shown_by_its_stages(
    served: KfpServer, run_id: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    word = {"id": run_id, "beginning": run_id[:8]}.get(name, name)
    code, answer = said(capsys, "runs", "show", word, "--cluster")
    assert (code, answer["id"]) == (0, run_id)
    assert {stage: one["state"] for stage, one in answer["stages"].items()} == {
        "ingest-examples": "SUCCEEDED",
        "validate-examples": "FAILED",
    }


def test_logs_are_those_of_the_pods(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "flights-1", "validate-examples"]) == 0
    assert capsys.readouterr().out == "a gate failed\n"
    assert said(capsys, "logs", run_id)[1]["logs"] == {
        "ingest-examples": "327,346 rows\n",
        "validate-examples": "a gate failed",
    }


def test_a_pod_that_is_gone_takes_no_other_stages_log_along(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = served.store.runs[run_id].run_details.task_details[-1]
    del served.store.logs[gone.pod_name]
    code, answer = said(capsys, "logs", run_id)
    assert (code, answer["logs"]) == (1, {"ingest-examples": "327,346 rows\n"})
    assert "not found" in answer["gone"]["validate-examples"]
    assert main(["logs", run_id]) == 1
    told = capsys.readouterr()
    assert told.out == "327,346 rows\n"
    assert told.err.startswith("validate-examples: ")
    code, answer = said(capsys, "logs", run_id, "validate-examples")
    assert (code, answer["error"]["kind"]) == (1, "PlatformError")
    assert "where the pod is gone" in answer["error"]["remedy"]


def test_a_server_that_goes_away_is_asked_for_one_log_and_no_further_one(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("reset", "GET", "/log$", times=100)
    code, answer = said(capsys, "logs", run_id)
    assert (code, answer["logs"]) == (1, {})
    assert list(answer["gone"]) == ["ingest-examples", "validate-examples"]
    assert all("cannot be reached" in why for why in answer["gone"].values())
    assert served.made("GET", "/log$") == 1 + len(WAITS)


def test_a_failed_run_goes_on_from_what_failed(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "retry", "flights-1") == (
        0,
        {"run": run_id, "name": "flights-1", "retried": True},
    )
    kept = [one.display_name for one in served.store.runs[run_id].run_details.task_details]
    assert (served.store.runs[run_id].state, kept) == ("RUNNING", ["ingest-examples"])
    code, refused = said(capsys, "retry", "flights-1")
    assert code == 2
    assert "nothing to try again" in refused["error"]["message"]


def test_a_run_that_goes_on_is_ended(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.store.ends_at_once = False
    code, answer = said(capsys, "terminate", "flights-2")
    assert (code, answer["state"], answer["terminated"]) == (0, "CANCELING", True)
    ended = served.store.runs[answer["run"]]
    assert (ended.display_name, ended.state) == ("flights-2", "CANCELING")
    assert main(["terminate", "flights-2"]) == 0
    assert "flights-2 is being ended" in capsys.readouterr().out
    assert served.made("POST", ":terminate") == 1
    served.store.end(answer["run"], "CANCELED")
    assert said(capsys, "terminate", "flights-2")[1]["terminated"] is False


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELED"])
def test_a_run_that_is_over_is_said_to_be_and_stays_what_it_is(
    served: KfpServer, run_id: str, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.store.end(run_id, state)
    code, answer = said(capsys, "terminate", "flights-1")
    assert (code, answer["state"], answer["terminated"]) == (0, state, False)
    assert main(["terminate", "flights-1"]) == 0
    assert f"is over, nothing to end: {state.lower()}" in capsys.readouterr().out
    assert (served.made("POST", ":terminate"), served.store.runs[run_id].state) == (0, state)


@pytest.mark.parametrize("fault", ["lost", "twice", "503", "reset"])
def test_a_run_is_ended_whatever_becomes_of_the_answer(
    served: KfpServer, run_id: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add(fault, "POST", ":terminate")
    code, answer = said(capsys, "terminate", "flights-2")
    assert (code, answer["state"], answer["terminated"]) == (0, "CANCELED", True)


def test_a_run_that_succeeds_before_it_can_be_ended_has_succeeded(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store = served.store
    terminate = type(store).terminate

    def too_late(self: KfpStore, key: str) -> None:
        self.end(key, "SUCCEEDED")
        terminate(self, key)

    monkeypatch.setattr(type(store), "terminate", too_late)
    code, answer = said(capsys, "terminate", "flights-2")
    assert (code, answer["state"], answer["terminated"]) == (0, "SUCCEEDED", False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs", "show", "flights", "--cluster"], "2 runs are called flights"),
        (["runs", "show", "fligths-1", "--cluster"], "did you mean flights-1"),
        (["logs", "flights-1", "train-pytorch"], "no pod of train-pytorch"),
        (["retry", "nobody"], "0 runs are called nobody"),
        (["terminate", "nobody"], "0 runs are called nobody"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    served: KfpServer,
    run_id: str,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, answer = said(capsys, *words)
    assert code == 2
    assert message in answer["error"]["message"]
    assert answer["error"]["remedy"]


def test_each_refusal_of_the_server_has_a_remedy_of_its_own(served: KfpServer) -> None:
    session = Session.open()
    experiments, runs = session.client.experiments, session.client.runs
    make = experiments.experiment_service_create_experiment
    create, nameless = (
        partial(make, experiment=api.V2beta1Experiment(display_name=name, namespace="team-a"))
        for name in ("x", "")
    )
    create()
    remedies = []
    for call, remedy in (
        (nameless, "correct what it names"),
        (partial(runs.run_service_get_run, run_id="nobody"), "it may be gone"),
        (create, "give another name"),
    ):
        with pytest.raises(SettingsError, match="the KFP server refuses: ") as raised:
            session.order("this", call)
        assert remedy in raised.value.remedy
        remedies.append(raised.value.remedy)
    assert len(set(remedies)) == 3


def test_what_does_not_get_through_is_asked_again_but_no_retry_is_ordered_twice(
    served: KfpServer, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("503", "GET", "/runs$")
    served.faults.add("reset", "GET", "/runs/")
    assert said(capsys, "runs", "show", "flights-1", "--cluster")[0] == 0
    served.faults.add("lost", "POST", ":retry")
    code, answer = said(capsys, "retry", "flights-1")
    assert code == 1
    assert "gave no answer" in answer["error"]["message"]
    assert served.made("POST", ":retry") == 1
    assert served.store.runs[run_id].state == "RUNNING"


def refusal(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code, answer = said(capsys, "runs", "--cluster")
    return code, answer["error"]["message"], answer["error"]["remedy"]


@pytest.mark.slow
def test_a_server_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, served: KfpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    named(monkeypatch, "http://127.0.0.1:9")
    code, message, remedy = refusal(capsys)
    assert code == 1
    assert "cannot be reached" in message
    assert "KF_PIPELINES_ENDPOINT" in remedy


def test_an_old_server_is_said(
    monkeypatch: pytest.MonkeyPatch, served: KfpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with kfp_server(version="1.8.22") as old:
        named(monkeypatch, old.url)
        code, message, remedy = refusal(capsys)
    assert code == 1
    assert "version 1.8.22" in message
    assert "2.17" in remedy


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TANDEM_KFP_TOKEN", "stale-token", "does not know who asks"),
        ("TANDEM_KFP_NAMESPACE", "team-b", "no permission in the namespace team-b"),
        ("TANDEM_KFP_NAMESPACE", "", "none is named"),
        ("KF_PIPELINES_ENDPOINT", "", "no KFP server is named"),
        ("KF_PIPELINES_ENDPOINT", "ftp://host", "no address of a server"),
        ("TANDEM_KFP_SECONDS", "soon", "no number of seconds"),
    ],
)
def test_who_may_not_or_says_wrong_where_gets_cause_and_remedy(
    served: KfpServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(variable, value)
    code, text, remedy = refusal(capsys)
    assert code == 2
    assert message in text
    assert remedy
    assert "stale-token" not in text + remedy


def test_a_server_for_a_single_user_needs_no_namespace_and_no_token(
    monkeypatch: pytest.MonkeyPatch, served: KfpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with kfp_server(multi_user=False) as single:
        named(monkeypatch, single.url)
        for name in SCOPE - {"KF_PIPELINES_ENDPOINT"}:
            monkeypatch.delenv(name)
        assert said(capsys, "runs", "--cluster") == (
            0,
            {"server": single.url, "runs": [], "costs_unknown": None},
        )
