"""What stands behind a model: the work that made each artifact, from verified records.

Rules: the way back follows what each record names as its inputs, never the order of the log; a
cached result is led back to the record of the work; an artifact has one name in the DAG, so it has
one entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.audit.answers import AUDIT
from components.core.candidates import IMPORTED

Statement = Mapping[str, Any]
EVALUATED = "eval"


@dataclass(frozen=True)
class Work:
    """The record of the work that made an artifact; `audit` is its block of ours."""

    record: str
    audit: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage stated."""
        return dict(self.audit["facts"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """The sections of settings that the stage depends on."""
        return dict(self.audit["settings"])


def lineage(statements: Mapping[str, Statement], ends: Mapping[str, str]) -> dict[str, Work]:
    """Return the work behind each artifact by its name, given {artifact: record} to start from.

    `statements` holds the records and all their ancestors, verified.
    """
    found: dict[str, Work] = {}
    waiting = list(ends.items())
    while waiting:
        name, record = waiting.pop(0)
        if name not in found:
            found[name] = _work(statements, name, record)
            inputs = found[name].audit["inputs"]
            waiting += [(item["name"], item["record"]) for item in inputs if item["record"]]
    return found


def _work(statements: Mapping[str, Statement], name: str, record: str) -> Work:
    audit = statements[record]["predicate"][AUDIT]
    while audit["event"] == "CACHED":
        record = audit["facts"]["origin"][name]
        audit = statements[record]["predicate"][AUDIT]
    return Work(record, audit)


def source_files(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the sha256 of each file that an ingestion's facts name, by its location."""
    source = facts.get("source")
    files = source.get("files", ()) if isinstance(source, Mapping) else ()
    named = [file for file in files if isinstance(file, Mapping)]
    return {str(file.get("location")): str(file.get("sha256")) for file in named}


def window_span(made: Mapping[str, Work]) -> str:
    """Return the first and the last span of the data, "" where no record says it."""
    examples = made.get("examples")
    window = examples.settings.get("window") if examples else None
    return f"{window['first']}:{window['last']}" if window else ""


def data_span(made: Mapping[str, Work]) -> str:
    """Return the spans that stand behind a model: FIRST:LAST, or the only one; "" where unknown.

    Of a model from elsewhere they are those that it was evaluated on: the window has one more
    before them, which only the validation looks at.
    """
    if f"{IMPORTED}_model" not in made or "examples" not in made:
        return window_span(made)
    spans = made["examples"].facts["splits"][EVALUATED]
    return ":".join(dict.fromkeys((spans[0], spans[-1])))
