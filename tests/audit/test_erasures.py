"""Erasing a run's artifacts: the log verifies as before, and absence without a record does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from second_verdict import found_by_second, second

from components.audit.artifacts import RUN_FILE
from components.audit.closing import close
from components.audit.erasures import (
    FILE,
    FOLDER,
    OUTPUT,
    erasure_draft,
    folder_of,
    write_erasure,
)
from components.audit.export.verify import main as verify_export
from components.audit.ledger import open_starts
from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.core.artifacts import ArtifactRef, read_json, tree_digest, write_json
from pipelines.cli import main
from pipelines.cli.verdicts import verdicts
from pipelines.home import Home
from pipelines.recorded import RecordedArtifacts
from pipelines.runs import find_run

pytestmark = pytest.mark.slow
TIME = "2026-05-12T10:00:00.000+00:00"
WHY = ("--reason", "request of 12 May")


def place(home: Path, name: str = "statistics", stage: str = "validate_examples") -> Path:
    return home / "runs/run-1/artifacts" / stage / name


def ask(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any]:
    code = main(["audit", *words, "--json", "--home", str(home)])
    return code, json.loads(capsys.readouterr().out)


def findings(capsys: pytest.CaptureFixture[str], home: Path) -> set[tuple[str, str]]:
    """Return what the verifier finds; the second one, which stops at the first, finds one of it."""
    code, answer = ask(capsys, home, "verify")
    assert code == (4 if answer["findings"] else 0)
    found = {(item["check"], item["where"]) for item in answer["findings"]}
    if found:
        told = found_by_second(home, home / "runs").partition(": ")[0]
        places = {"never closed" if check == "open" else where for check, where in found}
        assert told in places
    else:
        assert "checkpoints verify" in second(home, home / "runs")
    return found


def test_erased_statistics_are_told_as_erased_and_are_no_finding(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert findings(capsys, recorded) == set()
    code, answer = ask(capsys, recorded, "erase", "run-1", "statistics", *WHY)
    assert code == 0
    assert not place(recorded).exists()
    (item,) = answer["erased"]
    view = VerifiedLog.of(recorded).views[-1]
    assert (view.index, view.record) == (answer["index"], answer["record"])
    assert (view.stage, view.event, item["record"] in view.parents) == (
        "erase_artifacts",
        "COMPLETE",
        True,
    )
    code, verified = ask(capsys, recorded, "verify")
    said = {"run": "run-1", "was_gone": False, **item}
    said["erasure"] = {"index": view.index, "record": view.record}
    assert (code, verified["findings"], verified["erased"]) == (0, [], [said])
    assert main(["audit", "verify", "--home", str(recorded)]) == 0
    printed = capsys.readouterr().out
    assert "erased on purpose: run-1/statistics\n" in printed
    assert "the log verifies: no finding" in printed


def test_a_run_of_which_something_was_erased_stays_closed_and_a_retry_of_it_does_not(
    recorded: Path, draft: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = {"runs_started": 1, "runs_closed": 1, "unclosed": []}
    for erased in ((), ("statistics",), ("validation",)):
        if erased:
            assert ask(capsys, recorded, "erase", "run-1", *erased, *WHY)[0] == 0
        code, answer = ask(capsys, recorded, "inventory", "--at", "2027-01-01")
        said = answer["completeness"]
        assert (code, {name: said[name] for name in closed}) == (0, closed)
    with open_notary(recorded) as notary:
        notary.submit(draft("START", "train_pytorch", attempt=2))
        answer = ask(capsys, recorded, "inventory", "--at", "2027-01-01")[1]
        assert answer["completeness"]["unclosed"] == ["run-1"]


def test_the_registrys_copies_of_what_was_erased_are_named(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, recorded, "erase", "run-1", "statistics", *WHY)
    assert (code, answer["copies"]) == (0, [])
    code, answer = ask(capsys, recorded, "erase", "run-1", "pytorch_model", "evaluation", *WHY)
    assert (code, answer["copies"]) == (
        0,
        [
            "evaluation of flight-delay@3 in the registry",
            "evaluation of flight-delay@4 in the registry",
            "pytorch_model of flight-delay@3 in the registry",
        ],
    )


def test_statistics_that_are_gone_without_a_record_are_a_finding(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(place(recorded))
    assert findings(capsys, recorded) == {("artifact", "run-1/statistics")}
    words = ("erase", "run-1", "statistics", "validation", *WHY)
    code, answer = ask(capsys, recorded, *words)
    assert (code, answer["gone_before"]) == (0, ["statistics"])
    assert findings(capsys, recorded) == set()
    assert main(["audit", "verify", "--home", str(recorded)]) == 0
    printed = capsys.readouterr().out
    assert "erased on purpose: run-1/statistics, which was gone before\n" in printed
    assert "erased on purpose: run-1/validation\n" in printed


def test_an_erasure_excuses_what_it_names_and_no_other_bytes_in_its_place(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(capsys, recorded, "erase", "run-1", "statistics", *WHY)
    shutil.rmtree(place(recorded, "validation"))
    write_json(place(recorded) / "content.json", {"statistics": "nicer ones"})
    assert findings(capsys, recorded) == {
        ("artifact", "run-1/statistics"),
        ("artifact", "run-1/validation"),
    }


def test_an_erasure_that_was_written_by_hand_or_changed_excuses_and_tells_nothing(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(capsys, recorded, "erase", "run-1", "statistics", *WHY)
    file = recorded / "runs/run-1" / FOLDER / "1" / FILE
    more = read_json(recorded / "runs/run-1" / RUN_FILE)["tasks"]["validate_examples"]["outputs"]
    record = more["validation"]["metadata"]["record"]
    shutil.rmtree(place(recorded, "validation"))
    said = read_json(file)
    said["erased"].append({"name": "validation", "sha256": "0" * 64, "record": record})
    own = file.parents[1] / "2" / FILE
    write_json(own, said)
    missing = ("artifact", "run-1/validation")
    assert findings(capsys, recorded) == {missing, ("artifact", "run-1/erasures/2")}
    told = [item["name"] for item in ask(capsys, recorded, "verify")[1]["erased"]]
    assert told == ["statistics"]
    shutil.rmtree(own.parent)
    write_json(file, said)
    assert findings(capsys, recorded) == {missing, ("artifact", "run-1/erasures/1")}
    shutil.rmtree(file.parents[1])
    assert findings(capsys, recorded) == {missing, ("artifact", "run-1/erasures/1")}


def test_an_erasure_excuses_what_its_record_names_whatever_its_file_says(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may hand in records can hand in one whose file says more than its inputs."""
    tasks = read_json(recorded / "runs/run-1" / RUN_FILE)["tasks"]
    stored = tasks["validate_examples"]["outputs"]
    refs = [ArtifactRef(n, stored[n]["sha256"], stored[n]["metadata"]["record"]) for n in stored]
    run = {"id": "run-1", "actor": "actor-7", "trigger": "manual"}
    folder = folder_of(recorded / "runs/run-1", 1)
    with open_notary(recorded) as notary:
        one = [ref for ref in refs if ref.name == "statistics"]
        said = (run, 1, one, "request", [])
        notary.submit(erasure_draft("START", *said, now=TIME))
        write_erasure(folder, refs)
        claim = {"name": OUTPUT, "sha256": tree_digest(folder), "path": str(folder)}
        notary.submit(erasure_draft("COMPLETE", *said, now=TIME, outputs=[claim]))
    assert findings(capsys, recorded) == set()
    shutil.rmtree(place(recorded))
    shutil.rmtree(place(recorded, "validation"))
    assert findings(capsys, recorded) == {("artifact", "run-1/validation")}


def test_what_is_not_as_recorded_is_kept_for_the_auditor(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(place(recorded) / "content.json", {"statistics": "others"})
    records = len(VerifiedLog.of(recorded).views)
    code, answer = ask(capsys, recorded, "erase", "run-1", "validation", "statistics", *WHY)
    assert (code, answer["error"]["kind"]) == (4, "IntegrityError")
    assert place(recorded).exists() and place(recorded, "validation").exists()
    assert len(VerifiedLog.of(recorded).views) == records


@pytest.mark.parametrize("elsewhere", ["../../../outside", "artifacts/none"])
def test_a_path_that_run_json_was_made_to_name_is_not_followed(
    recorded: Path, elsewhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = Path(shutil.copytree(place(recorded), recorded.parent / "outside"))
    file = recorded / "runs/run-1" / RUN_FILE
    value = read_json(file)
    value["tasks"]["validate_examples"]["outputs"]["statistics"]["path"] = elsewhere
    write_json(file, value)
    assert ask(capsys, recorded, "erase", "run-1", "statistics", *WHY)[0] == 2
    assert outside.exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("run-1", "weights", *WHY), "run run-1 has no recorded artifact weights"),
        (("run-9", "statistics", *WHY), "run-9"),
        (("run-1", "statistics", "--reason", "  "), "--reason"),
    ],
)
def test_words_that_name_nothing_erase_nothing(
    recorded: Path, words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, recorded, "erase", *words)
    assert code == 2
    assert why in answer["error"]["message"]
    assert place(recorded).exists()


def test_a_reason_that_names_a_person_is_refused_before_anything_is_erased(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = ("--reason", "ann.example@mail.example asked")
    code, answer = ask(capsys, recorded, "erase", "run-1", "statistics", *reason)
    assert code == 2
    assert answer["error"]["kind"] == "SettingsError"
    assert place(recorded).exists()
    assert findings(capsys, recorded) == set()


def test_copies_in_other_runs_are_named(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Path(shutil.copytree(recorded / "runs/run-1", recorded / "runs/run-2"))
    value = read_json(other / RUN_FILE)
    value["run"]["id"] = "run-2"
    write_json(other / RUN_FILE, value)
    assert main(["audit", "erase", "run-1", "statistics", *WHY, "--home", str(recorded)]) == 0
    assert "the same bytes are still there: run-2/statistics" in capsys.readouterr().out
    assert not place(recorded).exists()


def test_an_erasure_that_a_crash_cut_off_is_seen_and_completed_when_called_again(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(BaseException):
        """The process ends here."""

    remove = shutil.rmtree

    def remove_and_stop(path: Path, **how: Any) -> None:
        remove(path, **how)
        if path == place(recorded):
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", remove_and_stop)
        with pytest.raises(Stopped):
            main(["audit", "erase", "run-1", "statistics", *WHY, "--home", str(recorded)])
    begun = ("open", f"entry {len(VerifiedLog.of(recorded).views) - 1}")
    assert findings(capsys, recorded) == {("artifact", "run-1/statistics"), begun}
    unfinished = recorded / "runs/run-1" / FOLDER / "1" / FILE  # a later crash leaves it
    write_json(unfinished, {"erased": []})
    assert ask(capsys, recorded, "erase", "run-1", "statistics", *WHY)[0] == 0
    assert not unfinished.exists()
    assert findings(capsys, recorded) == {begun}
    with open_notary(recorded) as notary:
        log = VerifiedLog.of(recorded)
        close(notary, log, open_starts(log.views))
    assert findings(capsys, recorded) == set()


def with_names_of_tasks(home: Path) -> None:
    """Have the told run's decision lie where a run's own executor puts it."""
    file = home / "runs/run-1" / RUN_FILE
    value = read_json(file) | {"exit_code": 0, "started": TIME, "ended": TIME}
    decision = value["tasks"].pop("decide_release")
    value["tasks"]["decide-release"] = decision
    decision["outputs"]["decision"]["path"] = "artifacts/decide-release/decision"
    write_json(file, value)
    artifacts = file.parent / "artifacts"
    (artifacts / "decide_release").rename(artifacts / "decide-release")


def test_a_version_whose_artifacts_were_erased_is_exported_and_says_so(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_names_of_tasks(recorded)
    assert findings(capsys, recorded) == set()
    packed = tmp_path / "version.zip"
    words = ("export", "flight-delay@3", "-o", str(packed))
    shutil.rmtree(place(recorded, "decision", "decide-release"))
    assert ask(capsys, recorded, *words)[0] == 4
    assert not packed.exists()
    assert ask(capsys, recorded, "erase", "run-1", "decision", *WHY)[0] == 0
    code, answer = ask(capsys, recorded, *words)
    assert code == 0
    index = len(VerifiedLog.of(recorded).views) - 1
    assert f"erased on purpose, as record {index} says" in answer["absent"]["decision"]
    assert verify_export([str(packed)]) == 0


def test_an_erased_artifact_whose_bytes_did_not_come_again_is_not_compared(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_names_of_tasks(recorded)
    home = Home.at(str(recorded))

    def judged() -> Any:
        found = RecordedArtifacts.of(find_run(home, "run-1"), home)
        view = found.records["decide_release"]
        other = replace(view, outputs={"decision": "0" * 64})
        made = replace(found, records={"decide_release": other})
        return next(item for item in verdicts(found, made) if item.artifact == "decision")

    assert judged().is_finding
    ask(capsys, recorded, "erase", "run-1", "decision", *WHY)
    assert (judged().is_finding, judged().is_open) == (False, True)
    assert "erased on purpose" in judged().why
