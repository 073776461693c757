"""The pipeline of a TFX user before a run: rows with gaps, and stock components up to a Trainer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import foreign_models
import pytest
import yaml
from nodes_of_stock_tfx import Store
from prepared_run import run_tandem
from stock_tfx import of_training, run_stock

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from pipelines.loaded_settings import load_settings

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


class Stock(Store):
    """The folder of the use case, and what stock TFX left beside it."""

    @property
    def settings(self) -> Path:
        return self.folder / "case/settings.yaml"

    def tandem(self, *words: str) -> tuple[int, str]:
        home = ("--home", str(self.folder / "home"))
        return run_tandem(*words, *(home if words[0] != "schema" else ()), "--json")


def components_on(csv: Path, narrow: Path) -> list[Any]:
    from tfx.v1 import components

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
    transform, trainer = of_training(examples, by_schema, "parcels_of_tfx", STEPS)
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


def run_on_rows(folder: Path) -> Stock:
    """Run the pipeline; return what it left, and settings without a schema."""
    narrow = folder / "narrow.pbtxt"
    narrow.write_text(NARROW)
    run_stock(folder, components_on(write_rows(folder), narrow), "parcels")
    stock = Stock(folder)
    examples = stock.output("CsvExampleGen", "examples")
    stock.settings.write_text(yaml.safe_dump(settings_of(examples)))
    (folder / "case/parcels.pbtxt").unlink()
    return stock


def ingested(stock: Stock) -> Path:
    """Return the examples that our ingestion makes of TFX's."""
    from components.ingest_examples.step import IngestSettings, ingest_examples

    loaded = load_settings(stock.settings)
    folder = stock.folder / "examples"
    folder.mkdir()
    settings = IngestSettings(
        source=loaded.settings.source, card=loaded.card, window=loaded.settings.window
    )
    ingest_examples(settings=settings, examples=folder)
    return folder


def write_module(folder: Path, graph: str, sha256: str) -> None:
    """Write the module that names a graph, as a person would beside the settings."""
    (folder / "by_graph.py").write_text(
        "from components.transform_features.stock_graph import stock_graph\n"
        f"features = stock_graph({graph!r}, sha256={sha256!r})\n"
    )


def transformed(stock: Stock, examples: Path, folder: Path, graph: str, sha256: str) -> Path:
    """Transform the examples by a graph that a module beside the settings names."""
    from components.transform_features.step import TransformSettings, transform_features

    write_module(folder, graph, sha256)
    loaded = load_settings(stock.settings)
    verdict = {
        "passed": True,
        "examples_sha256": tree_digest(examples),
        "schema_sha256": sha256_bytes(loaded.schema.encode()),
    }
    write_json(folder / "validation/validation.json", verdict)
    values = {name: loaded.arguments()[name] for name in ("source", "schema", "beam", "train")}
    settings = TransformSettings.model_validate(
        {"transform": {"preprocessing_fn": "by_graph:features"}, **values}
    )
    outputs = {name: folder / name for name in ("transform_graph", "features")}
    for output in outputs.values():
        output.mkdir()
    given = {"examples": examples, "validation": folder / "validation"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        sys.modules.pop("by_graph", None)
        transform_features(settings=settings, **given, **outputs)
    return outputs["features"]
