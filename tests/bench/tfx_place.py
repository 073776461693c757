"""The same work laid out for stock TFX: our examples as CSV by split, and our EvalConfig.

Rules: stock gets the rows after our joins and our filter, because CsvExampleGen joins nothing; the
time to write them counts for neither side. The metrics and slices are those of our
eval_config.json; the gate is that of the settings' policy which TFMA has, AUC's. No smallest slice
is named: where there are one and a gate, TFMA blesses no model whose data has a smaller slice.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow.csv

from components.core.artifacts import read_json, write_json
from components.core.examples import read_split
from components.core.features import FeatureSpec

EVAL_CONFIG = "eval_config.json"


def lay_out(run: Path, place: Path, arguments: dict[str, Any]) -> None:
    """Write into `place` what stock_pipeline.py reads, from one of our runs."""
    for split in ("train", "eval"):
        folder = place / "csv" / split
        folder.mkdir(parents=True)
        rows = read_split(run / "artifacts/ingest-examples/examples", split)
        with (folder / "flights.csv").open("wb") as file:
            # CsvExampleGen takes a header's quotes for a part of the names.
            file.write(",".join(rows.column_names).encode() + b"\n")
            pyarrow.csv.write_csv(rows, file, pyarrow.csv.WriteOptions(include_header=False))
    write_json(place / EVAL_CONFIG, eval_config(run, arguments))


def eval_config(run: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return our EvalConfig with the gate of the settings."""
    ours = run / "artifacts/evaluate-models/evaluation/tensorflow" / EVAL_CONFIG
    config: dict[str, Any] = read_json(ours)["evalConfig"]
    (gate,) = [g for g in arguments["policy"]["gates"] if g["metric"] == "auc"]
    for metric in config["metricsSpecs"][0]["metrics"]:
        if metric["className"] == "AUC":
            # Of all rows alone: a plain threshold holds for every slice, small ones too.
            threshold = {"valueThreshold": {"lowerBound": gate["threshold"]}}
            metric["perSliceThresholds"] = [{"slicingSpecs": [{}], "threshold": threshold}]
    return config


def steps(run: Path, arguments: dict[str, Any]) -> int:
    """Return how many steps each of our trainers took."""
    train = arguments["train"]
    rows = FeatureSpec.read(run / "artifacts/transform-features/features").rows["train"]
    return int(train["epochs"]) * math.ceil(rows / train["batch_size"])
