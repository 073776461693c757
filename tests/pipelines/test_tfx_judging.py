"""What JudgeModel goes by beside rows and model, and where it has the rows read: no TFX is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import foreign_models
import pytest
import yaml
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.core.data_settings import Table
from components.core.errors import SettingsError
from components.reading.locations import find_files
from pipelines.loaded_settings import load_settings
from pipelines.tfx_judging import require_fit, rows_of, state_of

TYPES: dict[str, Any] = {"distance": "float64"}
TABLES: dict[str, dict[str, Any]] = {
    "of files": {"location": "rows.csv", "format": "csv", "types": TYPES, "sha256": "0" * 64},
    "of a query": {"query": "SELECT * FROM rows", "database": "shop", "types": TYPES},
}


def changed(file: Path, **sections: dict[str, Any]) -> str:
    values = yaml.safe_load(file.read_text())
    for name, section in sections.items():
        values[name] = values.get(name, {}) | section
    file.write_text(yaml.safe_dump(values))
    return str(file)


@pytest.mark.parametrize("own", TABLES)
def test_the_examples_take_the_place_of_the_settings_own_table_whatever_that_was(
    tmp_path: Path, own: str
) -> None:
    file = foreign_models.write_use_case(tmp_path)
    settings = changed(file, source={"table": TABLES[own]})
    (tmp_path / "examples/Split-eval").mkdir(parents=True)
    read = load_settings(file, [rows_of(tmp_path / "examples", settings)]).settings.source.table
    location = f"{tmp_path}/examples/Split-*/*.gz"
    assert read == Table(location=location, format="tfrecord", types=TYPES)


@pytest.mark.parametrize("root", ["[1]", "a*", "a?", "{span}", "{split}", "a{b}", "[!x]", "\\["])
def test_the_examples_are_found_whatever_the_pipeline_s_root_is_called(
    tmp_path: Path, root: str
) -> None:
    file = foreign_models.write_use_case(tmp_path)
    splits = {"by": "column", "column": "split", "eval_values": ["eval"]}
    settings = changed(file, source={"splits": splits})
    examples = tmp_path / root / "examples/1"
    for split in ("eval", "train"):
        (examples / f"Split-{split}").mkdir(parents=True)
        (examples / f"Split-{split}/data.gz").write_bytes(b"")
    (tmp_path / "a1/examples/1/Split-eval").mkdir(parents=True)
    (tmp_path / "a1/examples/1/Split-eval/data.gz").write_bytes(b"")
    table = load_settings(file, [rows_of(examples, settings)]).settings.source.table
    found = find_files(str(table.location))
    assert [(file.split, file.path) for file in found] == [
        (split, f"{examples}/Split-{split}/data.gz") for split in ("eval", "train")
    ]


def test_a_changed_join_and_a_changed_result_of_tfx_s_validator_are_another_state(
    tmp_path: Path,
) -> None:
    file, home = foreign_models.write_use_case(tmp_path), str(tmp_path / "home")
    ports, found = tmp_path / "ports.csv", tmp_path / "found/Split-eval/SchemaDiff.pb"
    ports.write_text("origin,gates\nEWR,1\n")
    found.parent.mkdir(parents=True)
    found.write_bytes(anomalies_pb2.Anomalies().SerializeToString())
    join = {"location": "ports.csv", "on": ["origin"], "columns": ["gates"]}
    settings = changed(
        file,
        source={"joins": {"ports": join}, "leakage": ["gates"]},
        checks={"example_validator": {"location": "found"}},
    )
    before = state_of(settings, home)
    assert state_of(settings, home) == before
    ports.write_text("origin,gates\nEWR,2\n")
    after = state_of(settings, home)
    found.write_bytes(b"something else")
    assert len({before, after, state_of(settings, home)}) == 3


BY_LOCATION = {
    "table": {"location": "{span}.csv"},
    "spans": {"unit": "month", "from_location": True},
}


@pytest.mark.parametrize(
    ("source", "data", "words"),
    [
        ({}, "all", "--data all: no span"),
        ({}, "2013-03-01", "spans of unit month are written like 2013-01"),
        (BY_LOCATION, "2013-03", "spans.from_location and {span} in table.location"),
    ],
)
def test_spans_that_the_examples_cannot_have_are_found_before_there_are_any(
    tmp_path: Path, source: dict[str, Any], data: str, words: str
) -> None:
    settings = changed(foreign_models.write_use_case(tmp_path), source=source)
    with pytest.raises(SettingsError) as caught:
        require_fit(settings, data)
    assert caught.value.message.startswith(f"JudgeModel with {settings} and data {data}: ")
    assert words in caught.value.message
    assert "`data`" in caught.value.remedy


def test_what_no_schema_can_have_is_found_before_there_are_examples(tmp_path: Path) -> None:
    settings = changed(foreign_models.write_use_case(tmp_path), evaluate={"slices": [["distance"]]})
    with pytest.raises(SettingsError, match="distance"):
        require_fit(settings, "2013-03")


def test_settings_that_examples_may_fit_are_let_pass_without_any(tmp_path: Path) -> None:
    require_fit(str(foreign_models.write_use_case(tmp_path)), "2013-03")


def test_another_signature_is_another_state_and_one_that_cannot_be_used_is_refused(
    tmp_path: Path,
) -> None:
    settings, home = str(foreign_models.write_use_case(tmp_path)), str(tmp_path / "home")
    file = foreign_models.write_signature(tmp_path / "columns.yaml")
    states = {state_of(settings, home), state_of(settings, home, str(file))}
    foreign_models.write_signature(file, positive=0)
    assert len(states | {state_of(settings, home, str(file))}) == 3
    file.write_text("inputs: []")
    with pytest.raises(SettingsError, match=r"columns.yaml: inputs"):
        state_of(settings, home, str(file))
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        state_of(settings, home, str(tmp_path / "none.yaml"))
    assert "JudgeModel" in caught.value.remedy
