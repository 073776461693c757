"""What TFDV says of examples against their schema.

Rules:
1. a run reads the schema and never changes it;
2. the severity of an anomaly is what `checks.severities` says of its type, else TFDV's own; an
   error is a gate (schema_gates.py), a warning is only listed, and what is to be ignored is listed
   as such;
3. TFDV's own words may quote values and go to validation.json alone.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.core.data_settings import Checks
from components.validate_examples.anomaly_kinds import WHOLE_SPLIT, kind_of
from components.validate_examples.schema import environment_of
from components.validate_examples.statistics import Statistics


@dataclass(frozen=True)
class Anomaly:
    """One reason of TFDV's; `severity` is the one that counts (rule 2)."""

    split: str
    feature: str
    type: str
    severity: str
    short: str
    description: str

    @property
    def kind(self) -> str:
        """What gates and waivers call it."""
        return kind_of(self.type)

    def to_dict(self) -> dict[str, str]:
        """Return the anomaly in TFDV's own words, for validation.json."""
        named = {"split": self.split, "feature": self.feature, "severity": self.severity.upper()}
        return named | {"type": self.type, "description": self.description}


def required_columns(schema: schema_pb2.Schema, checks: Checks) -> set[str]:
    """Return the columns whose absence is an error of the data, by a gate of its own."""
    if checks.severities.get("SCHEMA_MISSING_COLUMN", "error") != "error":
        return set()
    return {f.name for f in schema.feature if f.presence.min_fraction or f.presence.min_count}


def find_anomalies(
    statistics: Statistics, schema: schema_pb2.Schema, environment: str | None = None
) -> anomalies_pb2.Anomalies:
    """Return TFDV's anomalies of one split, in the environment asked for, else in training.

    `statistics` are those with NaN among the missing values.
    """
    known = environment_of(schema, environment)
    return tfdv.validate_statistics(statistics, schema, environment=known)


def listed(anomalies: anomalies_pb2.Anomalies, split: str, checks: Checks) -> list[Anomaly]:
    """Return every reason of every anomaly, sorted by feature."""
    return [
        Anomaly(
            split,
            name,
            type_name := anomalies_pb2.AnomalyInfo.Type.Name(reason.type),
            checks.severities.get(type_name, _own_severity(info)),
            reason.short_description,
            reason.description,
        )
        for name, info in _infos(anomalies)
        for reason in info.reason
    ]


def _own_severity(info: Any) -> str:
    """Return TFDV's severity; one that it leaves open is an error."""
    return "warning" if info.severity == anomalies_pb2.AnomalyInfo.WARNING else "error"


def _infos(anomalies: anomalies_pb2.Anomalies) -> list[tuple[str, Any]]:
    """Return (feature, info) sorted by name; what concerns the whole split goes by its name."""
    infos = sorted(
        (".".join(info.path.step) or name, info) for name, info in anomalies.anomaly_info.items()
    )
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append((WHOLE_SPLIT, anomalies.dataset_anomaly_info))
    return infos
