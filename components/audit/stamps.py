"""What the notary adds to a draft: its clock, a name, what fed the stage, which START it ends.

Rules: time never runs backwards in the log: a clock that was set back by more than a tolerance
stops the notary, but for changes of keys, which take the last record's time: who stole a key could
have set that ahead; a COMPLETE needs its START, what closes a START says what it said
(coherence.py), and an attempt ends once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from components.audit.answers import IMPORTED, KEY, RecordView
from components.audit.coherence import Begun, Statement
from components.audit.ledger import Ledger
from components.audit.parents import parents
from components.audit.records import Stamp, timestamp
from components.core.errors import IntegrityError, PlatformError

_CLOCK_TOLERANCE = timedelta(seconds=2)


class Stamps:
    """Makes the stamps of one log's records; called under the notary's mutex."""

    def __init__(
        self,
        ledger: Ledger,
        statement: Callable[[str], Statement],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._statement = statement
        self._clock = clock
        self._last = ""

    def stamp(self, draft: Mapping[str, Any], account: str | None) -> Stamp:
        """Return the stamp of a draft that an account handed in.

        Raises IntegrityError for parents or a START that are not there, or that it contradicts,
        PlatformError for a clock that was set back.
        """
        event, stage, attempt = draft["event"], draft["stage"], draft["attempt"]
        run = draft["run"]["id"]
        start = None if event in ("START", "CACHED", IMPORTED) else self._opened(draft)
        return Stamp(
            now=self._now(event),
            record_id=self._ledger.free_record_id(f"{run}/{stage}/{attempt}/{event}", run),
            parents=parents(draft, self._ledger),
            start=start.record if start else None,
            started=start.time if start else None,
            account=account,
        )

    def _opened(self, draft: Mapping[str, Any]) -> RecordView | None:
        run, stage, attempt = draft["run"]["id"], draft["stage"], draft["attempt"]
        start = self._ledger.open_start(run, stage, attempt)
        if start is None and draft["event"] == "COMPLETE":
            raise IntegrityError(
                f"{stage} of {run} claims to be done but attempt {attempt} is not open",
                remedy="write START before the work; an attempt ends once",
            )
        if start is not None:
            self._require_as_begun(draft, start)
        return start

    def _require_as_begun(self, draft: Mapping[str, Any], start: RecordView) -> None:
        begun = Begun.of(self._statement(start.record))
        for name in begun.contradicted_by(draft):
            raise IntegrityError(
                f"{draft['event']} of {draft['stage']} has other {name} than its START",
                remedy="run the stage again: it ends with what it began with",
            )

    def _now(self, event: str) -> datetime:
        now = self._clock()
        before = max(self._ledger.last_time, self._last)
        last = datetime.fromisoformat(before) if before else now
        if now < last - _CLOCK_TOLERANCE and event != KEY:
            raise PlatformError(
                "the clock was set back",
                remedy="set the clock right; records wait until it has caught up",
                expected=f"not before {timestamp(last)}",
                actual=timestamp(now),
            )
        self._last = timestamp(max(now, last))
        return max(now, last)
