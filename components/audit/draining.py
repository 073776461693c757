"""What waits in the spool becomes records: before anything else, and by the notary's rules.

Rules: drafts are recorded in the order of the times that they claim, and one whose parents are not
there yet is tried again after the others; one that never will do is set aside with the reason; a
machine that fails leaves everything where it is. A draft names the record of a draft that waited by
that draft's digest, which is replaced here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from components.audit.batches import Ticket
from components.audit.sequencer import MAX_BATCH
from components.audit.spool import SPOOLED, Spool
from components.audit.unrecorded import said_of
from components.core.canonical import parse_json
from components.core.errors import DataError, PlatformError, TandemError

Draft = Mapping[str, Any]
Admit = Callable[[Sequence[Draft]], Sequence[Ticket]]
_Waiting = tuple[str, Draft]


def drain(spool: Spool, admit: Admit, passing: Container[str] = ()) -> None:
    """Have every draft that waits recorded, or set aside; raise PlatformError for the machine's.

    Those of the names `passing` are left to whoever submits them.
    """
    left = sorted((item for item in _readable(spool) if item[0] not in passing), key=_order)
    while left:
        refused = [item for batch in _batches(left) for item in _settle(spool, batch, admit)]
        if len(refused) == len(left):
            for name, draft, error in refused:
                spool.refuse(name, error, said_of(draft))
            return
        left = [(name, draft) for name, draft, _ in refused]


def _settle(
    spool: Spool, batch: Sequence[_Waiting], admit: Admit
) -> list[tuple[str, Draft, TandemError]]:
    """Settle the drafts of a batch that are recorded; return the others and why they are not."""
    refused = []
    drafts = [with_records(draft, spool) for _, draft in batch]
    for (name, draft), ticket in zip(batch, admit(drafts), strict=True):
        try:
            spool.settle(name, ticket.result().record)
        except PlatformError:
            raise
        except TandemError as error:
            refused.append((name, draft, error))
    return refused


def _batches(items: Sequence[_Waiting]) -> Iterator[Sequence[_Waiting]]:
    for start in range(0, len(items), MAX_BATCH):
        yield items[start : start + MAX_BATCH]


def _readable(spool: Spool) -> list[_Waiting]:
    found = []
    for name, data in spool.waiting():
        try:
            draft = parse_json(data)
            _order((name, draft))
            found.append((name, draft))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            no_draft = DataError("it is no draft", remedy="find out who put it there")
            spool.refuse(name, no_draft, {})
    return found


def _order(waiting: _Waiting) -> tuple[str, bool, str]:
    name, draft = waiting
    return str(draft["claimed_time"]), draft["event"] != "START", name


def names_a_waiting_one(draft: Draft, spool: Spool) -> bool:
    """Say whether a draft names one that waited by what it waited under, and has no record yet."""
    value = with_records(draft, spool)
    inputs, facts = value.get("inputs"), value.get("facts")
    named = [item.get("record") for item in inputs or () if isinstance(item, Mapping)]
    if isinstance(facts, Mapping) and isinstance(origin := facts.get("origin"), Mapping):
        named += origin.values()
    return any(isinstance(record, str) and record.startswith(SPOOLED) for record in named)


def with_records(draft: Draft, spool: Spool) -> dict[str, Any]:
    """Return a draft that names records, where those that it names were drafts that waited.

    One that still waits, or was refused, stays named as it is, which no schema lets pass.
    """
    value = dict(draft)
    if isinstance(inputs := draft.get("inputs"), list):
        value["inputs"] = [_with_record(item, "record", spool) for item in inputs]
    facts = draft.get("facts")
    if isinstance(facts, Mapping) and isinstance(origin := facts.get("origin"), Mapping):
        for name in origin:
            origin = _with_record(origin, name, spool)
        value["facts"] = {**facts, "origin": origin}
    return value


def _with_record(item: Any, field: str, spool: Spool) -> Any:
    if not isinstance(item, Mapping) or not isinstance(named := item.get(field), str):
        return item
    return {**item, field: spool.record(named)}
