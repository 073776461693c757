"""A run is of the account that opened it: others neither add to it nor have it closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.audit.notary import LocalNotary, open_notary
from components.core.errors import DataError, IntegrityError

Draft = Callable[..., dict[str, Any]]
OURS, THEIRS, KEEPER = "team-a/pipeline", "team-b/pipeline", "tandem/reconciler"
CAUSE = {"kind": "PlatformError", "message": "gone", "remedy": "look"}


def _events(notary: LocalNotary) -> list[tuple[str, str]]:
    return [(view.stage, view.event) for view in notary.records("run-1")]


def _begun(notary: LocalNotary, draft: Draft) -> list[tuple[str, str]]:
    """Have our account begin two stages, of which one is the exit task."""
    notary.submit(draft("START", "train_pytorch"), OURS)
    notary.submit(draft("START", "seal_run"), OURS)
    return _events(notary)


@pytest.mark.parametrize(
    ("event", "stage"),
    [
        ("ABORT", "train_pytorch"),
        ("FAIL", "train_pytorch"),
        ("ABORT", "seal_run"),
        ("START", "train_tensorflow"),
    ],
)
def test_another_account_adds_nothing_to_a_run(
    notary: LocalNotary, draft: Draft, event: str, stage: str
) -> None:
    begun = _begun(notary, draft)
    more = {} if event == "START" else {"cause": CAUSE}
    with pytest.raises(IntegrityError, match=f"run-1 is of {OURS}, and {THEIRS} may not"):
        notary.submit(draft(event, stage, **more), THEIRS)
    assert _events(notary) == begun
    notary.submit(draft(event, stage, **more), OURS)
    assert _events(notary) == [*begun, (stage, event)]


def test_another_account_closes_no_run(notary: LocalNotary, draft: Draft) -> None:
    begun = _begun(notary, draft)
    with pytest.raises(IntegrityError, match=f"{THEIRS} may not add to it or close it"):
        notary.close_run("run-1", "FAILED", THEIRS)
    assert _events(notary) == begun
    closed = notary.close_run("run-1", "FAILED", OURS)
    assert [(view.stage, view.event) for view in closed] == [("train_pytorch", "ABORT")]


def test_a_run_whose_exit_task_did_not_begin_is_closed_by_nobody(
    notary: LocalNotary, draft: Draft
) -> None:
    notary.submit(draft("START", "train_pytorch"))
    with pytest.raises(IntegrityError, match="its exit task has not begun"):
        notary.close_run("run-1", "FAILED")
    with pytest.raises(DataError, match="no state of a run"):
        notary.close_run("run-1", "no state")
    assert _events(notary) == [("train_pytorch", "START")]


def test_whose_a_run_is_the_next_notary_knows_too(home: Path, draft: Draft) -> None:
    with open_notary(home) as notary:
        notary.submit(draft("START", "ingest_examples"))  # as from the spool: nobody vouched
        begun = _begun(notary, draft)
    with open_notary(home) as notary:
        with pytest.raises(IntegrityError, match=f"run-1 is of {OURS}"):
            notary.submit(draft("FAIL", "train_pytorch", cause=CAUSE), THEIRS)
        assert _events(notary) == begun


def test_a_reconciler_closes_what_others_left_open_and_does_nothing_else(
    home: Path, draft: Draft
) -> None:
    with open_notary(home, reconcilers=[KEEPER]) as notary:
        begun = _begun(notary, draft)
        with pytest.raises(IntegrityError, match=f"{KEEPER} may not"):
            notary.submit(draft("FAIL", "train_pytorch", cause=CAUSE), KEEPER)
        with pytest.raises(IntegrityError, match=f"{KEEPER} may not"):
            notary.submit(draft("START", "train_tensorflow"), KEEPER)
        assert _events(notary) == begun
        notary.submit(draft("ABORT", "train_pytorch", cause=CAUSE), KEEPER)
        notary.submit(draft("START", "seal_run", attempt=2), KEEPER)
        notary.submit(draft("ABORT", "seal_run", attempt=2, cause=CAUSE), KEEPER)
        assert len(_events(notary)) == len(begun) + 3


def test_where_nobody_vouches_all_are_one(notary: LocalNotary, draft: Draft) -> None:
    _begun(notary, draft)
    notary.submit(draft("FAIL", "train_pytorch", cause=CAUSE))
    assert _events(notary)[-1] == ("train_pytorch", "FAIL")
