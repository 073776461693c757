"""How the transform is made: of declared features, or by a preprocessing_fn of the user's.

Both come to the same: raw inputs, a function that TFT traces, fitted values in preprocessing.json
and an ONNX form; from here on no one asks which it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from components.core.data_settings import Source, Transform
from components.core.examples import ExamplesManifest, InputType
from components.core.features import IdFeature
from components.transform_features.declared import declare
from components.transform_features.fitted import RawInput, read_fitted


class Named(Protocol):
    """A column of `dense` or `ids`."""

    @property
    def name(self) -> str:
        """Return the column's name."""


class Fitted(Protocol):
    """What a fitted transform says of itself."""

    @property
    def inputs(self) -> tuple[RawInput, ...]:
        """Return the raw inputs, sorted."""

    @property
    def dense(self) -> tuple[Named, ...]:
        """Return the columns of `dense` in order."""

    @property
    def ids(self) -> tuple[Named, ...]:
        """Return the columns of `ids` in order."""

    @property
    def id_features(self) -> tuple[IdFeature, ...]:
        """Return what a model must know of each column of `ids`."""

    def write(self, folder: Path) -> None:
        """Write preprocessing.json."""


@dataclass(frozen=True)
class Recipe:
    """What is analysed and applied, and how what came of it is read and carried to ONNX.

    Within `naming_the_line` what a function of the user's raises is told with its own line.
    """

    inputs: dict[str, InputType]
    preprocess: Callable[[Any], dict[str, Any]]
    read_fitted: Callable[[Path], Fitted]
    write_onnx: Callable[[Path, Any], Path]
    naming_the_line: Callable[[], AbstractContextManager[None]] = nullcontext


def recipe_of(transform: Transform, source: Source, manifest: ExamplesManifest) -> Recipe:
    """Return the recipe of a run's settings; SettingsError for what cannot be made."""
    if transform.preprocessing_fn is not None:
        return _of_function(transform.preprocessing_fn, source, manifest)
    declared = declare(transform, source, manifest)
    from components.transform_features.graph import preprocessing_fn
    from components.transform_features.onnx_form import write_onnx

    return Recipe(
        inputs=declared.inputs,
        preprocess=preprocessing_fn(declared),
        read_fitted=lambda folder: read_fitted(folder, declared),
        write_onnx=write_onnx,
    )


def _of_function(name: str, source: Source, manifest: ExamplesManifest) -> Recipe:
    from components.transform_features.function_fitted import read_function
    from components.transform_features.function_onnx import write_function_onnx
    from components.transform_features.user_function import find_function

    function = find_function(name, source, manifest)
    return Recipe(
        inputs=function.inputs,
        preprocess=function.preprocess,
        read_fitted=lambda folder: read_function(folder, function),
        write_onnx=lambda folder, _: write_function_onnx(folder, function.inputs),
        naming_the_line=function.naming_its_line,
    )
