"""The sections of a trace that the records of work tell: the data, the code and the gates.

Rules: everything is read from the `tandem_audit` block of a verified record and cites it by index
and digest; what a record does not say is left out; what came from the cache is told by the record
that did the work, which is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.audit.answers import RecordView, gate_in_numbers
from components.audit.gate_results import result_of
from components.core.slice_keys import OVERALL
from components.core.stage_names import INGESTING, VALIDATING

Section = dict[str, Any]
Told = tuple[RecordView, Mapping[str, Any]]
"""A record's view, and its block of ours."""


def place_of(view: RecordView) -> Section:
    """Return where a record stands, of which stage and run it is."""
    return {"index": view.index, "record": view.record, "stage": view.stage, "run": view.run}


def actor_of(audit: Mapping[str, Any]) -> Section:
    """Return who handed a record in, how far that is known, and what set the run off."""
    return {**audit["actor"], "trigger": audit["trigger"]}


def code_of(audit: Mapping[str, Any]) -> Section:
    """Return what code a record was made by, as far as it says: commit, modules, lock, image."""
    run, environment = audit["run"], audit["environment"]
    code = run.get("code") or {}
    said = {
        "commit": code.get("commit"),
        "dirty": code.get("dirty"),
        "modules_sha256": audit["code_sha256"],
        "ir_sha256": run.get("ir_sha256"),
        "run_settings_sha256": run.get("settings_sha256"),
        "settings_sha256": audit["settings_sha256"],
        "lock": environment.get("lock"),
        "lock_sha256": environment.get("lock_sha256"),
        "image": environment.get("image"),
    }
    return {name: value for name, value in said.items() if value is not None}


def data_of(told: Iterable[Told]) -> Iterator[Section]:
    """Yield what was ingested and which schema it was held against, of each work on data."""
    for view, audit in told:
        if view.event != "COMPLETE":
            continue
        if view.stage == INGESTING:
            yield place_of(view) | _ingested(view, audit)
        elif view.stage == VALIDATING and (schema := view.facts.get("schema_sha256")):
            yield place_of(view) | {"schema_sha256": schema}


def _ingested(view: RecordView, audit: Mapping[str, Any]) -> Section:
    facts = view.facts
    said = {
        "dataset": audit["run"].get("name"),
        "window": audit["settings"].get("window"),
        "splits": _spans(facts.get("splits")),
        "rows": facts.get("rows"),
        "rows_by_split": _mapping(facts.get("rows_by_split")),
        "dropped": facts.get("dropped"),
        "files": list(_files(facts)),
        "examples_sha256": view.outputs.get("examples"),
        "card_sha256": facts.get("card_sha256"),
        "card": audit["settings"].get("card"),
    }
    return {name: value for name, value in said.items() if value is not None}


def _mapping(value: Any) -> dict[str, Any] | None:
    """Return what a stage stated by name; a record may state anything, which then is not told."""
    return dict(value) if isinstance(value, Mapping) else None


def _spans(value: Any) -> dict[str, list[str]] | None:
    found = _mapping(value)
    return found and {
        split: list(map(str, spans)) for split, spans in found.items() if isinstance(spans, list)
    }


def _files(facts: Mapping[str, Any]) -> Iterator[Section]:
    """Yield the source's files; an ingestion that only names them says no more of each."""
    listed = (_mapping(facts.get("source")) or {}).get("files")
    for file in listed if isinstance(listed, list) else ():
        yield dict(file) if isinstance(file, Mapping) else {"location": file}


def gates_of(told: Iterable[Told]) -> Iterator[Section]:
    """Yield every gate that the records of work hold, and how it was judged."""
    for view, audit in told:
        for gate in map(gate_in_numbers, audit["gates"]) if view.event != "CACHED" else ():
            yield place_of(view) | {"slice": OVERALL, **gate, "result": result_of(gate)}
