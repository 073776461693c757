"""Two months of real flights, ingested once and transformed once, for every test of the folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from kinds_run import EVERY_KIND, Kinds, fit, made_rows
from transform_run import FEATURES, Run

from components.core.artifacts import tree_digest
from components.core.canonical import sha256_bytes
from components.ingest_examples.step import IngestSettings, ingest_examples
from components.transform_features.step import TransformSettings, transform_features

FLIGHTS = Path(__file__).parents[2] / "pipelines" / "examples" / "flights"
SCHEMA = "the text that the validation names"


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((FLIGHTS / "settings.yaml").read_text())["source"]
    return values


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory, source: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("flights")
    values = {
        "source": source,
        "card": yaml.safe_load((FLIGHTS / "data_card.yaml").read_text()),
        "window": {"first": "2013-01", "last": "2013-02"},
    }
    ingest_examples(settings=IngestSettings.model_validate(values), examples=folder)
    return folder


def write_validation(folder: Path, examples: Path, **changes: Any) -> Path:
    verdict = {
        "passed": True,
        "examples_sha256": tree_digest(examples),
        "schema_sha256": sha256_bytes(SCHEMA.encode()),
    }
    folder.mkdir(parents=True)
    (folder / "validation.json").write_text(json.dumps(verdict | changes))
    return folder


@pytest.fixture(scope="session")
def transform(source: dict[str, Any]) -> Callable[..., Run]:
    """Run the step in a folder, with parts of the settings or of the validation changed."""

    def run(
        folder: Path,
        examples: Path,
        features: dict[str, Any] = FEATURES,
        schema: str = SCHEMA,
        beam: Mapping[str, Any] = MappingProxyType({}),
        preprocessing_fn: str | None = None,
        sample_weight: str | None = None,
        **validation: Any,
    ) -> Run:
        made_of: dict[str, Any] = {"features": features}
        if preprocessing_fn:
            made_of = {"preprocessing_fn": preprocessing_fn}
        settings = {
            "transform": made_of | {"sample_weight": sample_weight},
            "source": source,
            "schema": schema,
            "beam": dict(beam),
        }
        graph, made = folder / "graph", folder / "features"
        graph.mkdir(parents=True)
        made.mkdir()
        outcome = transform_features(
            settings=TransformSettings.model_validate(settings),
            examples=examples,
            validation=write_validation(folder / "validation", examples, **validation),
            transform_graph=graph,
            features=made,
        )
        return Run(examples, graph, made, outcome)

    return run


@pytest.fixture(scope="session")
def flights(
    tmp_path_factory: pytest.TempPathFactory, transform: Callable[..., Run], examples: Path
) -> Run:
    return transform(tmp_path_factory.mktemp("transformed") / "run", examples)


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    return fit(tmp_path_factory.mktemp("kinds"), EVERY_KIND, made_rows())
