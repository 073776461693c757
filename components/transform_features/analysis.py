"""Fit the transform: TFT's analysis on Beam, over the training split, one row group at a time.

Only the training split is looked at. This module imports Beam and TFT: import it inside functions
only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow_transform.beam as tft_beam

from components.core import beam_engine
from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, InputType
from components.core.row_groups import row_groups
from components.transform_features.beam_rows import ReadRowGroup, adapter_config

Preprocess = Callable[[Any], dict[str, Any]]


def analyze(
    examples: Path,
    inputs: dict[str, InputType],
    preprocess: Preprocess,
    transform_graph: Path,
    engine: Beam,
) -> None:
    """Analyze the training split and write TFT's output into `transform_graph`."""
    groups = row_groups(examples, ExamplesManifest.read(examples), ["train"])
    with (
        scratch_folder(engine, transform_graph) as scratch,
        tft_beam.Context(temp_dir=scratch),
        beam_engine.pipeline(engine) as pipeline,
    ):
        rows = (
            pipeline
            | "RowGroups" >> beam.Create(groups, reshuffle=engine.runner != "FnApiRunner")
            | "Rows" >> beam.ParDo(ReadRowGroup(inputs))
        )
        fitted = (rows, adapter_config(inputs)) | tft_beam.AnalyzeDataset(preprocess)
        _ = fitted | tft_beam.WriteTransformFn(str(transform_graph))


@contextmanager
def scratch_folder(engine: Beam, beside: Path) -> Iterator[str]:
    """Yield where TFT keeps its passing files: the option temp_location, else within `beside`."""
    if named := engine.options.get("temp_location"):
        yield named
        return
    with tempfile.TemporaryDirectory(prefix=".tft-", dir=beside) as scratch:
        yield scratch
