"""`tandem lineage import-tfx`: what it records, what it says, and what leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_store import MadeStore, taxi

from components.audit.answers import AUDIT
from components.audit.folder import AuditFolder
from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.artifacts import tree_digest
from components.core.errors import PlatformError
from components.tfx_history.drafts import Drafts
from components.tfx_history.executions import read_history
from components.tfx_history.importing import imported, planned
from components.tfx_history.store import opened_store
from pipelines.cli import main

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    return taxi(tmp_path / "metadata.db", tmp_path / "tfx")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def command(made: MadeStore, home: Path, *words: str) -> int:
    return main(["lineage", "import-tfx", str(made.path), "--home", str(home), *words])


def asked(made: MadeStore, home: Path, capsys: Capture, *words: str) -> tuple[int, Any]:
    code = command(made, home, *words, "--json")
    return code, json.loads(capsys.readouterr().out)


def test_each_finished_execution_gets_a_record_that_verifies(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    made.execution("Tuner", {"examples": 1}, {}, state="RUNNING")
    code, answer = asked(made, home, capsys)
    assert code == 0
    assert [(item["index"], item["is_new"]) for item in answer["executions"]] == [
        (index, True) for index in range(5)
    ]
    assert answer["left"] == [{"id": 6, "type": "tfx.components.Tuner", "state": "RUNNING"}]
    assert answer["unhashed"] == []
    assert answer["checkpoint"] == VerifiedLog.of(home).checkpoint
    records = [view.record for view in VerifiedLog.of(home).views]
    assert [item["record"] for item in answer["executions"]] == records
    assert verify_log(home) == []


def test_a_pushed_model_is_traced_to_its_data(made: MadeStore, home: Path, capsys: Capture) -> None:
    _, answer = asked(made, home, capsys)
    (pushed,) = answer["executions"][-1]["outputs"]
    assert (pushed["type"], pushed["hashed"]) == ("PushedModel", True)
    assert main(["audit", "trace", pushed["sha256"], "--home", str(home), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    types = [step["facts"]["execution"]["type"] for step in found["steps"]]
    assert [name.rpartition(".")[2] for name in types] == [
        "CsvExampleGen", "StatisticsGen", "SchemaGen", "Trainer", "Pusher"
    ]  # fmt: skip
    assert [step["parents"] for step in found["steps"]] == [[], [0], [1], [0, 2], [3]]
    assert found["checkpoint"] == answer["checkpoint"]


def test_the_same_store_again_adds_nothing_and_one_that_grew_what_is_new(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    asked(made, home, capsys)
    _, again = asked(made, home, capsys)
    assert [item["is_new"] for item in again["executions"]] == [False] * 5
    made.execution("Evaluator", {"model": 4}, {}, state="FAILED")
    _, grown = asked(made, home, capsys)
    assert [item["is_new"] for item in grown["executions"]] == [False] * 5 + [True]
    assert VerifiedLog.of(home).snapshot.size == 6
    assert verify_log(home) == []


def test_a_record_says_nothing_that_the_store_has_of_people_secrets_and_disks(
    made: MadeStore, home: Path, tmp_path: Path
) -> None:
    assert command(made, home) == 0
    log = VerifiedLog.of(home)
    told = json.dumps([log.statement(view.record) for view in log.views])
    assert "correct-horse" not in told
    assert "jane.doe" not in told
    assert str(tmp_path) not in told
    assert ".../Trainer/model/4" in told
    actors = {log.statement(v.record)["predicate"][AUDIT]["actor"]["id"] for v in log.views}
    assert all(actor.startswith("sha256:") for actor in actors)


def test_a_dry_run_says_what_would_be_recorded_and_makes_no_home(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    code, answer = asked(made, home, capsys, "--dry-run")
    assert (code, answer["dry_run"], answer["checkpoint"]) == (0, True, None)
    assert [item["record"] for item in answer["executions"]] == [None] * 5
    assert not home.exists()
    asked(made, home, capsys)
    made.execution("Evaluator", {"model": 4}, {})
    _, answer = asked(made, home, capsys, "--dry-run")
    assert [item["is_new"] for item in answer["executions"]] == [False] * 5 + [True]
    assert VerifiedLog.of(home).snapshot.size == 5


def test_people_are_told_what_was_imported_and_how_to_go_on(
    made: MadeStore, home: Path, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "tfx/Pusher/pushed_model/5/data.txt").unlink()
    (tmp_path / "tfx/Pusher/pushed_model/5").rmdir()
    assert command(made, home, "--dry-run") == 0
    assert "5 executions would be imported, 0 known from before" in capsys.readouterr().out
    assert command(made, home) == 0
    told = capsys.readouterr().out
    assert "#3 execution 4 Trainer COMPLETE (2025-11-03T08:15:00.123456)" in told
    assert "not hashed: artifact 5: it is not there any more" in told
    assert "(claimed: not its bytes)" in told
    assert "see what stands behind a model: tandem audit trace " in told
    assert "covered by checkpoint:" in told
    assert command(made, home) == 0
    assert "0 executions imported, 5 known from before" in capsys.readouterr().out


def test_where_a_pusher_pushed_nothing_the_trainers_model_is_asked_after(
    made: MadeStore, home: Path, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "tfx/Pusher/pushed_model/5/data.txt").unlink()
    assert command(made, home) == 0
    model = tree_digest(tmp_path / "tfx/Trainer/model/4")
    assert f"behind a model: tandem audit trace {model}\n" in capsys.readouterr().out


def test_one_pipeline_alone_is_imported_with_what_it_stands_on(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    made.execution("Other", {}, {}, pipeline="other")
    made.execution("Evaluator", {"model": 4}, {}, pipeline="evaluation")
    _, answer = asked(made, home, capsys, "--pipeline", "evaluation")
    assert [item["id"] for item in answer["executions"]] == [1, 2, 3, 4, 7]
    code, refused = asked(made, home, capsys, "--pipeline", "none")
    assert (code, refused["error"]["kind"]) == (1, "DataError")


def test_a_newer_store_is_refused_before_there_is_a_log(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    made.change("UPDATE MLMDEnv SET schema_version = 11")
    assert command(made, home) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "newer than what is installed reads (expected 10 at most, found 11)" in said.err
    assert "remedy: import it with a version of Tandem whose ml-metadata" in said.err
    assert not home.exists()


def test_a_store_that_is_not_there_is_wrong_usage(
    home: Path, capsys: Capture, tmp_path: Path
) -> None:
    store = str(tmp_path / "none.db")
    assert main(["lineage", "import-tfx", store, "--home", str(home)]) == 2
    assert "is not there" in capsys.readouterr().err


def test_a_name_that_may_not_be_recorded_leaves_nothing_behind(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    made.execution("Trainer", {}, {}, pipeline="jane.doe@example.com")
    assert command(made, home) == 1
    said = capsys.readouterr().err
    assert "execution 6 of the store: run.name" in said
    assert "jane.doe" not in said
    assert not list(AuditFolder(home).log.rglob("entries/*/*.json"))
    assert command(made, home, "--pipeline", "taxi") == 0


def test_a_store_that_was_changed_since_is_a_finding(
    made: MadeStore, home: Path, capsys: Capture
) -> None:
    asked(made, home, capsys)
    made.change("UPDATE ExecutionProperty SET string_value = 'other' WHERE execution_id = 4")
    for words in ((), ("--dry-run",)):
        assert command(made, home, *words) == 4
        assert "says otherwise of execution 4 than when it was imported as record 3" in (
            capsys.readouterr().err
        )
    assert VerifiedLog.of(home).snapshot.size == 5


def test_an_import_that_was_broken_off_goes_on(made: MadeStore, home: Path) -> None:
    """The notary is real; what fails is the way to it, after two records."""
    with opened_store(made.path) as store:
        history = read_history(store.client)
    said = {"kind": "ml-metadata", "schema_version": 10, "sha256": "cd" * 32}
    with open_notary(home) as notary:
        left = iter(range(2))

        def submit(draft: Any) -> Any:
            if next(left, None) is None:
                raise PlatformError("the notary does not answer", remedy="start it")
            return notary.submit(draft)

        first = Drafts(history, said, "actor-7", notary.records)
        with pytest.raises(PlatformError):
            imported(first, planned(first), submit)
        again = Drafts(history, said, "actor-7", notary.records)
        found = imported(again, planned(again), notary.submit)
    assert [item.is_new for item in found] == [False, False, True, True, True]
    assert [item.index for item in found] == [0, 1, 2, 3, 4]
    assert verify_log(home) == []
