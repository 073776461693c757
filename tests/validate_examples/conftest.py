"""Two months of real flights as examples, and a way to damage a copy of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from small_examples import SMALL_SCHEMA

from components.core.examples import ARROW_TYPES, ExamplesManifest
from components.validate_examples.step import ValidateSettings

ROOT = Path(__file__).parents[2]
FLIGHTS = ROOT / "pipelines" / "examples" / "flights"
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="session")
def flights_values() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((FLIGHTS / "settings.yaml").read_text())
    values["schema_text"] = (ROOT / values["schema"]).read_text()
    values["card_values"] = yaml.safe_load((FLIGHTS / "data_card.yaml").read_text())
    return values


@pytest.fixture(scope="session")
def flights_examples(
    tmp_path_factory: pytest.TempPathFactory, flights_values: dict[str, Any]
) -> Path:
    from components.ingest_examples.step import IngestSettings, ingest_examples

    folder = tmp_path_factory.mktemp("flights")
    settings = IngestSettings.model_validate(
        {
            "source": flights_values["source"],
            "card": flights_values["card_values"],
            "window": {"first": "2013-01", "last": "2013-02"},
        }
    )
    ingest_examples(settings=settings, examples=folder)
    return folder


@pytest.fixture
def damaged(flights_examples: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a copy of the examples with the rows of one split changed."""

    def damage(change: Change, splits: tuple[str, ...] = ("eval",)) -> Path:
        folder = tmp_path / "damaged"
        shutil.copytree(flights_examples, folder)
        manifest = ExamplesManifest.read(folder)
        for shard in manifest.shards:
            if shard.split in splits:
                rows = change(pq.read_table(folder / shard.path, partitioning=None))
                pq.write_table(rows, folder / shard.path)
        names = {kind: name for name, kind in ARROW_TYPES.items()}
        columns = {field.name: names[field.type] for field in rows.schema}
        manifest.model_copy(update={"columns": dict(sorted(columns.items()))}).write(folder)
        return folder

    return damage


@pytest.fixture
def make_settings(flights_values: dict[str, Any]) -> Callable[..., ValidateSettings]:
    def make(**parts: Any) -> ValidateSettings:
        return ValidateSettings.model_validate(
            {
                "schema": parts.get("schema", flights_values["schema_text"]),
                "checks": flights_values["checks"] | parts.get("checks", {}),
                "transform": parts.get("transform", flights_values["transform"]),
                "source": flights_values["source"] | parts.get("source", {}),
                "evaluate": parts.get("evaluate", flights_values["evaluate"]),
                "waivers": parts.get("waivers", []),
                "run": parts.get("run", {}),
            }
        )

    return make


@pytest.fixture
def small_settings() -> Callable[..., ValidateSettings]:
    """Return settings of the made-up rows; keywords change `checks`, `others` the rest."""

    def make(others: Mapping[str, Any] | None = None, **checks: Any) -> ValidateSettings:
        return ValidateSettings.model_validate(
            {
                "schema": SMALL_SCHEMA,
                "checks": {"minimum_rows": 1, **checks},
                "transform": {"features": {"amount": {"kind": "zscore"}}},
                "source": {
                    "table": {"location": "rows.csv"},
                    "target": {"name": "late", "column": "delay", "above": 15},
                    "spans": {"unit": "month", "columns": ["year", "month"]},
                },
                **(others or {}),
            }
        )

    return make
