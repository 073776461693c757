"""Puts drafts that arrived together into the log: signed, appended, under one checkpoint.

Rules: a draft that is known keeps the record it has; one that is refused takes its error and
nobody else's; where the log cannot be written, all who wait learn it. Called with the notary's
mutex held.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from components.audit.answers import Receipt
from components.audit.batches import Ticket, independent
from components.audit.envelope import Envelope
from components.audit.ledger import Ledger
from components.audit.records import idempotency_key
from components.audit.sequencer import Sequencer
from components.core.errors import TandemError


class Recorder:
    """Writes tickets; `sign` makes an envelope of one, or raises why there is to be none."""

    def __init__(
        self, ledger: Ledger, sequencer: Sequencer, sign: Callable[[Ticket], Envelope]
    ) -> None:
        self._ledger = ledger
        self._sequencer = sequencer
        self._sign = sign

    def write(self, tickets: Sequence[Ticket]) -> None:
        """Give each ticket its receipt or its error; one checkpoint covers what was recorded."""
        for group in independent(tickets):
            self._append(group)
        try:
            self._sequencer.seal()
        except TandemError as error:
            for ticket in tickets:
                ticket.error = ticket.error or error

    def _append(self, tickets: Sequence[Ticket]) -> None:
        """Record tickets that do not depend on each other; what is known keeps its record."""
        new: dict[str, list[Ticket]] = {}
        signed: dict[str, Envelope] = {}
        for ticket in tickets:
            key = idempotency_key(ticket.draft)
            try:
                if (known := self._ledger.with_key(key)) is not None:
                    ticket.receipt = Receipt(known.record, known.index)
                    continue
                if key not in signed:
                    signed[key] = self._sign(ticket)
                new.setdefault(key, []).append(ticket)
            except TandemError as error:
                ticket.error = error
        self._store(new, signed)

    def _store(
        self, tickets: Mapping[str, Sequence[Ticket]], signed: Mapping[str, Envelope]
    ) -> None:
        try:
            self._sequencer.append(list(signed.values()))
        except TandemError as error:
            for ticket in itertools.chain(*tickets.values()):
                ticket.error = error
            return
        for key, those in tickets.items():
            view = self._ledger.with_key(key)
            for ticket in those:
                ticket.receipt = Receipt(view.record, view.index) if view else None
