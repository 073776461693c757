"""Whose a run is: no other account adds a stage's record to it, or has it closed.

Why: whoever may hand in records at all could otherwise end a run of others as failed, or write the
closing record in the place of its exit task.

Rules: a run is of the first account that was vouched for when a record of one of its stages came;
a reconciler may close what others left open, which is an ABORT or the START of the exit task, and
nothing else; what a person does to a version, and an import, is of no run's account. Where nobody
vouches, all who reach the notary are one, and so is what comes from the spool, which names no
account: those records say self-asserted. The pods of one account are one to the cluster, and here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from components.audit.acts import Statement
from components.audit.answers import AUDIT, CLOSED_EVENTS
from components.audit.ledger import Ledger
from components.core.errors import IntegrityError
from components.core.stage_names import SEALING


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
        if account is None or draft["event"] in CLOSED_EVENTS:
            return
        run = str(draft["run"]["id"])
        self._require_same(run, account, closes=_closes(draft))
        self._known.setdefault(run, account)

    def require_closing(self, run: str, account: str | None) -> None:
        """Raise IntegrityError where an account may not have a run closed."""
        if account is not None:
            self._require_same(run, account, closes=True)

    def _require_same(self, run: str, account: str, *, closes: bool) -> None:
        opened = self._opened(run)
        if opened in (None, account) or (closes and account in self._reconcilers):
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
                if view.event not in CLOSED_EVENTS and "account" in actor:
                    self._known[run] = str(actor["account"])
                    break
        return self._known.get(run)


def _closes(draft: Mapping[str, Any]) -> bool:
    return draft["event"] == "ABORT" or (draft["event"], draft["stage"]) == ("START", SEALING)
