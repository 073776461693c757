"""What the notary must not sign although its form is right: by what the log says so far.

Rules: an act is recorded only where it may be (standing.py), and a registration only where every
gate behind it was passed or waived (failed_gates.py) and none was left out (left_out.py), and of no
version that is registered already (registered_once.py). The verifier asks the same afterwards, of a
log whose notary did not. A stage's record is taken from its run's account alone (run_account.py),
which nobody asks afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components.audit.acts import Act, Statement
from components.audit.answers import ACT, AUDIT, DONE_EVENTS, RecordView
from components.audit.failed_gates import FailedGates
from components.audit.ledger import Ledger
from components.audit.left_out import left_out
from components.audit.registered_once import RegisteredOnce, registered_in
from components.audit.run_account import RunAccounts
from components.audit.standing import standing_of
from components.core.errors import IntegrityError
from components.core.stage_names import REGISTERING


class Admission:
    """Judges statements by one log; called under the notary's mutex."""

    def __init__(
        self,
        ledger: Ledger,
        statement: Callable[[str], Statement],
        require_valid: Callable[[str], None],
        accounts: RunAccounts,
    ) -> None:
        self._ledger = ledger
        self._statement = statement
        self._require_valid = require_valid
        self._accounts = accounts

    def require(self, draft: Mapping[str, Any], value: Statement) -> None:
        """Raise IntegrityError for the statement of a draft that must not be signed."""
        if draft["event"] == ACT:
            self._require_allowed(value)
        elif draft["event"] in DONE_EVENTS and draft["stage"] == REGISTERING:
            self._require_passed(value)
            self._require_new(value)
        self._accounts.require(draft, value["predicate"][AUDIT]["actor"].get("account"))

    def _require_allowed(self, value: Statement) -> None:
        standing = standing_of(self._ledger.acts(), self._statement, self._require_valid)
        for problem in standing.problems(Act.from_statement(value, "")):
            raise IntegrityError(
                f"the notary does not record this act: {problem}",
                remedy="see where the version stands with `tandem audit approvals`",
            )

    def _require_passed(self, value: Statement) -> None:
        view = RecordView.from_statement(value, -1, "")
        gates, behind = FailedGates(), self._ledger.with_ancestors(view.parents)
        for before in behind:
            gates.take(before)
        for problem in gates.problems(view):
            raise IntegrityError(
                f"the notary does not record this registration: {problem}",
                remedy="see the gates with `tandem audit gates --failed`; waive one, or train anew",
            )
        named = [(f"entry {item.index}", self._statement(item.record)) for item in behind]
        for where, statement in [*named, ("the registration", value)]:
            for problem in left_out(statement, self._statement):
                raise IntegrityError(
                    f"the notary does not record this registration: of {where}: {problem}",
                    remedy="see the gates with `tandem audit gates`; have the stage judge all",
                )

    def _require_new(self, value: Statement) -> None:
        once, wanted = (
            RegisteredOnce(),
            {named for named, _ in registered_in(value["predicate"][AUDIT]["facts"])},
        )
        for view in self._ledger.done_by(REGISTERING):
            if wanted.isdisjoint(named for named, _ in registered_in(view.facts)):
                continue  # so that the log's other registrations are not read again
            once.take(self._statement(view.record), view.index)
        for problem in once.problems(value):
            raise IntegrityError(
                f"the notary does not record this registration: {problem}",
                remedy="if MLflow lost the registered model, restore its database, or register "
                "under another name",
            )
