"""A version that is registered a second time: refused by the notary, found by each verifier."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from second_verdict import found_by_second, second

from components.audit.folder import AuditFolder
from components.audit.log_place import spool
from components.audit.notary import open_notary
from components.audit.unrecorded import drafts
from components.audit.verify import verify_log
from components.core.canonical import canonical_json
from components.core.errors import IntegrityError
from pipelines.cli import main

STAGE = "register_models"


INPUTS = ("pytorch_model", "tensorflow_model", "evaluation", "decision")
Draft = Callable[..., dict[str, Any]]
Again = Callable[..., None]


@pytest.fixture
def again(home: Path, new_story: Any, draft: Draft) -> Again:
    return partial(tell_again, home, new_story, draft)


def tell_again(
    home: Path, new_story: Any, draft: Draft, run: dict[str, Any], **changed: Any
) -> None:
    """Tell a run, and its registration once more, of this run and with other facts."""
    with open_notary(home) as notary:
        story = new_story(notary, home / "runs" / "run-1")
        story.tell()
        parts: dict[str, Any] = {"inputs": [story.refs[name] for name in INPUTS], "attempt": 2}
        parts["run"] = draft("START")["run"] | run
        facts = story.facts(STAGE) | changed
        notary.submit(draft("START", STAGE, **parts))
        made = [story.output(STAGE, "registration")]
        notary.submit(draft("COMPLETE", STAGE, outputs=made, facts=facts, **parts))


def test_a_stage_that_is_called_again_may_say_again_what_it_registered(
    home: Path, again: Again
) -> None:
    again({})
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


OTHERS = {
    "another run": {"id": "run-2"},
    "another account": {"actor": "actor-9"},
}


@pytest.mark.parametrize("run", OTHERS.values(), ids=list(OTHERS))
def test_the_notary_registers_no_version_a_second_time(
    home: Path, again: Again, run: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match="registers version 3 of flight-delay again"):
        again(run)


def test_of_two_registrations_of_a_version_that_come_at_once_the_first_counts(
    home: Path, new_story: Any, draft: Draft
) -> None:
    with open_notary(home) as notary:
        story = new_story(BeforeRegistration(notary), home / "runs" / "run-1")
        with pytest.raises(StopIteration):
            story.tell()
        waiting = list(registrations_of_two_runs(story, draft))
        for start, _ in waiting:
            notary.submit(start)
    for _, done in waiting:
        spool(AuditFolder(home)).put(canonical_json(done))
    with open_notary(home) as notary:  # which takes both up together
        made = [view.event for run in ("run-1", "run-2") for view in notary.records(run)[-1:]]
    assert made == ["COMPLETE", "START"]
    assert "registers version 3 of flight-delay again" in str(drafts(home).refused[0].reason)
    assert {item.check for item in verify_log(home)} == {"open"}


class BeforeRegistration:
    """A notary that a run goes on with until it is to register."""

    def __init__(self, notary: Any) -> None:
        self._notary = notary

    def submit(self, draft: dict[str, Any]) -> Any:
        if draft["stage"] == STAGE:
            raise StopIteration
        return self._notary.submit(draft)


def registrations_of_two_runs(
    story: Any, draft: Draft
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield START and COMPLETE of two runs that register the same versions."""
    made = [story.output(STAGE, "registration")]
    for run, place in (("run-1", 1), ("run-2", 2)):
        parts: dict[str, Any] = {"inputs": [story.refs[name] for name in INPUTS]}
        parts["claimed_time"] = f"2026-05-04T03:00:0{place}.000Z"
        parts["run"] = draft("START")["run"] | {"id": run}
        done = draft("COMPLETE", STAGE, outputs=made, facts=story.facts(STAGE), **parts)
        yield draft("START", STAGE, **parts), done


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("run", OTHERS.values(), ids=list(OTHERS))
def test_a_version_that_was_registered_a_second_time_is_found(
    home: Path, again: Again, run: dict[str, Any]
) -> None:
    again(run)
    found = {(item.check, item.where) for item in verify_log(home)}
    assert ("registration", "entry 19") in found
    assert "registers ('flight-delay', '3') again" in found_by_second(home)


def test_a_version_with_the_number_of_another_model_is_another_version(
    home: Path, again: Again
) -> None:
    again({"id": "run-2"}, model_name="other")
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize(
    "words", ["trace {}@3", "approvals {}@3", "diff 3 4", "inventory --at 2100-01-01"]
)
@pytest.mark.parametrize("run", [{}, OTHERS["another run"]], ids=["the same", "another run"])
def test_answers_on_a_version_say_that_it_was_registered_again(
    home: Path,
    again: Again,
    words: str,
    run: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    again(run)
    line = ["audit", *words.format("flight-delay").split(), "--home", str(home), "--json"]
    assert main(line) == (4 if run else 0)
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {(item["check"], item["index"]) for item in found} == (
        {("registration", 19)} if run else set()
    )
