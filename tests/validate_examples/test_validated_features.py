"""Which features are held against their schema: TFDV decides, and our own gates ask as it does."""

from __future__ import annotations

import pyarrow as pa
import pytest
from computed_statistics import compute_statistics
from schema_of_rows import window_of
from small_examples import write_examples
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.core.data_settings import Checks
from components.core.examples import ExamplesManifest
from components.validate_examples.schema import is_validated, parse_schema

pytestmark = pytest.mark.slow
STAGES = schema_pb2.LifecycleStage.keys()
BOTH = 'default_environment: "training" default_environment: "serving"'


def schema_of(feature: str, environments: str) -> schema_pb2.Schema:
    domain = 'type: BYTES string_domain { value: "known" }'
    return parse_schema(f'{environments} feature {{ name: "text" {domain} {feature} }}')


@pytest.mark.parametrize("mass", ["", *(f"min_domain_mass: {n / 20}" for n in (10, 16, 18, 19))])
@pytest.mark.parametrize(("missing", "strange"), [(0, 5), (0, 10), (0, 11), (60, 2), (60, 3)])
def test_as_many_values_may_be_outside_a_domain_as_tfdv_lets(tmp_path, mass, missing, strange):
    from components.validate_examples.anomalies import find_anomalies
    from components.validate_examples.rows import scan
    from components.validate_examples.schema_gates import SchemaGates

    schema = schema_of(f"distribution_constraints {{ {mass} }}" if mass else "", "")
    texts = [None] * missing + ["new"] * strange
    texts += ["known"] * (100 - len(texts))
    rows = pa.table({"late": [n % 2 for n in range(100)], "text": texts})
    shards = {("train", "2024-01"): rows, ("eval", "2024-02"): rows}
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards))
    gates = SchemaGates([], schema, manifest, Checks())
    findings = list(gates.findings(scan(tmp_path, manifest, gates.questions).answers))
    found = find_anomalies(compute_statistics(rows, "train"), schema).anomaly_info
    assert {finding.gate.passed for finding in findings} == {"text" not in found}


@pytest.mark.parametrize("environments", ["", BOTH])
@pytest.mark.parametrize(
    "feature",
    [
        "",
        *(f"lifecycle_stage: {stage}" for stage in STAGES),
        'not_in_environment: "training"',
        'not_in_environment: "serving"',
        'in_environment: "training"',
    ],
)
def test_a_domain_is_asked_about_where_tfdv_finds_new_values(tmp_path, feature, environments):
    from components.validate_examples.anomalies import find_anomalies
    from components.validate_examples.schema_gates import SchemaGates

    schema = schema_of(feature, environments)
    rows = pa.table({"text": ["known", "new"] * 50})
    found = find_anomalies(compute_statistics(rows, "train"), schema).anomaly_info
    kinds = {reason.type for info in found.values() for reason in info.reason}
    judged = anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES in kinds
    assert is_validated(schema.feature[0]) is judged
    manifest = ExamplesManifest.read(write_examples(tmp_path, {("train", "2024-01"): rows}))
    assert bool(SchemaGates([], schema, manifest, Checks()).questions) is judged


@pytest.mark.parametrize(("allowed", "stops"), [(0.03, False), (0.029, True)])
def test_a_review_and_a_run_agree_on_how_much_may_be_new_where_values_are_missing(
    tmp_path, allowed, stops
):
    from components.validate_examples.rows import scan
    from components.validate_examples.schema_gates import SchemaGates
    from pipelines.schema_life.difference import differences

    domain = 'type: BYTES string_domain { value: "a" }'
    schema = parse_schema(f'feature {{ name: "t" {domain} }} feature {{ name: "late" type: INT }}')
    texts = [None] * 50 + ["a"] * 47 + ["new"] * 3
    table = pa.table({"late": [n % 2 for n in range(100)], "t": texts})
    checks = Checks(new_values=allowed)
    splits = {"train": table, "eval": table.slice(0, 0)}
    (found,) = differences(window_of(splits, "late"), schema, checks)
    assert (found.data_says, found.stops) == ("1 new value in 3 % of the rows", stops)

    shards = {("train", "2024-01"): table, ("eval", "2024-02"): table}
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards))
    gates = SchemaGates([], schema, manifest, checks)
    findings = gates.findings(scan(tmp_path, manifest, gates.questions).answers)
    assert {finding.gate.passed for finding in findings} == {not stops}
