"""Which registered models saw some data: from what was ingested, through the parents, to versions.

Rules: a dataset is named by its use case, by the location of one of its files (whole, or its last
part), or by a digest of a file, of its data card or of the examples; a span by its name, or by days
that it holds (asked_spans.py). A version was trained on data where the record of its bundle stands
on the record of the ingestion, and evaluated on it where that of its evaluation does; with a span,
only if the span was in that part. What came from the cache is led back to the work. Only the log is
asked, for aliases too; for the rows of a person see subject_impact.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from components.audit.answers import AUDIT
from components.audit.completeness import Completeness, completeness
from components.audit.subjects import Range
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import version_findings
from components.core.artifacts import require_content
from components.core.stage_names import INGESTING
from components.register_models.asked_spans import spans_asked
from components.register_models.imported_impact import ImportedModel, imported_impact
from components.register_models.lineage import Statement, lineage, source_files
from components.register_models.logbook import Logbook, Release

SCHEMA = "https://tandem.invalid/impact/v1"
EXAMPLES, EVALUATION = "examples", "evaluation"
TRAINED, EVALUATED = "trained", "evaluated"
SPAN, SUBJECT = "span", "subject"
_PART_OF = {TRAINED: "train", EVALUATED: "eval"}


@dataclass(frozen=True)
class Ingestion:
    """The record of the work that ingested the data, and what of it bears the name."""

    index: int
    record: str
    run: str
    named: tuple[str, ...]
    spans: Mapping[str, tuple[str, ...]]
    rows: tuple[Range, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object; `rows` are those of a subject, by split, span and range."""
        spans = {split: list(names) for split, names in self.spans.items()}
        where = {"index": self.index, "record": self.record, "run": self.run}
        rows = [list(item) for item in self.rows]
        return where | {"named": list(self.named), "spans": spans, "rows": rows}


@dataclass(frozen=True)
class Affected:
    """A version that saw the data, how, and by which ingestions."""

    release: Release
    how: tuple[str, ...]
    ingestions: tuple[int, ...]
    aliases: tuple[str, ...]
    state: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        release = self.release
        return {
            "model": release.model,
            "version": release.version,
            "how": list(self.how),
            "index": release.index,
            "record": release.record,
            "run": release.run,
            "ingestions": list(self.ingestions),
            "aliases": list(self.aliases),
            "state": self.state,
        }


@dataclass(frozen=True)
class Impact:
    """What bears a name, and the versions that saw it, in the order of their registration."""

    what: str
    ingestions: tuple[Ingestion, ...]
    models: tuple[Affected, ...]
    complete: Completeness
    checkpoint: str
    unknown: tuple[int, ...] = ()
    """The records of ingestions without an index of subjects, or with one of another key."""
    erased: Mapping[int, int] = field(default_factory=dict)
    """How many subjects were erased from an ingestion's index, which may be the one asked for."""
    imported: tuple[ImportedModel, ...] = ()
    """What other systems claim of models (imported_impact.py)."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return {
            "schema": SCHEMA,
            "what": self.what,
            "unknown": list(self.unknown),
            "erased": [{"index": at, "subjects": many} for at, many in self.erased.items()],
            "ingestions": [item.to_dict() for item in self.ingestions],
            "models": [item.to_dict() for item in self.models],
            "imported": [item.to_dict() for item in self.imported],
            "findings": [finding.to_dict() for finding in self.complete.findings],
            "completeness": self.complete.to_dict(),
            "checkpoint": self.checkpoint,
        }

    def to_text(self) -> str:
        """Return the answer for people."""
        lines = list(map(_ingestion_line, self.ingestions))
        if not self.ingestions:
            lines.append(f"no record of an ingestion names {self.what}")
        for model in self.models:
            lines += _model_lines(model)
        if not self.models:
            lines.append("no registered model saw it")
        lines += [model.to_text() for model in self.imported]
        lines += [finding.to_text() for finding in self.complete.findings]
        if self.unknown:
            which = ", ".join(f"#{index}" for index in self.unknown)
            lines.append(
                f"not known of {which}: no index of subjects is there, or no longer, or nothing "
                "shows that this key made it"
            )
        lines += [
            f"not known of #{at}: {many} subjects were erased from its index, of which this may be "
            "one"
            for at, many in self.erased.items()
        ]
        lines.append(f"no model omitted: {self.complete.to_text()}")
        return "\n".join([*lines, "", "covered by checkpoint:", self.checkpoint])


def impact(home: Path, what: str) -> Impact:
    """Return which models of a home saw a dataset or a span.

    Raises IntegrityError where the log does not verify, UnverifiableError where there is none,
    SettingsError for the digest of an empty artifact and for a window that ends before it begins.
    """
    require_content(what)
    log = VerifiedLog.of(home)
    book = Logbook.of(log)
    found = impact_by(home, log, book, what, _ingestions(book.statements, what))
    imported = tuple(imported_impact(book, what))
    log.require_signed(log.ledger.find(model.record) for model in imported)
    return replace(found, imported=imported)


def impact_by(
    home: Path, log: VerifiedLog, book: Logbook, what: str, ingestions: Iterable[Ingestion]
) -> Impact:
    """Return which models saw what some ingestions have, each of which is in the log."""
    found = {item.record: item for item in ingestions}
    models = tuple(_affected(book, found))
    cited = [*found, *(model.release.record for model in models)]
    log.require_included(log.ledger.find(record) for record in cited)
    about = version_findings(log, [model.release.record for model in models])
    complete = completeness(home, log, about)
    return Impact(what, tuple(found.values()), models, complete, log.checkpoint)


def _ingestions(statements: Mapping[str, Statement], what: str) -> Iterator[Ingestion]:
    """Yield the work that ingested data of that name."""
    for index, (record, statement) in enumerate(statements.items()):
        audit = statement["predicate"][AUDIT]
        if audit["stage"] != INGESTING or audit["event"] != "COMPLETE":
            continue
        stated = audit["facts"].get("splits")
        stated = stated if isinstance(stated, Mapping) else {}
        splits = {split: tuple(map(str, spans)) for split, spans in stated.items()}
        asked = {split: spans_asked(what, spans) for split, spans in splits.items()}
        holding = {split: spans for split, spans in asked.items() if spans}
        if named := tuple(dict.fromkeys(_named(statement, what))):
            yield Ingestion(index, record, audit["run"]["id"], named, splits)
        elif holding:
            yield Ingestion(index, record, audit["run"]["id"], (SPAN,), holding)


def _named(statement: Statement, what: str) -> Iterator[str]:
    """Yield what of a dataset bears the name."""
    audit = statement["predicate"][AUDIT]
    facts = audit["facts"]
    if audit["run"].get("name") == what:
        yield "use case"
    for location, sha256 in source_files(facts).items():
        if what in (location, location.rpartition("/")[2], sha256):
            yield f"file {location}"
    if facts.get("card_sha256") == what:
        yield "data card"
    if any(item["digest"]["sha256"] == what for item in statement["subject"]):
        yield EXAMPLES


def _affected(book: Logbook, found: Mapping[str, Ingestion]) -> Iterator[Affected]:
    """Yield every version whose bundle or evaluation stands on one of the ingestions."""
    for release in book.releases.values():
        saw = {how: item for how, item in _sources(book, release).items() if item in found}
        how = [way for way, item in saw.items() if _holds(found[item], way)]
        if how:
            by = sorted({found[saw[way]].index for way in how})
            aliases = tuple(book.aliases_of(release))
            yield Affected(release, tuple(how), tuple(by), aliases, book.state(release))


def _holds(ingestion: Ingestion, how: str) -> bool:
    """Say whether the named data was in the part that is trained or evaluated on."""
    return ingestion.named not in ((SPAN,), (SUBJECT,)) or _PART_OF[how] in ingestion.spans


def _sources(book: Logbook, release: Release) -> dict[str, str]:
    """Return the record of the ingestion that each way of seeing data led back to."""
    inputs = book.inputs(release)
    ends = {TRAINED: f"{release.framework}_model", EVALUATED: EVALUATION}
    found = {}
    for how, name in ends.items():
        if name in inputs and inputs[name]["record"]:
            made = lineage(book.statements, {name: inputs[name]["record"]})
            if EXAMPLES in made:
                found[how] = made[EXAMPLES].record
    return found


def _ingestion_line(item: Ingestion) -> str:
    parts = ", ".join(f"{split} {' '.join(spans)}" for split, spans in item.spans.items())
    named = ", ".join(item.named)
    return f"#{item.index} ingested in run {item.run} ({named}): {parts}\n    record  {item.record}"


def _model_lines(model: Affected) -> list[str]:
    release = model.release
    by = ", ".join(f"#{index}" for index in model.ingestions)
    also = f", {', '.join(model.aliases)}" if model.aliases else ""
    return [
        f"{release.model}@{release.version} {' and '.join(model.how)} on it, by {by}; "
        f"{model.state}{also}",
        f"    #{release.index} record  {release.record}",
    ]
