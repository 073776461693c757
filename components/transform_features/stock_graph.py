"""A TransformGraph of TFX's Transform as a preprocessing_fn of a user's: applied, not fitted anew.

Why: a team's fitted transform stays what it is, while models, gates and records change.

Rules:
1. a module beside the settings names it, `features = stock_graph(FOLDER, sha256=...)`, and the
   settings that: the digest stands in code that the run's cache goes by, and in the stage's record;
2. it is given those of its raw features that the examples have, as it was made for: a missing one
   is no value of a sparse feature; features that need others, such as the label's, are not made;
3. what holds of every preprocessing_fn holds of it: its floats are dense features, its whole
   numbers ids, and all of it is carried over to ONNX and compared on every evaluation row.

This module imports TensorFlow and TFT only inside functions.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import tree_digest
from components.core.errors import SettingsError
from components.core.sources import sources_folder
from components.reading.places import PACKAGE, package_folder

PARTS = (
    "transform_fn/saved_model.pb",
    "metadata/schema.pbtxt",
    "transformed_metadata/schema.pbtxt",
)


@dataclass(frozen=True)
class StockGraph:
    """The preprocessing_fn that applies a TransformGraph; its folder is looked at when it is."""

    folder: str
    sha256: str

    def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the graph's features; SettingsError for no TransformGraph, or another one."""
        import tensorflow_transform as tft

        graph = tft.TFTransformOutput(self._verified())
        spec = graph.raw_feature_spec()
        names = sorted(spec.keys() & inputs.keys())
        given = {name: _as_parsed(inputs[name], spec[name], name) for name in names}
        layer = tft.make_and_track_object(graph.transform_features_layer, name="stock_graph")
        return dict(layer(given))

    def _verified(self) -> str:
        place = self._place()
        if missing := [part for part in PARTS if not (place / part).is_file()]:
            raise SettingsError(
                f"{self.folder} is no TransformGraph: it has no {missing[0]}",
                remedy="name the folder of an artifact of TFX's Transform",
            )
        actual = tree_digest(place)
        if actual != self.sha256:
            raise SettingsError(
                f"{self.folder} is not the TransformGraph that sha256 names: its digest is "
                f"{actual}",
                remedy="restore it, or correct the digest",
                expected=self.sha256,
                actual=actual,
            )
        return str(place)

    def _place(self) -> Path:
        if self.folder.startswith(PACKAGE):
            folder, inner = package_folder(self.folder)
            return folder / inner
        return sources_folder() / self.folder


def stock_graph(folder: str, sha256: str) -> StockGraph:
    """Return the preprocessing_fn of a TransformGraph.

    `folder` is absolute, starts at the settings file's folder, or is package://PACKAGE/PATH.
    """
    return StockGraph(folder, sha256)


def graphs_named_in(modules: Iterable[str]) -> list[str]:
    """Return the digests of the graphs that loaded modules have at their top level, sorted."""
    values = (value for name in modules for value in vars(sys.modules[name]).values())
    return sorted({value.sha256 for value in values if isinstance(value, StockGraph)})


def _as_parsed(column: Any, spec: Any, name: str) -> Any:
    """Return a column [batch] as the graph parses its feature (rule 2)."""
    import tensorflow as tf

    from components.graphs.parsed_columns import as_dense, as_sparse

    sparse = isinstance(spec, tf.io.VarLenFeature)
    dense = isinstance(spec, tf.io.FixedLenFeature) and math.prod(spec.shape) == 1
    if not (sparse or dense):
        raise SettingsError(
            f"the TransformGraph takes {name} with several values, and a row here has one of each "
            "column",
            remedy="fit it on features of one value, or leave the column out of the examples",
        )
    if (column.dtype == tf.string) != (spec.dtype == tf.string):
        raise SettingsError(
            f"the TransformGraph takes {name} as {spec.dtype.name}, and the examples hold "
            f"{column.dtype.name}",
            remedy="correct source.table.types",
        )
    if sparse:
        return as_sparse(column, spec.dtype)
    return as_dense(column, spec.dtype, spec.shape, spec.default_value)
