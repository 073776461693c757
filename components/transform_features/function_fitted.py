"""What a user's preprocessing_fn came to: its inputs, its features, and how many ids each has.

It stands where FittedTransform stands for declared features, and is the same file,
preprocessing.json; what TFT fitted inside the function is in the graph and its assets, whose
digests are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from components.core.artifacts import manifest, write_json
from components.core.errors import DataError
from components.core.features import IdFeature
from components.core.settings import Section
from components.transform_features.fitted import FILE_NAME, Constants, RawInput
from components.transform_features.user_function import EVER_NODE, LARGEST_NODE, UserFunction

_MOST_IDS = 2**31 - 2


class FunctionValue(Section):
    """One column of `dense`."""

    name: str
    kind: Literal["preprocessing_fn"] = "preprocessing_fn"


class FunctionIds(Section):
    """One column of `ids`: 0 to size - 1; what else the function gives has the id `size`."""

    name: str
    kind: Literal["preprocessing_fn"] = "preprocessing_fn"
    size: int
    further: Literal[1] = 1


class FittedFunction(Section):
    """The whole transform; `dense` and `ids` are in the order of the features' columns."""

    version: Literal[1] = 1
    preprocessing_fn: str
    inputs: tuple[RawInput, ...]
    dense: tuple[FunctionValue, ...]
    ids: tuple[FunctionIds, ...]
    assets: dict[str, str]

    @property
    def id_features(self) -> tuple[IdFeature, ...]:
        """Return what a model must know of each column of `ids`."""
        return tuple(IdFeature(name=c.name, size=c.size, further=c.further) for c in self.ids)

    def write(self, folder: Path) -> None:
        """Write preprocessing.json; equal values give equal bytes."""
        write_json(folder / FILE_NAME, self.model_dump(mode="json"))


def read_function(transform_graph: Path, function: UserFunction) -> FittedFunction:
    """Return what is fitted in TFT's output folder.

    Raises DataError for a whole number that is too large to be an id, and for a feature that is no
    number in any row.
    """
    constants = Constants(transform_graph)
    ever = constants.read(EVER_NODE).tolist() if function.dense else []
    for name, flag in zip(function.dense, ever, strict=True):
        if not flag:
            raise DataError(
                f"feature {name} of the preprocessing_fn is no number in any row of the training "
                "split",
                remedy="correct the preprocessing_fn, or choose another window",
            )
    largest = constants.read(LARGEST_NODE).tolist() if function.ids else []
    for name, number in zip(function.ids, largest, strict=True):
        if number > _MOST_IDS:
            raise DataError(
                f"feature {name} of the preprocessing_fn is no id: it goes beyond {_MOST_IDS}",
                remedy="give it as float32, or hash it into fewer ids",
            )
    assets = transform_graph / "transform_fn" / "assets"
    return FittedFunction(
        preprocessing_fn=function.name,
        inputs=tuple(RawInput(name=n, dtype=kind) for n, kind in function.inputs.items()),
        dense=tuple(FunctionValue(name=name) for name in function.dense),
        ids=tuple(
            FunctionIds(name=name, size=max(number, -1) + 1)
            for name, number in zip(function.ids, largest, strict=True)
        ),
        assets=manifest(assets) if assets.is_dir() else {},
    )
