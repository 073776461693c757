"""Which registered models saw rows of a person, by the erasable index whose root the log holds.

Rules: an index that is gone, that another key may have made, or from which somebody was erased who
may be the one asked for, is named, since what it does not say is no answer
(components/audit/subjects.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from components.audit.answers import AUDIT
from components.audit.subjects import FACT, Range, rows_of
from components.audit.verified_log import VerifiedLog
from components.core.stage_names import INGESTING
from components.register_models.impact import SUBJECT, Impact, Ingestion, impact_by
from components.register_models.logbook import Logbook


def impact_of_subject(home: Path, subject: str, key: bytes) -> Impact:
    """Return which models saw rows of a subject, who is not named in the answer.

    Raises what `impact` raises, and IntegrityError for an index that is not the log's.
    """
    log = VerifiedLog.of(home)
    book = Logbook.of(log)
    known, unknown, erased = [], [], {}
    for item, root in subject_roots(book):
        found = rows_of(home, root, key, subject) if root else None
        if found is None:
            unknown.append(item.index)
        elif found.rows:
            known.append(replace(item, spans=_spans_of(found.rows), rows=found.rows))
        elif found.erased:
            erased[item.index] = found.erased
    answer = impact_by(home, log, book, SUBJECT, known)
    return replace(answer, unknown=tuple(unknown), erased=erased)


def subject_roots(book: Logbook) -> Iterator[tuple[Ingestion, str]]:
    """Yield the work of every ingestion, and the root of its index of subjects, "" for none."""
    for index, (record, statement) in enumerate(book.statements.items()):
        audit = statement["predicate"][AUDIT]
        if audit["stage"] == INGESTING and audit["event"] == "COMPLETE":
            item = Ingestion(index, record, audit["run"]["id"], (SUBJECT,), {})
            yield item, str(audit["facts"].get(FACT, ""))


def _spans_of(rows: Sequence[Range]) -> dict[str, tuple[str, ...]]:
    splits = sorted({split for split, *_ in rows})
    return {
        name: tuple(dict.fromkeys(span for split, span, *_ in rows if split == name))
        for name in splits
    }
