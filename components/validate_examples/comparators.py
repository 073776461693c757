"""The largest distances that a schema itself allows, beside those of the settings.

Rules:
1. a feature's `drift_comparator` counts as `checks.drift` does, the last span against the one
   before it; where there is one span it has nothing to compare, as TFDV has it;
2. for a column that `checks.drift` or `checks.skew` names, the settings' threshold counts alone;
3. what a run does not measure is refused, never passed over: another distance than distances.py
   takes of the feature's type, numbers of rows, and a `skew_comparator`, whose other side are rows
   that were served.
Nothing here loads TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.core.data_settings import Checks
from components.core.errors import SettingsError
from components.validate_examples.schema import is_validated

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

_OF_TEXT, _OF_NUMBERS = "infinity_norm", "jensen_shannon_divergence"
_OF_ROWS = ("num_examples_drift_comparator", "num_examples_version_comparator")


def with_comparators(checks: Checks, schema: Schema, spans: int) -> Checks:
    """Return the checks with the schema's thresholds on drift, of a window of so many spans."""
    limits = comparators(schema, checks)
    return checks.model_copy(update={"drift": limits | checks.drift}) if spans > 1 else checks


def comparators(schema: Schema, checks: Checks) -> dict[str, float]:
    """Return the schema's own limits on drift; SettingsError for what cannot be held (rule 3)."""
    _require_no_row_comparator(schema)
    limits = {}
    for feature in filter(is_validated, schema.feature):
        if feature.HasField("skew_comparator") and feature.name not in checks.skew:
            raise _refused(feature, "skew", "compares with rows that were served, which no run has")
        if feature.HasField("drift_comparator") and feature.name not in checks.drift:
            limits[feature.name] = _threshold(feature)
    return limits


def _threshold(feature: Any) -> float:
    from tensorflow_metadata.proto.v0 import schema_pb2

    measured = _OF_TEXT if feature.type == schema_pb2.BYTES else _OF_NUMBERS
    named = [field.name for field, _ in feature.drift_comparator.ListFields()]
    if named != [measured]:
        asked = " and ".join(named) or "nothing"
        raise _refused(feature, "drift", f"asks for {asked}, where {measured} is measured")
    return float(getattr(feature.drift_comparator, measured).threshold)


def _refused(feature: Any, kind: str, why: str) -> SettingsError:
    return SettingsError(
        f"the schema's {kind}_comparator of {feature.name} {why}",
        remedy=f"say `checks.{kind}: {{{feature.name}: ...}}`, which counts instead, or take it "
        "out of the schema",
    )


def _require_no_row_comparator(schema: Schema) -> None:
    for name in _OF_ROWS:
        if schema.dataset_constraints.HasField(name):
            raise SettingsError(
                f"the schema's {name} compares numbers of rows, which no gate does",
                remedy="take it out of the schema; checks.minimum_rows holds for each split",
            )
