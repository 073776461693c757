"""Validate: statistics of every split and span, and every gate between the data and the transform.

Rules:
1. the schema comes with the settings and is not changed by a run;
2. names in the settings that the examples do not have are refused before anything is computed;
3. both splits are held against the schema and against each other, the last span against the one
   before it; rows are read row group by row group;
4. every gate is checked and recorded, then the first failures stop the run: a passing
   validation.json exists only where each of them passed or was waived, and names the examples and
   the schema;
5. a waiver counts by the rules of components/waivers.py; because it counts on some days only,
   equal inputs do not give equal outputs where there is one, and the cache is not asked.

What stopped a run can be read in validation.json and SchemaDiff.pb of the failed task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.data_settings import Beam, Checks, Source, Transform
from components.core.examples import SPLITS, ExamplesManifest
from components.core.outcome import Gate, Outcome
from components.core.settings import Section
from components.validate_examples.comparators import with_comparators
from components.validate_examples.findings import Finding, failed, require_passing
from components.validate_examples.gates import (
    check_classes,
    check_label_shift,
    check_leakage,
    check_repeats,
    check_rows,
)
from components.validate_examples.names import (
    EvaluatedSlices,
    check_names,
    check_severities,
)
from components.waivers import (
    Judged,
    Scope,
    Waiver,
    day_of_run,
    judge,
    keys_folder,
    trusted_keys,
    waive,
)

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from components.validate_examples.anomalies import Anomaly
    from components.validate_examples.rows import Scanned
    from components.validate_examples.statistics import StatisticsSet


class ValidateSettings(Section):
    """The schema, the thresholds, what is declared to be a feature or leakage, and the waivers.

    `run` is the run's identity: it says of which use case and day the run is, for waivers only, so
    it is no part of what the work depends on.
    """

    schema_text: str = Field(alias="schema")
    checks: Checks
    transform: Transform
    source: Source
    beam: Beam = Beam()
    evaluate: EvaluatedSlices = EvaluatedSlices()
    waivers: tuple[str, ...] = ()
    run: dict[str, Any] = Field(default={}, exclude=True)

    @property
    def depends_on_day(self) -> bool:
        """Say that the cache cannot answer (rule 5)."""
        return bool(self.waivers)

    @property
    def schema_sha256(self) -> str:
        """The digest of the schema's text."""
        return sha256_bytes(self.schema_text.encode("utf-8"))


def validate_examples(
    *, settings: ValidateSettings, examples: Path, statistics: Path, validation: Path
) -> Outcome:
    """Compute statistics, check every gate, and raise GateError unless all of them let go on."""
    from components.validate_examples.anomalies import required_columns
    from components.validate_examples.facets import write_facets
    from components.validate_examples.page import write_page
    from components.validate_examples.schema import parse_schema
    from components.validate_examples.statistics import compute_all, write_all

    schema = parse_schema(settings.schema_text)
    check_severities(settings.checks)
    manifest = ExamplesManifest.read(examples)
    check_names(
        manifest,
        checks=settings.checks,
        transform=settings.transform,
        source=settings.source,
        slices=settings.evaluate.slices,
        required=required_columns(schema, settings.checks),
    )
    waivers = _waivers(settings)
    spans = len({shard.span for shard in manifest.shards})
    checks = with_comparators(settings.checks, schema, spans)
    settings = settings.model_copy(update={"checks": checks})
    computed = compute_all(examples, manifest, settings.beam)
    write_all(statistics, computed)
    write_page(statistics, computed, manifest)
    write_facets(statistics, computed.splits)
    listed = _anomalies(computed, schema, settings.checks, validation)
    findings, scanned, anomalies = _findings(
        settings, examples, manifest, computed, (schema, listed)
    )
    findings = [replace(item, gate=waive(item.gate, waivers)) for item in findings]
    verdict = {
        "version": 1,
        "passed": all(finding.gate.accepted for finding in findings),
        "examples_sha256": tree_digest(examples),
        "schema_sha256": settings.schema_sha256,
        "gates": [finding.gate.to_dict() for finding in findings],
        "failed": [finding.to_dict() for finding in failed(findings)],
        "waivers": [item.to_dict() for item in waivers],
        "duplicates": {"rows": scanned.repeats.count, "share": scanned.repeats.share},
        "anomalies": [anomaly.to_dict() for anomaly in anomalies],
    }
    write_json(validation / "validation.json", verdict)
    facts = _facts(settings, manifest, findings, scanned)
    facts |= {"anomalies": len(anomalies)} | _of_waivers(settings, waivers)
    require_passing(findings, _without_effect(waivers, findings), facts)
    return Outcome(facts=facts, gates=tuple(finding.gate for finding in findings))


def _without_effect(waivers: Sequence[Judged], findings: Sequence[Finding]) -> dict[str, str]:
    """Return why a waiver did nothing, by its digest: refused, or about nothing that failed."""
    failing = [finding.gate for finding in findings if not finding.gate.passed]
    why = {item.sha256: _why_idle(item.waiver, failing) for item in waivers if item.waiver}
    return {sha256: words for sha256, words in why.items() if words} | {
        item.sha256: item.refused for item in waivers if item.refused
    }


def _why_idle(waiver: Waiver, failing: Sequence[Gate]) -> str | None:
    """Return why a waiver covers none of the gates that failed, None where it covers one."""
    if any(map(waiver.covers, failing)):
        return None
    if slices := [gate.slice for gate in failing if gate.name == waiver.gate]:
        return f"{waiver.gate} failed, but not in {waiver.slice}: it failed in {', '.join(slices)}"
    return f"{waiver.gate} is no gate that failed"


def _waivers(settings: ValidateSettings) -> list[Judged]:
    """Judge the waivers by the keys that are trusted here, before any gate is known."""
    if not settings.waivers:
        return []
    trusted = trusted_keys(keys_folder())
    use_case = str(settings.run.get("name", ""))
    scope = Scope(use_case, settings.schema_sha256, day_of_run(settings.run))
    return [judge(text, trusted, scope) for text in settings.waivers]


def _anomalies(
    computed: StatisticsSet, schema: Schema, checks: Checks, validation: Path
) -> list[Anomaly]:
    """Hold each split against the schema and write TFDV's anomalies where TFX looks for them."""
    from components.validate_examples.anomalies import find_anomalies, listed
    from components.validate_examples.statistics import with_nan_missing

    found: list[Anomaly] = []
    for split in SPLITS:
        anomalies = find_anomalies(with_nan_missing(computed.splits[split]), schema)
        found += listed(anomalies, split, checks)
        path = validation / f"Split-{split}" / "SchemaDiff.pb"
        path.parent.mkdir()
        path.write_bytes(anomalies.SerializeToString(deterministic=True))
    return found


def _findings(
    settings: ValidateSettings,
    examples: Path,
    manifest: ExamplesManifest,
    computed: StatisticsSet,
    against: tuple[Schema, Sequence[Anomaly]],
) -> tuple[list[Finding], Scanned, list[Anomaly]]:
    """Read the rows once and judge every gate; `against` is the schema and TFDV's anomalies.

    Returns also the anomalies that count: TFDV's and those that the rows show.
    """
    from components.validate_examples.drift import check_drift, check_skew
    from components.validate_examples.rows import scan
    from components.validate_examples.schema_gates import SchemaGates

    checks, label = settings.checks, manifest.label
    schema, anomalies = against
    on_schema = SchemaGates(anomalies, schema, manifest, checks)
    scanned = scan(examples, manifest, on_schema.questions)
    share, rows = scanned.repeats.share, scanned.repeats.rows
    findings = [
        *on_schema.findings(scanned.answers),
        *check_rows(scanned.splits, checks),
        *check_classes(scanned.splits, label, checks),
        check_leakage(settings.source, settings.transform, list(manifest.columns)),
        *check_drift(computed, checks, manifest.columns),
        *check_skew(computed, checks, manifest.columns),
        *check_label_shift(scanned.spans, scanned.splits, label, checks),
        *check_repeats(share, rows, scanned.repeated, checks),
    ]
    return findings, scanned, on_schema.anomalies(scanned.answers)


def _facts(
    settings: ValidateSettings,
    manifest: ExamplesManifest,
    findings: Sequence[Finding],
    scanned: Scanned,
) -> dict[str, Any]:
    """Return what the record says beside the gates, whether they passed or not."""
    missed = failed(findings)
    return {
        "rows_by_split": {split: counted.rows for split, counted in scanned.splits.items()},
        "schema_sha256": settings.schema_sha256,
        "card_sha256": manifest.card_sha256,
        "gates_checked": len(findings),
        "gates_failed": len(missed),
        "gates_waived": sum(finding.gate.accepted for finding in missed),
        "duplicate_rows": scanned.repeats.count,
        "duplicate_share": scanned.repeats.share,
    }


def _of_waivers(settings: ValidateSettings, waivers: Sequence[Judged]) -> dict[str, Any]:
    """Return what the record says of the waivers, where there is one."""
    if not waivers:
        return {}
    day = day_of_run(settings.run)
    return {
        "waivers": [item.to_dict() for item in waivers],
        "waivers_judged_on": day.isoformat() if day else None,
    }
