"""Analysis and application to rows, both on the engine that the settings name.

Why: data beyond one machine. The engine's workers write the features of their rows as parts, each
named by the position of its first row; parts.py reads them in order.

Rules: a part is written beside and renamed, so that a bundle that an engine tries again leaves the
same file; workers must see the folder of parts under the same path.

This module imports Beam and TFT: import it inside functions only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_transform.beam as tft_beam

from components.core import beam_engine
from components.core.data_settings import Beam
from components.core.errors import IntegrityError
from components.core.examples import SPLITS, ExamplesManifest, InputType
from components.core.row_groups import row_groups
from components.transform_features.analysis import Preprocess, scratch_folder
from components.transform_features.beam_rows import POSITION, ReadRowGroup, adapter_config


def transform_on_beam(
    examples: Path,
    inputs: Mapping[str, InputType],
    preprocess: Preprocess,
    transform_graph: Path,
    parts: Path,
    engine: Beam,
) -> None:
    """Analyze the training split, write TFT's output, and the features of all rows into `parts`."""
    manifest = ExamplesManifest.read(examples)
    config = adapter_config(inputs, positions=True)
    with (
        scratch_folder(engine, transform_graph) as scratch,
        tft_beam.Context(temp_dir=scratch, passthrough_keys={POSITION}),
        beam_engine.pipeline(engine) as pipeline,
    ):
        rows = {
            split: pipeline
            | f"RowGroups-{split}" >> beam.Create(row_groups(examples, manifest, [split]))
            | f"Rows-{split}" >> beam.ParDo(ReadRowGroup(inputs, positions=True))
            for split in SPLITS
        }
        analyzed = tft_beam.AnalyzeAndTransformDataset(preprocess, output_record_batches=True)
        (train, _), fitted = (rows["train"], config) | "Train" >> analyzed
        applied = tft_beam.TransformDataset(output_record_batches=True)
        evaluation, _ = ((rows["eval"], config), fitted) | "Eval" >> applied
        _ = fitted | tft_beam.WriteTransformFn(str(transform_graph))
        for split, made in (("train", train), ("eval", evaluation)):
            folder = parts / split
            folder.mkdir()
            _ = made | f"Write-{split}" >> beam.ParDo(_WritePart(str(folder)))


class _WritePart(beam.DoFn):  # type: ignore[misc]
    """Write one batch of features as a part."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def process(self, element: tuple[pa.RecordBatch, Any]) -> None:
        """Write the batch under the position of its first row."""
        batch = element[0]
        positions = batch.column(POSITION).flatten().to_numpy()
        if not len(positions):
            return
        if (np.diff(positions) != 1).any():
            raise IntegrityError(
                "the engine gave rows of one batch back in another order",
                remedy="use another version of the engine; nothing of it can be used",
            )
        path = Path(self._folder, f"{positions[0]:015d}.arrow")
        beside = path.with_suffix(f".{os.getpid()}")
        with pa.ipc.new_file(str(beside), batch.schema) as writer:
            writer.write_batch(batch)
        beside.replace(path)
