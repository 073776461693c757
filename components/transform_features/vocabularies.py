"""All vocabularies by one analyzer: TFT's rules, in Beam stages that all columns share.

Why: each tft.vocabulary brings a dozen Beam stages of its own, two to three seconds a column on one
machine, whatever the data. Here the texts of all columns go through the same few stages: counted by
batch, summed by column and text, cut to the most frequent ones by column.

Rules, those of tft.vocabulary: texts go by descending frequency, then by descending bytes; "" and
texts with a line break are in no vocabulary; a vocabulary that would be empty has one line,
NOTHING, because no table can be without one, and `fitted.read_fitted` refuses it. The file is
called as the feature. What is kept in memory is one batch's counts and one vocabulary per column.

This module imports Beam and TFT: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.io.filesystems import FileSystems
from tensorflow_transform.beam.experimental import PTransformAnalyzer

from components.transform_features.feature_kinds import (
    Vocabulary,
)
from components.transform_features.fitted import NOTHING

Counted = tuple[tuple[int, bytes], int]
Words = list[tuple[int, bytes]]


def vocabulary_files(
    raw: Mapping[str, tf.Tensor], features: tuple[Vocabulary, ...]
) -> dict[str, tf.Tensor]:
    """Return {feature: the path of its vocabulary}, for tft.apply_vocabulary."""
    columns = sorted({feature.column for feature in features})
    files = tft.experimental.ptransform_analyzer(
        inputs=[raw[column] for column in columns],
        ptransform=_Vocabularies(columns, features),
        output_dtypes=[tf.string] * len(features),
        output_shapes=[[]] * len(features),
        output_asset_default_values=[NOTHING.encode()] * len(features),
        name="vocabularies",
    )
    return {feature.name: file for feature, file in zip(features, files, strict=True)}


class _Vocabularies(PTransformAnalyzer):  # type: ignore[misc]
    """Batches of texts, one array a column, to the paths of the vocabularies."""

    def __init__(self, columns: list[str], features: tuple[Vocabulary, ...]) -> None:
        super().__init__()
        self._places = [columns.index(feature.column) for feature in features]
        self._features = features

    def expand(self, batches: beam.PCollection) -> tuple[beam.PCollection, ...]:
        most = max(feature.top_k for feature in self._features)
        least = min(feature.minimum_count for feature in self._features)
        words = (
            batches
            | "CountInBatch" >> beam.FlatMap(_count)
            | "Sum" >> beam.CombinePerKey(sum)
            | "Frequent" >> beam.Filter(_frequent, least)
            | "ByColumn" >> beam.MapTuple(lambda key, count: (key[0], (count, key[1])))
            | "MostFrequent" >> beam.combiners.Top.PerKey(most)
            | "All" >> beam.combiners.ToDict()
        )
        names = [str(place) for place in range(len(self._features))]
        written = words | "Write" >> beam.FlatMap(
            _write, self.base_temp_dir, self._features, self._places
        ).with_outputs(*names)
        return tuple(written[name] for name in names)


def _count(batch: tuple[np.ndarray[Any, Any], ...]) -> Iterator[Counted]:
    for place, texts in enumerate(batch):
        counts = pc.value_counts(pa.array(texts.ravel(), pa.binary()))
        found = zip(
            counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True
        )
        for text, count in found:
            if text and b"\n" not in text and b"\r" not in text:
                yield (place, text), count


def _frequent(counted: Counted, least: int) -> bool:
    return counted[1] >= least


def _write(
    by_place: Mapping[int, Words], folder: str, features: Iterable[Vocabulary], places: list[int]
) -> Iterator[Any]:
    """Write every vocabulary, and yield each one's path under the number of its feature."""
    for number, (feature, place) in enumerate(zip(features, places, strict=True)):
        path = FileSystems.join(folder, feature.name)
        words = [
            text
            for count, text in by_place.get(place, [])[: feature.top_k]
            if count >= feature.minimum_count
        ]
        with FileSystems.create(path, "application/octet-stream") as file:
            file.write(b"".join(text + b"\n" for text in words or [NOTHING.encode()]))
        yield beam.pvalue.TaggedOutput(str(number), np.array(path))
