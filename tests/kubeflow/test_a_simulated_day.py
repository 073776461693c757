"""A day of a cluster: scheduled runs while pods fail, calls are lost and times come twice.

`make test` has 50 of them, `make test-day` 500 (TANDEM_SIMULATED_DAYS spans of two use cases).

Real are the commands, the launcher, the client, the HTTP in between, and the notary with its log;
the API server and what it starts are the tests' (kfp_server.py and `Cluster` here): each stage of a
training is its records.
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

from components.audit.notary import LocalNotary, open_notary
from components.audit.verify import verify_log
from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_value
from components.core.errors import TandemError
from components.core.stage_identity import of_platform
from pipelines.kubeflow.launcher import launch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
USE_CASES, SEED = ("flights", "flights-too"), 20130101
DAYS = int(os.environ.get("TANDEM_SIMULATED_DAYS", "25"))
FIRST = datetime.datetime(2013, 1, 3, 3, tzinfo=datetime.UTC)
STAGES = ("ingest_examples", "train_pytorch")
RETRIES = 3
BY_DAY = (
    "--set", "source.spans={unit: day, columns: [year, month, day]}",
    "--window", "2013-01-01:2013-01-02", "--max-concurrency", "10",
    "--cron", "0 3 * * *", "--time-zone", "UTC",
)  # fmt: skip


class Cluster:
    """What runs behind the API: launchers by their own code, trainings by their records."""

    def __init__(self, server: KfpServer, notary: LocalNotary, folder: Path) -> None:
        self.store, self.notary, self.folder = server.store, notary, folder
        self.chance, self.lock = random.Random(SEED), threading.Lock()
        self.store.executor = self.run

    def happens(self, share: float) -> bool:
        with self.lock:
            return self.chance.random() < share

    def run(self, run_id: str) -> None:
        run = self.store.runs[run_id]
        given = run.runtime_config.parameters
        if run.recurring_run_id is None:
            self.train(run_id, of_platform(given["run"], run_id))
            return
        self.store.task(run_id, "launch-run", "RUNNING")
        self.store.end(run_id, "SUCCEEDED" if launched(given) else "FAILED")

    def train(self, run_id: str, identity: dict[str, Any]) -> None:
        """Do a training's stages, the closing one whatever happened."""
        state = "SUCCEEDED"
        for stage in STAGES:
            if not self.did(run_id, identity, stage):
                state = "FAILED"
                break
        self.seal(identity, state)
        if self.store.runs[run_id].state not in ("CANCELED", "CANCELING"):
            self.store.end(run_id, state)

    def did(self, run_id: str, identity: dict[str, Any], stage: str) -> bool:
        for attempt in range(1, 2 + RETRIES):
            if self.store.runs[run_id].state in ("CANCELED", "CANCELING"):
                return False
            self.notary.submit(draft("START", identity, stage, attempt))
            self.store.task(run_id, stage.replace("_", "-"), "RUNNING")
            time.sleep(0.3)  # longer than it takes to end a run that came twice
            what = (self.store.runs[run_id].display_name, stage, attempt)
            if happens("eviction", *what, share=0.1):  # nobody says how it ended
                continue
            if happens("failure", *what, share=0.04):
                cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
                self.notary.submit(draft("FAIL", identity, stage, attempt, cause=cause))
                return False
            if self.store.runs[run_id].state in ("CANCELED", "CANCELING"):
                return False
            self.complete(identity, stage, attempt)
            return True
        return False

    def complete(self, identity: dict[str, Any], stage: str, attempt: int, **more: Any) -> None:
        place = self.folder / f"{identity['id']}-{stage}-{threading.get_ident()}"
        write_json(place / "made.json", {"run": identity["id"], "stage": stage})
        output = {"name": "made", "sha256": tree_digest(place), "path": str(place)}
        self.notary.submit(draft("COMPLETE", identity, stage, attempt, outputs=[output], **more))

    def seal(self, identity: dict[str, Any], state: str) -> None:
        self.notary.submit(draft("START", identity, "seal_run", 1))
        self.notary.close_run(identity["id"], state)
        said_of = {"state": state, "records": 0, "events": {}, "stages": {}}
        self.complete(identity, "seal_run", 1, facts=said_of)


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


def draft(
    event: str, identity: dict[str, Any], stage: str, attempt: int, **more: Any
) -> dict[str, Any]:
    """Return a draft as a stage makes it."""
    return {
        "event": event,
        "run": identity,
        "stage": stage,
        "attempt": attempt,
        "inputs": [],
        "outputs": [],
        "settings": {},
        "settings_sha256": sha256_value({}),
        "code_sha256": None,
        "environment": {},
        "cache_key": None,
        "facts": {},
        "gates": [],
        "cause": None,
        "resources": None,
        "claimed_time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
    } | more


def deliver(server: KfpServer, schedules: list[str], chance: random.Random) -> None:
    """Deliver each time to each schedule, some twice, while calls of the API go wrong."""
    for day, schedule in itertools.product(range(DAYS), schedules):
        if chance.random() < 0.2:
            kind = chance.choice(("503", "reset", "lost", "twice", "late"))
            method = chance.choice(("POST", "GET"))
            server.faults.add(kind, method, "/runs$", times=chance.choice((1, 2)), seconds=0.1)
        for _ in range(2 if chance.random() < 0.05 else 1):
            while server.store.fire(schedule, FIRST + datetime.timedelta(days=day)) is None:
                time.sleep(0.01)  # as many run as may: the controller comes back


def ended(server: KfpServer) -> bool:
    active = ("PENDING", "RUNNING")
    return not any(run.state in active for run in list(server.store.runs.values()))


def test_every_run_ends_once_no_span_is_lost_or_trained_twice_and_all_records_close(
    served: KfpServer, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedules = []
    for name in USE_CASES:
        words = ("schedule", "create", "flights", "--target", target, "--set", f"name={name}")
        code, answer = said(capsys, *words, *BY_DAY)
        assert code == 0, answer
        schedules.append(answer["id"])
    home = tmp_path / "home"
    with open_notary(home) as notary:
        Cluster(served, notary, tmp_path / "made")
        deliver(served, schedules, random.Random(SEED))
        while not ended(served):
            time.sleep(0.1)
        time.sleep(1.0)  # what was ended from outside closes its records too
    check_spans(served)
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


def check_records(server: KfpServer, home: Path) -> None:
    """Each run has its closing record, and each span at most one trained model."""
    trained, sealed = Counter[str](), set()
    span_of = {
        of_platform(run.runtime_config.parameters["run"], run.run_id)["id"]: run.display_name
        for run in trainings(server)
    }
    with open_notary(home) as notary:
        for run, span in span_of.items():
            done = [view.stage for view in notary.records(run) if view.event == "COMPLETE"]
            trained[span] += done.count("train_pytorch")
            sealed |= {run} if "seal_run" in done else set()
    assert sealed == set(span_of)
    assert [span for span, count in trained.items() if count > 1] == []
