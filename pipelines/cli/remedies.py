"""What to do about a finding: its cause is its message, the way on is here, by the check.

Rules: a text for every check of `tandem audit verify` and `tandem audit reconcile`; it says what to
look at, never that something may be passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

_COPY = "compare it with another copy of the log, and restore that"
_STORE = "find out who writes to MLflow's store"
REMEDIES: Mapping[str, str] = {
    "log": f"nobody but the notary may write below the log's folder; {_COPY}",
    "signature": f"the entry is not what the log's key signed: {_COPY}",
    "schema": "the log's key signed what no notary of this version writes: ask whoever keeps the "
    "key, and compare the log with its anchors (`tandem audit monitor`)",
    "size": "an entry of this size was never handed in by a stage: see who had the log's key",
    "parents": f"a record was taken out, moved or put in: {_COPY}",
    "coherence": "one copy of what the record says was changed with the log's key: compare the log "
    "with its anchors (`tandem audit monitor`)",
    "idempotency": f"a record was put in twice: {_COPY}",
    "clock": "records were reordered, or made with the log's key and an old date: compare the log "
    "with its anchors (`tandem audit monitor`)",
    "checkpoint": f"a checkpoint was changed, or the log cut: {_COPY}, or with its anchors "
    "(`tandem audit monitor`)",
    "tree": f"entries were changed, moved or taken out: {_COPY}, or with its anchors "
    "(`tandem audit monitor`)",
    "key": "what a revoked key signed counts for nothing: have the work done again",
    "open": "resume the run, or have `tandem audit reconcile` close it",
    "registration": "trust the version's first record alone: find out who registered it again, and "
    "withdraw it where somebody relied on the second",
    "gate": "do not use the version: find out what ran in place of the stage that stops there, and "
    "who handed in its record",
    "act": "it has no force: see `tandem audit approvals`, and who had the log's key",
    "artifact": "it is not what was recorded: restore it from a copy, or make the run again",
    "unrecorded version": f"do not use it; {_STORE}, and register by a run",
    "alias": f"{_STORE}; `tandem models promote` and `rollback` set the champion by the records",
    "missing version": f"restore it from a copy, or `tandem models withdraw` it; {_STORE}",
    "tag": f"do not use the version until the tag is as recorded; {_STORE}",
    "stored files": f"do not use the version; restore its files from a copy; {_STORE}",
    "stored proof": f"do not use the version; export it from the log; {_STORE}",
}


def ways_on(checks: Iterable[str]) -> Iterator[str]:
    """Yield a line for each kind of finding, in their order."""
    for check in dict.fromkeys(checks):
        yield f"remedy ({check}): {REMEDIES[check]}"
