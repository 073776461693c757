"""Drafts that wait: put by many without a lock, recorded in batches, once, by one sequencer."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.audit.client import Notary, connect
from components.audit.draining import drain
from components.audit.folder import AuditFolder
from components.audit.keyring import Keyring
from components.audit.log import Log
from components.audit.notary import LocalNotary, open_notary, utc_now
from components.audit.process import NotaryProcess
from components.audit.proof import require_proof
from components.audit.sequencer import MAX_BATCH
from components.audit.spool import SPOOLED, Spool, folder_spool
from components.audit.storage import PosixStorage
from components.audit.verify import verify_log
from components.core.errors import DataError, IntegrityError, PlatformError, SettingsError

pytestmark = pytest.mark.slow

Draft = Callable[..., dict[str, Any]]
FORK = multiprocessing.get_context("fork")
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}


@pytest.fixture
def spool(home: Path) -> Spool:
    return folder_spool(AuditFolder(home).spool)


@pytest.fixture
def nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No notary answers, and stages spool."""
    monkeypatch.setenv("TANDEM_HOME", str(home))
    monkeypatch.setenv("TANDEM_NOTARY", f"unix:{home}/nobody")
    monkeypatch.setenv("TANDEM_NOTARY_DOWN", "spool")


def waiting(home: Path) -> list[str]:
    return [name for name, _ in folder_spool(AuditFolder(home).spool).waiting()]


def refused(home: Path) -> list[str]:
    folder = AuditFolder(home).spool / "refused"
    return [json.loads(path.read_bytes())["message"] for path in sorted(folder.glob("*"))]


def put_all(home: Path, drafts: list[dict[str, Any]]) -> None:
    for draft in drafts:
        folder_spool(AuditFolder(home).spool).put(json.dumps(draft).encode())


def test_drafts_of_many_processes_are_recorded_once_with_one_checkpoint_a_batch(
    home: Path, draft: Draft
) -> None:
    drafts = [draft("FAIL", attempt=i, cause=CAUSE) for i in range(1, MAX_BATCH + 7)]
    writers = [FORK.Process(target=put_all, args=(home, drafts)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with open_notary(home) as notary:
        assert sorted(view.attempt for view in notary.records("run-1")) == [
            *range(1, MAX_BATCH + 7)
        ]
    assert waiting(home) == []
    assert list(Log.at(AuditFolder(home)).sizes()) == [0, MAX_BATCH, MAX_BATCH + 6]
    put_all(home, drafts[:3])
    with open_notary(home) as notary:
        assert len(notary.records("run-1")) == MAX_BATCH + 6
    assert verify_log(home) == []


def test_a_draft_that_breaks_a_rule_is_set_aside_with_the_reason(
    home: Path, draft: Draft, spool: Spool, tmp_path: Path
) -> None:
    lie = {"name": "examples", "sha256": "0" * 64, "path": str(tmp_path)}
    put_all(home, [draft("START"), draft("COMPLETE", outputs=[lie]), {"event": "START"}])
    spool.put(b"not a draft")
    (AuditFolder(home).spool / "waiting" / ("0" * 64)).write_bytes(b"half")
    with open_notary(home) as notary:
        assert [view.event for view in notary.records("run-1")] == ["START"]
    assert waiting(home) == []
    assert sorted(refused(home)) == [
        "it is no draft",
        "it is no draft",
        "output examples of ingest_examples is not what the stage claims",
    ]


def test_a_machine_that_fails_leaves_the_drafts_where_they_are(home: Path, draft: Draft) -> None:
    put_all(home, [draft("START")])
    with open_notary(home):
        pass
    put_all(home, [draft("START", attempt=2)])
    entries = AuditFolder(home).log / "entries" / "000000"
    entries.rename(entries.with_name("away"))
    entries.write_text("no folder")
    with pytest.raises((PlatformError, IntegrityError)), open_notary(home):
        pass
    entries.unlink()
    entries.with_name("away").rename(entries)
    assert len(waiting(home)) == 1
    with open_notary(home) as notary:
        assert [view.attempt for view in notary.records("run-1")] == [1, 2]


def test_a_second_sequencer_loses_cleanly_and_its_draft_goes_in_elsewhere(
    home: Path, draft: Draft, spool: Spool
) -> None:
    """No lock here, as over a bucket: the log itself says who is second."""
    storage, key = PosixStorage(AuditFolder(home).log), Keyring(AuditFolder(home))
    first = LocalNotary(storage, spool, key, utc_now)
    second = LocalNotary(storage, spool, key, utc_now)
    one, two = (draft("FAIL", attempt=attempt, cause=CAUSE) for attempt in (1, 2))
    assert first.submit(one).index == 0
    for _ in range(2):
        with pytest.raises(PlatformError, match="this one has lost"):
            second.submit(two)
    assert verify_log(home) == []
    assert first.submit(two).index == 1
    assert list(Log(storage).indexes()) == [0, 1]
    assert verify_log(home) == []


def test_a_stage_whose_notary_is_down_stops_unless_it_is_told_to_spool(
    home: Path, nobody: None, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooling = connect()
    assert spooling is not None
    assert spooling.submit(draft("START")).record == f"{SPOOLED}{waiting(home)[0]}"
    with pytest.raises(PlatformError, match="does not answer"):
        spooling.prove(["0" * 64])
    monkeypatch.setenv("TANDEM_NOTARY_DOWN", "stop")
    with pytest.raises(PlatformError, match="does not answer"):
        connect()
    monkeypatch.setenv("TANDEM_NOTARY_DOWN", "forget")
    with pytest.raises(SettingsError, match="TANDEM_NOTARY_DOWN is forget"):
        connect()


@pytest.mark.parametrize(
    "parts", [{"cause": {**CAUSE, "message": "ask ann" + "@example.org"}}, {"colour": "red"}]
)
def test_what_the_notary_would_refuse_by_its_words_is_not_put_aside(
    home: Path, nobody: None, draft: Draft, parts: dict[str, Any]
) -> None:
    spooling = connect()
    assert spooling is not None
    with pytest.raises(DataError):
        spooling.submit({**draft("FAIL", cause=CAUSE), **parts})
    assert waiting(home) == []


def put_rows_aside(
    spooling: Notary, draft: Draft, artifact: Callable[[Path, Any], str], folder: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Spool that rows were made; return what is claimed of them, and the input that they are."""
    claim = {"name": "examples", "sha256": artifact(folder, "rows"), "path": str(folder)}
    made = spooling.submit(draft("COMPLETE", outputs=[claim])).record
    return claim, {"name": "examples", "sha256": claim["sha256"], "record": made}


def test_what_was_spooled_is_recorded_later_and_named_by_what_stands_on_it(
    home: Path, nobody: None, draft: Draft, artifact: Callable[[Path, Any], str], tmp_path: Path
) -> None:
    spooling = connect()
    assert spooling is not None
    spooling.submit(draft("START"))
    claim, examples = put_rows_aside(spooling, draft, artifact, tmp_path / "a")
    made = examples["record"]
    spooling.submit(draft("START", "validate_examples", inputs=[examples]))
    origin = {"origin": {"examples": made}}
    with NotaryProcess(home) as process:
        notary = Notary(process.address)
        with pytest.raises(IntegrityError, match="not in the log"):
            require_proof(notary, [made])
        cached = notary.submit(draft("CACHED", attempt=2, outputs=[claim], facts=origin)).record
        views = notary.records("run-1")
        assert [view.event for view in views] == ["START", "COMPLETE", "START", "CACHED"]
        assert views[2].parents == views[3].parents == (views[1].record,)
        assert views[3].record == cached
    assert refused(home) == waiting(home) == []


def test_a_notary_at_work_takes_up_what_was_spooled_once_something_stands_on_it(
    notary: LocalNotary,
    home: Path,
    nobody: None,
    draft: Draft,
    artifact: Callable[[Path, Any], str],
    tmp_path: Path,
) -> None:
    spooling = connect()
    assert spooling is not None
    notary.submit(draft("START"))
    _, examples = put_rows_aside(spooling, draft, artifact, tmp_path / "a")
    notary.submit(draft("START", "validate_examples", inputs=[examples]))
    views = notary.records("run-1")
    assert [view.event for view in views] == ["START", "COMPLETE", "START"]
    assert views[2].parents == (views[1].record,)
    assert refused(home) == waiting(home) == []


def test_what_an_account_is_handing_in_is_left_to_it(
    notary: LocalNotary, home: Path, spool: Spool, draft: Draft
) -> None:
    put_all(home, [draft("START")])
    drain(spool, notary._admit, waiting(home))
    assert notary.records("run-1") == []
    assert len(waiting(home)) == 1
    drain(spool, notary._admit)
    assert len(notary.records("run-1")) == 1


def test_closing_a_run_takes_up_how_its_stages_ended_before_it_aborts_any(
    notary: LocalNotary, home: Path, nobody: None, draft: Draft
) -> None:
    spooling = connect()
    assert spooling is not None
    notary.submit(draft("START"))
    spooling.submit(draft("FAIL", cause=CAUSE))
    spooling.submit(draft("START", "seal_run"))
    assert notary.close_run("run-1", "FAILED") == []
    assert {view.event for view in notary.records("run-1")} == {"START", "FAIL"}
    assert waiting(home) == []


def test_a_draft_that_names_one_still_waiting_is_refused(notary: LocalNotary, draft: Draft) -> None:
    examples = {"name": "examples", "sha256": "1" * 64, "record": SPOOLED + "0" * 64}
    with pytest.raises(Exception, match=r"draft\.json"):
        notary.submit(draft("START", "validate_examples", inputs=[examples]))
