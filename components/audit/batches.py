"""Many who submit at once, written together: one checkpoint for all who wait.

Rules: whoever gets the mutex first writes for those who came meanwhile (group commit), in the order
in which they came; everyone is answered only when the record is in the log under a checkpoint, or
with the error that is theirs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components.audit.answers import ACT, DONE_EVENTS, Receipt
from components.audit.sequencer import MAX_BATCH
from components.core.errors import PlatformError, TandemError
from components.core.stage_names import REGISTERING

Draft = Mapping[str, Any]


class Ticket:
    """A draft on its way, and what becomes of it: a receipt once it is stored, or an error."""

    def __init__(self, draft: Draft, account: str | None = None) -> None:
        self.draft, self.account = draft, account
        self.receipt: Receipt | None = None
        self.error: TandemError | None = None
        self.answered = False

    def result(self) -> Receipt:
        """Return the receipt; raise the error."""
        if self.error is None and self.receipt is not None:
            return self.receipt
        raise self.error or PlatformError(
            "the notary failed while it recorded this", remedy="submit it again"
        )


class Batches:
    """Those who wait for the one who writes; `write` is called with the mutex held."""

    def __init__(self, write: Callable[[Sequence[Ticket]], None], mutex: threading.Lock) -> None:
        self._write = write
        self._mutex = mutex
        self._waiting: deque[Ticket] = deque()

    def submit(self, draft: Draft, account: str | None = None) -> Receipt:
        """Wait until a draft of an account is written, by whomever; return its receipt.

        Raises the draft's own error.
        """
        ticket = Ticket(draft, account)
        self.admit([ticket])
        return ticket.result()

    def admit(self, tickets: Sequence[Ticket]) -> None:
        """Wait until all tickets are answered."""
        self._waiting.extend(tickets)
        with self._mutex:
            while not all(ticket.answered for ticket in tickets):
                self._write_some()

    def _write_some(self) -> None:
        count = min(len(self._waiting), MAX_BATCH)
        tickets = [self._waiting.popleft() for _ in range(count)]
        try:
            self._write(tickets)
        finally:
            for ticket in tickets:
                ticket.answered = True


def independent(tickets: Sequence[Ticket]) -> Iterator[list[Ticket]]:
    """Part tickets, in order, where one may depend on one before it.

    That is where an attempt comes a second time, and before and after an act and a registration,
    which are judged by all that the log holds before them.
    """
    group: list[Ticket] = []
    attempts: set[tuple[Any, ...]] = set()
    for ticket in tickets:
        draft = ticket.draft
        attempt = (draft["run"]["id"], draft["stage"], draft["attempt"])
        if group and (attempt in attempts or _is_alone(ticket) or _is_alone(group[-1])):
            yield group
            group, attempts = [], set()
        group.append(ticket)
        attempts.add(attempt)
    if group:
        yield group


def _is_alone(ticket: Ticket) -> bool:
    draft = ticket.draft
    registers = draft["event"] in DONE_EVENTS and draft["stage"] == REGISTERING
    return bool(draft["event"] == ACT or registers)
