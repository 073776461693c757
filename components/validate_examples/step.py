"""Validate: statistics of both splits, and every gate between the data and the transform.

Rules:
1. the schema comes with the settings and is not changed by a run;
2. both splits are held against it; the last span is compared with the one before it;
3. every gate is checked and recorded, then the first failure stops the run: a passing
   validation.json exists only where all of them passed, and names the examples and the schema.

What stopped a run can be read in validation.json and SchemaDiff.pb of the failed task.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import Field

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.examples import ExamplesManifest, Split, read_shards, read_split
from components.core.outcome import Outcome
from components.core.settings import Checks, Section, Source, Transform
from components.validate_examples.findings import (
    Finding,
    check_classes,
    check_leakage,
    check_rows,
    require_passing,
)

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from components.validate_examples.statistics import Statistics

SPLITS: tuple[Split, ...] = ("train", "eval")


class ValidateSettings(Section):
    """The schema, the thresholds, and what is declared to be a feature or to be leakage."""

    schema_text: str = Field(alias="schema")
    checks: Checks
    transform: Transform
    source: Source


def validate_examples(
    *, settings: ValidateSettings, examples: Path, statistics: Path, validation: Path
) -> Outcome:
    """Compute statistics, check every gate, and raise GateError unless all of them pass."""
    from components.validate_examples.anomalies import parse_schema

    schema = parse_schema(settings.schema_text)
    manifest = ExamplesManifest.read(examples)
    rows: dict[str, pa.Table] = {split: read_split(examples, split) for split in SPLITS}
    computed = _statistics(rows, statistics)
    anomalies, findings = _against_schema(computed, schema, rows, validation)
    findings += [
        *check_rows(rows, settings.checks),
        *check_classes(rows, manifest.label, settings.checks),
        check_leakage(settings.source, settings.transform, list(manifest.columns)),
        *_drift(examples, manifest, settings.checks, computed),
    ]
    verdict = {
        "version": 1,
        "passed": all(finding.gate.passed for finding in findings),
        "examples_sha256": tree_digest(examples),
        "schema_sha256": sha256_bytes(settings.schema_text.encode("utf-8")),
        "gates": [finding.gate.to_dict() for finding in findings],
        "anomalies": anomalies,
    }
    write_json(validation / "validation.json", verdict)
    require_passing(findings)
    return _outcome(manifest, findings, str(verdict["schema_sha256"]), len(anomalies))


def _statistics(rows: dict[str, pa.Table], folder: Path) -> dict[str, Statistics]:
    from components.validate_examples.statistics import compute_statistics, write_statistics

    computed = {split: compute_statistics(table, split) for split, table in rows.items()}
    for split, statistics in computed.items():
        write_statistics(folder, split, statistics)
    return computed


def _against_schema(
    computed: dict[str, Statistics],
    schema: Schema,
    rows: dict[str, pa.Table],
    validation: Path,
) -> tuple[list[dict[str, str]], list[Finding]]:
    """Hold each split against the schema and write TFDV's anomalies where TFX looks for them."""
    from components.validate_examples.anomalies import anomaly_list, check_schema, find_anomalies

    listed: list[dict[str, str]] = []
    findings: list[Finding] = []
    for split, statistics in computed.items():
        anomalies = find_anomalies(statistics, schema)
        listed += anomaly_list(anomalies, split)
        findings += check_schema(anomalies, schema, rows[split], split)
        path = validation / f"Split-{split}" / "SchemaDiff.pb"
        path.parent.mkdir()
        path.write_bytes(anomalies.SerializeToString(deterministic=True))
    return listed, findings


def _drift(
    examples: Path, manifest: ExamplesManifest, checks: Checks, computed: dict[str, Statistics]
) -> list[Finding]:
    """Compare the last span, which is the evaluation split, with the span before it."""
    from components.validate_examples.drift import check_drift
    from components.validate_examples.statistics import compute_statistics

    before, last = manifest.splits["train"][-1], manifest.splits["eval"][-1]
    rows = read_shards(examples, manifest, manifest.shards_of("train", [before]))
    return list(
        check_drift(
            computed["eval"],
            compute_statistics(rows, before),
            checks=checks,
            columns=manifest.columns,
            spans=(last, before),
        )
    )


def _outcome(
    manifest: ExamplesManifest, findings: list[Finding], schema_sha256: str, anomalies: int
) -> Outcome:
    return Outcome(
        facts={
            "rows_by_split": {split: manifest.rows_of(split) for split in SPLITS},
            "schema_sha256": schema_sha256,
            "card_sha256": manifest.card_sha256,
            "gates_checked": len(findings),
            "anomalies": anomalies,
        },
        gates=tuple(finding.gate for finding in findings),
    )
