"""Validate: statistics of every split and span, and every gate between the data and the transform.

Rules:
1. the schema comes with the settings and is not changed by a run;
2. names in the settings that the examples do not have are refused before anything is computed;
3. both splits are held against the schema and against each other, the last span against the one
   before it; rows are read row group by row group;
4. every gate is checked and recorded, then the first failures stop the run: a passing
   validation.json exists only where each of them passed or was waived, and names the examples and
   the schema; what TFX's ExampleValidator found is judged with them, where the settings name it;
5. a waiver counts by the rules of components/waivers.py; because it counts on some days only,
   equal inputs do not give equal outputs where there is one, and the cache is not asked.

What stopped a run can be read in validation.json and SchemaDiff.pb of the failed task.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.data_settings import Beam, Checks, Source, Transform
from components.core.examples import SPLITS, ExamplesManifest
from components.core.outcome import Outcome
from components.core.settings import Section
from components.validate_examples.applied_waivers import AppliedWaivers
from components.validate_examples.comparators import with_comparators
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
from components.validate_examples.verdict import Found, Verdict

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from components.validate_examples.anomalies import Anomaly
    from components.validate_examples.example_validator import StockResult
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
    from components.validate_examples.schema import parse_schema

    schema = parse_schema(settings.schema_text)
    manifest = ExamplesManifest.read(examples)
    _check_names(settings, schema, manifest)
    schema_sha256 = settings.schema_sha256
    waivers = AppliedWaivers.of_run(settings.waivers, settings.run, schema_sha256)
    stock = _found_by_tfx(settings.checks)
    spans = len({shard.span for shard in manifest.shards})
    checks = with_comparators(settings.checks, schema, spans)
    settings = settings.model_copy(update={"checks": checks})
    computed = _statistics(settings.beam, examples, manifest, statistics)
    listed = _anomalies(computed, schema, checks, validation)
    found = _found(settings, examples, manifest, computed, (schema, listed), stock)
    verdict = Verdict(tree_digest(examples), schema_sha256, manifest, found, waivers)
    write_json(validation / "validation.json", verdict.to_dict())
    verdict.require_passing()
    gates = tuple(finding.gate for finding in verdict.findings)
    return Outcome(facts=verdict.facts(), gates=gates)


def _found_by_tfx(checks: Checks) -> StockResult | None:
    """Read what TFX's ExampleValidator found, if the settings name it."""
    from components.validate_examples.example_validator import StockResult

    asked = checks.example_validator
    return StockResult.read(asked) if asked else None


def _check_names(settings: ValidateSettings, schema: Schema, manifest: ExamplesManifest) -> None:
    """Raise SettingsError for what the settings name and nothing has (rule 2)."""
    from components.validate_examples.anomalies import required_columns

    check_severities(settings.checks)
    check_names(
        manifest,
        checks=settings.checks,
        transform=settings.transform,
        source=settings.source,
        slices=settings.evaluate.slices,
        required=required_columns(schema, settings.checks),
    )


def _statistics(
    beam: Beam, examples: Path, manifest: ExamplesManifest, folder: Path
) -> StatisticsSet:
    """Compute the statistics of every split and span; write them, their drift and both pages."""
    from components.validate_examples.drift_over_spans import write_drift
    from components.validate_examples.facets import write_facets
    from components.validate_examples.page import drift_of, write_page
    from components.validate_examples.statistics import compute_all, write_all

    computed = compute_all(examples, manifest, beam)
    write_all(folder, computed)
    drift = drift_of(computed, manifest)
    write_drift(folder, drift)
    write_page(folder, computed, manifest, drift)
    write_facets(folder, computed.splits)
    return computed


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


def _found(
    settings: ValidateSettings,
    examples: Path,
    manifest: ExamplesManifest,
    computed: StatisticsSet,
    against: tuple[Schema, Sequence[Anomaly]],
    stock: StockResult | None,
) -> Found:
    """Read the rows once and judge every gate; `against` is the schema and TFDV's anomalies.

    `stock` is what TFX found, if the settings ask for it.
    """
    from components.validate_examples.drift import check_drift, check_number_shift, check_skew
    from components.validate_examples.rows import scan
    from components.validate_examples.schema_gates import SchemaGates

    checks, label = settings.checks, manifest.label
    schema, anomalies = against
    on_schema = SchemaGates(anomalies, schema, manifest, checks)
    scanned = scan(examples, manifest, on_schema.questions)
    share, rows = scanned.repeats.share, scanned.repeats.rows
    if manifest.task == "regression":
        of_label = [*check_number_shift(computed, label, checks, manifest.columns)]
    else:
        of_label = [*check_label_shift(scanned.spans, scanned.splits, label, checks)]
    findings = [
        *on_schema.findings(scanned.answers),
        *check_rows(scanned.splits, checks),
        *(check_classes(scanned.splits, label, checks) if manifest.class_count else ()),
        check_leakage(settings.source, settings.transform, list(manifest.columns)),
        *check_drift(computed, checks, manifest.columns),
        *check_skew(computed, checks, manifest.columns),
        *of_label,
        *check_repeats(share, rows, scanned.repeated, checks),
        *(stock.findings(checks) if stock else ()),
    ]
    of_stock = stock.facts() if stock else {}
    return Found(findings, scanned, on_schema.anomalies(scanned.answers), of_stock)
