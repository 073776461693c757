"""Our stages on what stock TFX wrote: examples and their schema.

CsvExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Transform and Trainer ran it; nothing of
what they wrote is changed by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import foreign_models
import pytest
import yaml
from prepared_run import run_tandem
from stock_tfx import run_stock

from pipelines.loaded_settings import load_settings
from pipelines.schema_text import read_schema

pytestmark = pytest.mark.slow
STEPS = 40
GAPS = {"distance": 7, "origin": 11}
"""Of every so many rows one lacks the column."""


def write_rows(folder: Path) -> Path:
    """Write the small use case's rows with gaps, alone in a folder, as CsvExampleGen reads them."""
    file = foreign_models.write_use_case(folder / "case").parent / "rows.csv"
    header, *lines = file.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for name, every in GAPS.items():
        place = header.split(",").index(name)
        for row in rows[::every]:
            row[place] = ""
    (folder / "csv").mkdir()
    written = folder / "csv/rows.csv"
    written.write_text("\n".join([header, *map(",".join, rows)]) + "\n")
    file.unlink()
    return written.parent


NARROW = "".join(
    f'feature {{ name: "{name}" type: {kind} }}\n'
    for name, kind in (("came", "BYTES"), ("distance", "FLOAT"), ("month", "INT"), ("year", "INT"))
)
"""A schema that does not have origin."""


class Stock:
    """The folder of the use case, and what stock TFX left beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "case/settings.yaml"

    def output(self, node: str, port: str) -> Path:
        (found,) = (self.folder / "root" / node / port).iterdir()
        return found

    def tandem(self, *words: str) -> tuple[int, str]:
        home = ("--home", str(self.folder / "home"))
        return run_tandem(*words, *(home if words[0] != "schema" else ()), "--json")


def components_on(csv: Path, narrow: Path) -> list[Any]:
    from tfx.v1 import components, proto

    rows = components.CsvExampleGen(input_base=str(csv))
    examples = {"examples": rows.outputs["examples"]}
    statistics = components.StatisticsGen(**examples)
    schema = components.SchemaGen(statistics=statistics.outputs["statistics"])
    by_schema = {"schema": schema.outputs["schema"]}
    validator = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], **by_schema
    )
    other = components.ImportSchemaGen(schema_file=str(narrow))
    by_narrow = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=other.outputs["schema"]
    ).with_id("by_narrow")
    transform = components.Transform(
        **examples, **by_schema, preprocessing_fn="parcels_of_tfx.preprocessing_fn"
    )
    trainer = components.Trainer(
        run_fn="parcels_of_tfx.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=proto.TrainArgs(num_steps=STEPS),
        eval_args=proto.EvalArgs(num_steps=1),
    )
    return [rows, statistics, schema, validator, other, by_narrow, transform, trainer]


def settings_of(examples: Path) -> dict[str, Any]:
    """Return the use case's settings with TFX's rows in the place of its own."""
    source = {
        "table": {"location": f"{examples}/Split-{{split}}/*.gz", "format": "tfrecord"},
        "spans": {"unit": "none"},
        "splits": {"by": "column", "column": "split", "eval_values": ["eval"]},
        "target": {"name": "late", "column": "came", "equals": "late"},
        "leave_out": ["split", "year", "month"],
    }
    settings = {k: v for k, v in foreign_models.SETTINGS.items() if k != "window"}
    return settings | {"source": source}


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    folder = tmp_path_factory.mktemp("stock")
    narrow = folder / "narrow.pbtxt"
    narrow.write_text(NARROW)
    run_stock(folder, components_on(write_rows(folder), narrow), "parcels")
    stock = Stock(folder)
    examples = stock.output("CsvExampleGen", "examples")
    stock.settings.write_text(yaml.safe_dump(settings_of(examples)))
    (folder / "case/parcels.pbtxt").unlink()
    given = stock.output("SchemaGen", "schema")
    code, answer = stock.tandem("schema", "import-tfx", str(stock.settings), str(given))
    assert code == 0, answer
    said = json.loads(answer)
    assert (said["left_out"], said["added"]) == (["came", "month", "year"], ["late"])
    return stock


def test_the_schema_that_tfx_inferred_lets_pass_the_rows_that_it_was_inferred_of(
    stock: Stock,
) -> None:
    code, answer = stock.tandem("schema", "review", str(stock.settings))
    assert (code, json.loads(answer)["differences"]) == (0, [])
    found = read_schema(stock.folder / "case/parcels.pbtxt")
    assert [feature.name for feature in found.feature] == ["distance", "late", "origin"]
    assert [domain.name for domain in found.string_domain] == ["origin"]


def test_tfx_s_rows_pass_ingestion_and_validation_by_tfx_s_schema(
    stock: Stock, tmp_path: Path
) -> None:
    from components.ingest_examples.step import IngestSettings, ingest_examples
    from components.validate_examples.step import ValidateSettings, validate_examples

    loaded = load_settings(stock.settings)
    folders = {name: tmp_path / name for name in ("examples", "statistics", "validation")}
    for folder in folders.values():
        folder.mkdir()
    settings = loaded.settings
    given = IngestSettings(source=settings.source, card=loaded.card, window=settings.window)
    ingest_examples(settings=given, examples=folders["examples"])
    names = ("checks", "transform", "source", "schema")
    values = {name: loaded.arguments()[name] for name in names}
    outcome = validate_examples(settings=ValidateSettings.model_validate(values), **folders)
    assert outcome.gates
    assert all(gate.passed for gate in outcome.gates)
