"""A schema of TFX's becomes one of the examples: by what the settings say of their rows."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Source
from components.core.errors import SettingsError
from pipelines.cli import main
from pipelines.schema_life.from_tfx import schema_of_examples
from pipelines.schema_text import read_schema, write

ROWS = """
feature { name: "id" type: INT presence { min_fraction: 1.0 min_count: 1 }
          shape { dim { size: 1 } } }
feature { name: "ended" type: BYTES presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "tips" type: FLOAT value_count { min: 1 max: 1 }
          presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "zip" type: INT int_domain { min: 1 max: 99 } presence { min_fraction: 1.0 } }
feature { name: "company" type: BYTES domain: "company" presence { min_fraction: 1.0 } }
string_domain { name: "company" value: "A" }
"""


def source(**changes: Any) -> Source:
    values = {
        "table": {"location": "rows/Split-*/*.gz", "format": "tfrecord"},
        "spans": {"unit": "none"},
        "splits": {"by": "hash", "column": "id"},
        "target": {"name": "tipped", "column": "tips", "above": 3},
    }
    return Source.model_validate(values | changes)


def parsed(text: str = ROWS) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def made(text: str = ROWS, **changes: Any) -> dict[str, Any]:
    found = schema_of_examples(parsed(text), source(**changes))
    return {feature.name: feature for feature in found.feature}


def test_the_schema_of_tfx_s_own_taxi_rows_becomes_one_of_examples() -> None:
    (tfx,) = find_spec("tfx").submodule_search_locations
    stock = read_schema(Path(tfx) / "components/testdata/schema_gen/schema.pbtxt")
    found = schema_of_examples(stock, source(splits={"by": "hash", "column": "trip_seconds"}))
    names = {feature.name for feature in found.feature}
    assert names == {feature.name for feature in stock.feature} - {"tips"} | {"tipped"}
    may_miss = {f.name for f in found.feature if not f.presence.HasField("min_fraction")}
    assert {"company", "pickup_latitude"} <= may_miss
    assert not {"fare", "payment_type", "tipped"} & may_miss
    assert list(found.default_environment) == ["training", "serving"]
    assert text_format.Parse(write(found), schema_pb2.Schema()) == found


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"above": 3}, "type: INT bool_domain { }"),
        ({"classes": ["1", "2", "3"]}, "type: INT int_domain { min: 0 max: 2 }"),
        ({"number": True}, "type: FLOAT"),
    ],
)
def test_the_label_is_what_the_target_asks(target: dict[str, Any], expected: str) -> None:
    label = made(target={"name": "tipped", "column": "tips"} | target)["tipped"]
    assert list(label.not_in_environment) == ["serving"]
    assert label.presence.min_fraction == label.shape.dim[0].size == 1
    for field in ("name", "presence", "shape", "not_in_environment"):
        label.ClearField(field)
    assert label == text_format.Parse(expected, schema_pb2.Feature())


def test_what_ingestion_leaves_out_and_adds_is_out_of_the_schema_and_in_it() -> None:
    found = made(
        table={
            "location": "rows/Split-{split}/*.gz",
            "format": "tfrecord",
            "types": {"ended": "timestamp", "zip": "string"},
        },
        leave_out=["id"],
        leakage=["company"],
        dates=["ended"],
    )
    assert sorted(found) == ["ended_day", "ended_second", "split", "tipped", "zip"]
    assert found["zip"].type == schema_pb2.BYTES
    assert found["zip"].WhichOneof("domain_info") is None


def test_what_a_query_on_the_rows_makes_need_not_be_in_their_schema() -> None:
    query = {"query": "SELECT *, tips > 3 AS well FROM rows", "database": "taxi"}
    target = {"name": "tipped", "column": "well", "above": 0}
    found = made(table=query, target=target, leakage=["well", "tips"])
    assert sorted(found) == ["company", "ended", "id", "tipped", "zip"]


def test_a_domain_that_no_column_has_any_more_is_gone() -> None:
    assert schema_of_examples(parsed(), source()).string_domain
    assert not schema_of_examples(parsed(), source(leave_out=["company"])).string_domain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROWS.replace("tips", "tip"), "the schema has no tips.*did you mean tip"),
        (ROWS.replace("size: 1", "size: 3"), "id has several values"),
        (ROWS.replace("min: 1 max: 1", "min: 2 max: 4"), "tips has several values"),
        (ROWS.replace("type: FLOAT", "type: STRUCT"), "tips is nested or of type STRUCT"),
        (ROWS + 'sparse_feature { name: "of_two" }', "of_two is made of several features"),
        (ROWS + 'feature { name: "tipped" type: INT }', "tipped, which ingestion adds"),
    ],
)
def test_a_schema_of_other_rows_is_refused_with_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        made(text)


def test_the_command_writes_over_nothing_and_names_a_file_that_is_cut(
    values: dict[str, Any], write_settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_settings(values).parent
    artifact = folder / "SchemaGen"
    artifact.mkdir()
    (artifact / "schema.pbtxt").write_text(ROWS[: ROWS.index("max: 99")])
    command = ["schema", "import-tfx", str(folder), str(artifact)]
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*command, "-o", str(folder / "new.pbtxt")]) == 2
    assert f"error: {artifact / 'schema.pbtxt'}, line " in capsys.readouterr().err
    assert main([*command[:-1], str(folder / "none"), "-o", str(folder / "new.pbtxt")]) == 2
    assert f"{folder / 'none'} cannot be read" in capsys.readouterr().err
    assert not (folder / "new.pbtxt").exists()
