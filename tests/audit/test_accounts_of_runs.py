"""A run is of the account that opened it: others neither add to it nor have it closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from second_verdict import found_by_second

from components.audit.answers import AUDIT
from components.audit.envelope import vouched_statement
from components.audit.ledger import Ledger
from components.audit.notary import LocalNotary, open_notary
from components.audit.run_account import LIMIT, RunAccounts
from components.audit.verify import verify_log
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


@pytest.mark.parametrize("restarts", [False, True])
def test_a_run_that_a_reconciler_closed_is_not_its_own(
    home: Path, draft: Draft, restarts: bool
) -> None:
    with open_notary(home, reconcilers=[KEEPER]) as notary:
        notary.submit(draft("START", "ingest_examples"))  # as from the spool: nobody vouched
        notary.submit(draft("ABORT", "ingest_examples", cause=CAUSE), KEEPER)
        notary.submit(draft("START", "seal_run"), KEEPER)
        if not restarts:
            _require_that_it_goes_on_as_ours(notary, draft)
    if restarts:
        with open_notary(home, reconcilers=[KEEPER]) as notary:
            _require_that_it_goes_on_as_ours(notary, draft)


def _require_that_it_goes_on_as_ours(notary: LocalNotary, draft: Draft) -> None:
    closed = _events(notary)
    with pytest.raises(IntegrityError, match=f"{KEEPER} may not add START of train_pytorch"):
        notary.submit(draft("START", "train_pytorch"), KEEPER)
    with pytest.raises(IntegrityError, match=f"{KEEPER} may not add FAIL of seal_run"):
        notary.submit(draft("FAIL", "seal_run", cause=CAUSE), KEEPER)
    assert _events(notary) == closed
    notary.submit(draft("START", "train_pytorch"), OURS)
    with pytest.raises(IntegrityError, match=f"run-1 is of {OURS}, and {THEIRS} may not"):
        notary.submit(draft("FAIL", "train_pytorch", cause=CAUSE), THEIRS)
    notary.submit(draft("ABORT", "train_pytorch", cause=CAUSE), KEEPER)
    assert _events(notary)[-2:] == [("train_pytorch", "START"), ("train_pytorch", "ABORT")]


def test_a_reconciler_opens_no_run_and_ends_nothing_twice(home: Path, draft: Draft) -> None:
    with open_notary(home, reconcilers=[KEEPER]) as notary:
        for event, more in (("START", {}), ("ABORT", {"cause": CAUSE})):
            with pytest.raises(IntegrityError, match=f"{KEEPER} may not add {event} of seal_run"):
                notary.submit(draft(event, "seal_run", **more), KEEPER)
        notary.submit(draft("START", "seal_run"), OURS)
        notary.submit(draft("ABORT", "seal_run", cause=CAUSE), KEEPER)
        sealed = _events(notary)
        for event, attempt, more in (
            ("START", 2, {}),
            ("ABORT", 1, {"cause": CAUSE | {"kind": "x"}}),
        ):
            with pytest.raises(IntegrityError, match=f"{KEEPER} may not add {event} of seal_run"):
                notary.submit(draft(event, "seal_run", attempt=attempt, **more), KEEPER)
        assert _events(notary) == sealed
        notary.submit(draft("START", "seal_run", attempt=2), OURS)
        assert _events(notary) == [*sealed, ("seal_run", "START")]


def test_a_reconciler_does_nothing_to_a_version(draft: Draft) -> None:
    accounts = RunAccounts(Ledger(), _unread, [KEEPER])
    with pytest.raises(IntegrityError, match=f"{KEEPER} may not add ACT of promote_model"):
        accounts.require(draft("ACT", "promote_model"), KEEPER)
    accounts.require(draft("ACT", "promote_model"), THEIRS)


def test_who_has_a_run_closed_is_named_and_it_is_theirs_then(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    notary.submit(draft("START", "train_pytorch"))  # as from the spool: nobody vouched
    notary.submit(draft("START", "seal_run"))
    [closed] = notary.close_run("run-1", "FAILED", OURS)
    leaf = notary._log.entry(closed.index).leaf
    assert vouched_statement(leaf)["predicate"][AUDIT]["actor"]["account"] == OURS
    assert verify_log(home) == []
    assert found_by_second(home) == "never closed: [1]"  # the exit task, which nobody serves there
    with pytest.raises(IntegrityError, match=f"run-1 is of {OURS}"):
        notary.submit(draft("ABORT", "seal_run", cause=CAUSE), THEIRS)


def test_of_many_runs_few_are_kept_in_mind_and_of_the_others_the_log_is_asked(
    notary: LocalNotary, draft: Draft
) -> None:
    kept = notary._accounts._known
    mine = draft("START")
    notary.submit(mine, OURS)
    for number in range(LIMIT):
        notary._accounts.require(mine | {"run": mine["run"] | {"id": f"other-{number}"}}, THEIRS)
    assert len(kept) == LIMIT
    assert "run-1" not in kept
    with pytest.raises(IntegrityError, match=f"run-1 is of {OURS}"):
        notary.submit(draft("FAIL", cause=CAUSE), THEIRS)
    notary.submit(draft("FAIL", cause=CAUSE), OURS)
    assert len(kept) == LIMIT


def _unread(record: str) -> dict[str, Any]:
    raise AssertionError(record)


def test_where_nobody_vouches_all_are_one(notary: LocalNotary, draft: Draft) -> None:
    _begun(notary, draft)
    notary.submit(draft("FAIL", "train_pytorch", cause=CAUSE))
    assert _events(notary)[-1] == ("train_pytorch", "FAIL")
