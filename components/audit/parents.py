"""The records that a record stands on: of who made its inputs, and what came from the cache.

Rule: each must be in the log and name the artifact's digest among its subjects. One that does not
is no parent of a FAIL and stops any other event, and so does an input whose record nobody names:
what no record stands behind would otherwise stand behind a model that is registered. Imported
records (imported.py) and those of stages do not stand on each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.audit.answers import DONE_EVENTS, IMPORTED, RecordView
from components.audit.ledger import Ledger
from components.core.errors import IntegrityError


def parents(draft: Mapping[str, Any], ledger: Ledger) -> tuple[str, ...]:
    """Return the parents of a draft, each once; IntegrityError for one that made no such thing."""
    return tuple(dict.fromkeys([*_of_inputs(draft, ledger), *_of_cached(draft, ledger)]))


def _of_inputs(draft: Mapping[str, Any], ledger: Ledger) -> Iterator[str]:
    for item in draft["inputs"]:
        try:
            imported = draft["event"] == IMPORTED
            yield _maker(ledger, item["record"], item["name"], item["sha256"], imported=imported)
        except IntegrityError:
            # A stage that failed over a wrong input gets its record, without that parent.
            if draft["event"] != "FAIL":
                raise


def _of_cached(draft: Mapping[str, Any], ledger: Ledger) -> Iterator[str]:
    """Yield the records of those who made the outputs that came from the cache."""
    if draft["event"] == "CACHED":
        made_by = origins(draft["facts"], [output["name"] for output in draft["outputs"]])
        if set(named_origins(draft["facts"])) != set(made_by):
            raise IntegrityError(
                f"the origin of {draft['stage']} does not name its outputs",
                remedy="delete the cache and start a new run",
                expected=", ".join(sorted(made_by)),
                actual=", ".join(sorted(named_origins(draft["facts"]))),
            )
        for output in draft["outputs"]:
            name = output["name"]
            yield _maker(ledger, made_by[name], name, output["sha256"])


def origins(facts: Mapping[str, Any], outputs: Iterable[str]) -> dict[str, str]:
    """Return, for each output that came from the cache, the record that made it, by the facts."""
    origin = named_origins(facts)
    return {name: str(origin.get(name, "")) for name in outputs}


def named_origins(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the facts of a CACHED name: by output, the record that made it."""
    stated = facts.get("origin")
    return stated if isinstance(stated, Mapping) else {}


def made(view: RecordView, *, imported: bool = False) -> frozenset[str]:
    """Return the digests of what a record says was made, for a stage or for an imported record."""
    if imported:
        return frozenset(view.subjects.values() if view.event == IMPORTED else ())
    return frozenset(view.outputs.values() if view.event in DONE_EVENTS else ())


def _maker(ledger: Ledger, record: str, name: str, sha256: str, *, imported: bool = False) -> str:
    """Return the record if it made that artifact."""
    view = ledger.find(record)
    if sha256 not in made(view, imported=imported):
        raise IntegrityError(
            f"record {view.index} did not make {name}",
            remedy="delete the cache and start a new run",
            expected=sha256,
            actual=", ".join(view.outputs.values()) or view.event,
        )
    return record
