"""Whose a run is: no other account adds a stage's record to it, or has it closed.

Why: whoever may hand in records at all could otherwise end a run of others as failed, or write the
closing record in the place of its exit task.

Rules: a run is of the first account that was vouched for when a record of one of its stages came;
a reconciler closes what others left open, which is the ABORT of a START or, in a run that has no
closing record, the START of the exit task, and does nothing else: no run is ever its own; what a
person does to a version, and an import, is of no run's account. Where nobody vouches, all who reach
the notary are one, and so is what comes from the spool, which names no account: those records say
self-asserted, and a run that has no others yet goes to the first account after them. The pods of
one account are one to the cluster, and here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from components.audit.acts import Statement
from components.audit.answers import AUDIT, CLOSED_EVENTS
from components.audit.ledger import Ledger
from components.audit.left_open import sealed_runs
from components.core.errors import IntegrityError
from components.core.stage_names import SEALING

LIMIT = 10_000
"""Runs kept in mind, more than one batch can hold; of any other the log is asked again."""


class RunAccounts:
    """The accounts of one log's runs; called under the notary's mutex."""

    def __init__(
        self,
        ledger: Ledger,
        statement: Callable[[str], Statement],
        reconcilers: Collection[str] = (),
    ) -> None:
        self._ledger = ledger
        self._statement = statement
        self._reconcilers = frozenset(reconcilers)
        self._known: dict[str, str] = {}

    def require(self, draft: Mapping[str, Any], account: str | None) -> None:
        """Raise IntegrityError for a draft of a run of another account; else it is this one's."""
        if account is None:
            return
        run = str(draft["run"]["id"])
        if account in self._reconcilers:
            self._require_left_open(draft, account)
        elif draft["event"] not in CLOSED_EVENTS:
            self._require_same(run, account)
            self._keep(run, account)

    def require_closing(self, run: str, account: str | None) -> None:
        """Raise IntegrityError where an account may not have a run closed."""
        if account is not None and account not in self._reconcilers:
            self._require_same(run, account)

    def _require_left_open(self, draft: Mapping[str, Any], account: str) -> None:
        """Raise IntegrityError for a reconciler's draft that closes nothing which is open."""
        run, event, stage = str(draft["run"]["id"]), draft["event"], draft["stage"]
        views = self._ledger.of_run(run)
        if (event, stage) == ("START", SEALING) and views and not sealed_runs(views):
            return
        if event == "ABORT" and self._ledger.open_start(run, stage, draft["attempt"]):
            return
        raise IntegrityError(
            f"{account} may not add {event} of {stage} to run {run}: it closes what others left "
            "open, and does nothing else",
            remedy="hand it in as an account that the notary was started with as --allow",
        )

    def _require_same(self, run: str, account: str) -> None:
        opened = self._opened(run)
        if opened in (None, account):
            return
        raise IntegrityError(
            f"run {run} is of {opened}, and {account} may not add to it or close it",
            remedy="hand it in as the account that opened the run; or, to close what was left "
            "open, as one that the notary was started with as --reconciler",
            expected=opened,
            actual=account,
        )

    def _opened(self, run: str) -> str | None:
        """Return the account of a run, None where nobody was vouched for yet."""
        if run not in self._known:
            for view in self._ledger.of_run(run):
                actor = self._statement(view.record)["predicate"][AUDIT]["actor"]
                if view.event not in CLOSED_EVENTS and self._owns(actor.get("account")):
                    self._keep(run, str(actor["account"]))
                    break
        return self._known.get(run)

    def _owns(self, account: str | None) -> bool:
        return account is not None and account not in self._reconcilers

    def _keep(self, run: str, account: str) -> None:
        """Keep whose a run is in mind, in the place of the run that has been there longest."""
        if run not in self._known and len(self._known) >= LIMIT:
            del self._known[next(iter(self._known))]
        self._known[run] = account
