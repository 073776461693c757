"""A day of a cluster: scheduled runs while pods fail, calls are lost and times come twice.

`make test` has 50 of them, `make test-day` 500 (TANDEM_SIMULATED_DAYS spans of two use cases).

Real are the commands, the launcher, the client with its limit for an answer, the HTTP in between,
and the notary with its log, by which attempts are counted; the API server and what it starts are
the tests' (kfp_server.py and `Cluster` here): each stage of a training is its records.
"""

from __future__ import annotations

import datetime
import itertools
import os
import random
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from asked import said
from kfp_server import KfpServer
from kfp_store import ENDED
from recorded_stages import Stages

from components.audit.left_open import seals
from components.audit.notary import LocalNotary, open_notary
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.canonical import sha256_value
from components.core.errors import TandemError
from components.core.stage_identity import PLATFORM_RUN_VARIABLE, of_platform
from pipelines.kubeflow.launcher import launch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
USE_CASES, SEED = ("flights", "flights-too"), 20130101
DAYS = int(os.environ.get("TANDEM_SIMULATED_DAYS", "25"))
FIRST = datetime.datetime(2013, 1, 3, 3, tzinfo=datetime.UTC)
STAGES = ("ingest_examples", "train_pytorch")
RETRIES = 3
CLIENT_WAITS = "2"
"""Seconds, after which the client gives up a call that is not answered."""
STAGE_SECONDS = 4.0
"""A training takes longer than two such calls one after the other, as hours do: what came twice is
looked for by calls of this kind, and ended while it trains."""
BY_DAY = (
    "--set", "source.spans={unit: day, columns: [year, month, day]}",
    "--window", "2013-01-01:2013-01-02", "--max-concurrency", "10",
    "--cron", "0 3 * * *", "--time-zone", "UTC",
)  # fmt: skip


class Cluster:
    """What runs behind the API: launchers by their own code, trainings by their records."""

    def __init__(self, server: KfpServer, notary: LocalNotary, folder: Path) -> None:
        self.store, self.notary, self.folder = server.store, notary, folder
        self.at_work, self.lock = 0, threading.Lock()
        self.store.executor = self.run

    def run(self, run_id: str) -> None:
        with self.lock:
            self.at_work += 1
        try:
            self.work(run_id)
        finally:
            with self.lock:
                self.at_work -= 1

    def work(self, run_id: str) -> None:
        run = self.store.runs[run_id]
        given = run.runtime_config.parameters
        if run.recurring_run_id is None:
            self.train(run_id, of_platform(given["run"], run_id))
            return
        self.store.task(run_id, "launch-run", "RUNNING")
        self.end(run_id, "SUCCEEDED" if launched(given) else "FAILED")

    def train(self, run_id: str, identity: dict[str, Any]) -> None:
        """Do a training's stages, the closing one whatever happened, if its pod is not lost."""
        stages = Stages(self.notary, self.folder, identity)
        done = all(self.did(run_id, stages, stage) for stage in STAGES)
        state = "SUCCEEDED" if done else "FAILED"
        name = self.store.runs[run_id].display_name
        if happens("eviction", name, "seal_run", share=0.1):  # KFP gives an exit task one pod
            if happens("begun", name, "seal_run", share=0.5):
                stages.start("seal_run")
        else:
            stages.seal(state)
        self.end(run_id, state)

    def end(self, run_id: str, state: str) -> None:
        """Say how a run ended, unless it was ended from outside: of two who say so one is first."""
        with self.store.lock:
            if not self.is_ended(run_id):
                self.store.end(run_id, state)

    def is_ended(self, run_id: str) -> bool:
        return self.store.runs[run_id].state in (*ENDED, "CANCELING")

    def did(self, run_id: str, stages: Stages, stage: str) -> bool:
        for _ in range(1 + RETRIES):
            if self.is_ended(run_id):
                return False
            attempt = stages.start(stage)
            self.store.task(run_id, stage.replace("_", "-"), "RUNNING")
            time.sleep(STAGE_SECONDS)
            what = (self.store.runs[run_id].display_name, stage, attempt)
            if happens("eviction", *what, share=0.1):  # nobody says how it ended
                continue
            if happens("failure", *what, share=0.04):
                stages.fail(stage, attempt)
                return False
            if self.is_ended(run_id):
                return False
            stages.complete(stage, attempt)
            return True
        return False


def launched(given: dict[str, Any]) -> bool:
    """Try the launcher as often as KFP does; one whose pod is evicted begins again."""
    for attempt in range(1 + RETRIES):
        try:
            launch(**given, poll=0.5)
        except TandemError:
            continue
        if not happens("eviction", given["schedule"], given["scheduled"], attempt, share=0.1):
            return True
    return False


def happens(*what: object, share: float) -> bool:
    """Say whether something goes wrong: of the same thing always the same, of all so many."""
    number = int(sha256_value([SEED, *map(str, what)])[:8], 16)
    return number < share * 2**32


def deliver(server: KfpServer, schedules: list[str], chance: random.Random) -> None:
    """Deliver each time to each schedule, some twice, while calls of the API go wrong."""
    for day, schedule in itertools.product(range(DAYS), schedules):
        if chance.random() < 0.2:
            kind = chance.choice(("503", "reset", "lost", "twice", "stalled"))
            method = chance.choice(("POST", "GET"))
            server.faults.add(kind, method, "/runs$", times=chance.choice((1, 2)))
        for _ in range(2 if chance.random() < 0.05 else 1):
            while server.store.fire(schedule, FIRST + datetime.timedelta(days=day)) is None:
                time.sleep(0.01)  # as many run as may: the controller comes back


def ended(server: KfpServer) -> bool:
    return all(run.state in ENDED for run in list(server.store.runs.values()))


def test_every_run_ends_once_no_span_is_lost_or_trained_twice_and_all_records_close(
    served: KfpServer, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    monkeypatch.setenv("TANDEM_KFP_SECONDS", CLIENT_WAITS)
    monkeypatch.setenv(PLATFORM_RUN_VARIABLE, "a pod's own; here of all of them")
    schedules = []
    for name in USE_CASES:
        words = ("schedule", "create", "flights", "--target", target, "--set", f"name={name}")
        code, answer = said(capsys, *words, *BY_DAY)
        assert code == 0, answer
        schedules.append(answer["id"])
    home = tmp_path / "home"
    with open_notary(home) as notary:
        cluster = Cluster(served, notary, tmp_path / "made")
        deliver(served, schedules, random.Random(SEED))
        while not ended(served) or cluster.at_work:
            time.sleep(0.1)
    assert served.faults.gave_up > 0
    check_spans(served)
    check_ends(served)
    code, answer = said(capsys, "audit", "reconcile", "--home", str(home))
    assert (code, answer["going_on"], answer["unknown"]) == (0, [], [])
    assert answer["sealed"]  # some closing pods were lost before they began
    assert verify_log(home) == []
    check_records(served, home)


def trainings(server: KfpServer) -> list[Any]:
    return [run for run in server.store.runs.values() if run.recurring_run_id is None]


def check_spans(server: KfpServer) -> None:
    """Each span of each use case has one run that was not ended as a duplicate."""
    of_span = defaultdict(list)
    for run in trainings(server):
        of_span[run.display_name.rpartition("-")[0]].append(run.state)
    days = [(FIRST + datetime.timedelta(days=day - 1)).date() for day in range(DAYS)]
    assert sorted(of_span) == sorted(f"{name}-{day}" for name in USE_CASES for day in days)
    kept = {span: [one for one in states if one != "CANCELED"] for span, states in of_span.items()}
    assert {span: states for span, states in kept.items() if len(states) != 1} == {}
    assert {states[0] for states in kept.values()} == {"SUCCEEDED", "FAILED"}


def check_ends(server: KfpServer) -> None:
    """Each run of KFP, a schedule's own too, has come to an end once and to no other."""
    ends = {
        run.run_id: [item.state for item in run.state_history if item.state in ENDED]
        for run in server.store.runs.values()
    }
    assert {run: states for run, states in ends.items() if len(states) != 1} == {}


def check_records(server: KfpServer, home: Path) -> None:
    """Each run is closed once, and each span has at most one trained model.

    The attempts of a stage are those from 1 on, each begun once.
    """
    span_of = {
        of_platform(run.runtime_config.parameters["run"], run.run_id)["id"]: run.display_name
        for run in trainings(server)
    }
    views = VerifiedLog.of(home).views
    recorded = {view.run for view in views}
    # One that came twice may be ended before any pod of it has begun.
    assert recorded <= set(span_of)
    assert set(span_of.values()) == {span_of[run] for run in recorded}
    assert Counter(view.run for view in views if seals(view)) == Counter(recorded)
    done = [view for view in views if (view.stage, view.event) == ("train_pytorch", "COMPLETE")]
    assert all(count == 1 for count in Counter(span_of[view.run] for view in done).values())
    begun = defaultdict(list)
    for view in views:
        if view.event == "START":
            begun[view.run, view.stage].append(view.attempt)
    assert all(attempts == [*range(1, 1 + len(attempts))] for attempts in begun.values())
    assert max(len(attempts) for attempts in begun.values()) > 1
