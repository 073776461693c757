"""Stock TFX components take our statistics and schema: SchemaGen and ExampleValidator are run."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from prepared_run import PreparedRun
from stock_tfx import run_stock
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.core.artifacts import tree_digest
from pipelines.schema_text import read_schema

pytestmark = pytest.mark.slow
SPLITS = ("train", "eval")
UNKNOWN = "carrier"
"""A column that the narrow schema does not have."""


@pytest.fixture(scope="module")
def tfx_root(small_run: PreparedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a pipeline that TFX ran on what our stage wrote."""
    from tfx.types.standard_artifacts import ExampleStatistics, Schema
    from tfx.v1 import components, dsl

    folder = tmp_path_factory.mktemp("tfx")
    whole = text_format.Parse(small_run.arguments["schema"], schema_pb2.Schema())
    narrow = schema_pb2.Schema()
    narrow.CopyFrom(whole)
    narrow.feature.remove(next(item for item in narrow.feature if item.name == UNKNOWN))
    ours = small_run.output("validate_examples", "statistics")
    before = tree_digest(ours)
    statistics = dsl.Importer(
        source_uri=str(ours),
        artifact_type=ExampleStatistics,
        properties={"split_names": '["train", "eval"]'},
    ).with_id("our_statistics")
    given = {"statistics": statistics.outputs["result"]}
    nodes = [statistics, components.SchemaGen(**given)]
    for name, schema in (("whole", whole), ("narrow", narrow)):
        (folder / name).mkdir()
        (folder / name / "schema.pbtxt").write_text(text_format.MessageToString(schema))
        imported = dsl.Importer(source_uri=str(folder / name), artifact_type=Schema).with_id(name)
        validator = components.ExampleValidator(**given, schema=imported.outputs["result"])
        nodes += [imported, validator.with_id(f"by_{name}")]
    root = run_stock(folder, nodes)
    assert tree_digest(ours) == before
    return root


def anomalies(root: Path, node: str, split: str) -> anomalies_pb2.Anomalies:
    (path,) = (root / node / "anomalies").glob(f"*/Split-{split}/SchemaDiff.pb")
    return anomalies_pb2.Anomalies.FromString(path.read_bytes())


@pytest.mark.parametrize("split", SPLITS)
def test_the_stock_validator_finds_in_our_statistics_what_our_stage_found(
    tfx_root: Path, small_run: PreparedRun, split: str
) -> None:
    file = small_run.output("validate_examples", "validation") / f"Split-{split}" / "SchemaDiff.pb"
    ours = anomalies_pb2.Anomalies.FromString(file.read_bytes())
    theirs = anomalies(tfx_root, "by_whole", split)
    assert dict(theirs.anomaly_info) == dict(ours.anomaly_info) == {}
    assert theirs.baseline == ours.baseline
    assert set(anomalies(tfx_root, "by_narrow", split).anomaly_info) == {UNKNOWN}


def test_the_stock_schema_generator_infers_the_columns_and_types_of_our_statistics(
    tfx_root: Path, small_run: PreparedRun
) -> None:
    (path,) = (tfx_root / "SchemaGen" / "schema").glob("*/schema.pbtxt")
    inferred = {feature.name: feature.type for feature in read_schema(path).feature}
    ours = schema_pb2.Schema()
    text_format.Parse(small_run.arguments["schema"], ours)
    assert inferred == {feature.name: feature.type for feature in ours.feature}
