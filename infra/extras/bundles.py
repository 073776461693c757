"""What a further form of a bundle is made of and tried on, in whichever environment it needs.

Rules: a bundle's contract and bytes are checked before anything of it is loaded; raw rows reach the
edges of the preprocessing and, where the bundle lies in a run's folder, evaluation rows of that run
follow; features are made of them by preprocessing.onnx, what is expected by the ONNX form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.core.bundle import Bundle, OnnxScorer, open_onnx
from components.core.contract import CONTRACT_NAME
from components.core.errors import IntegrityError, SettingsError
from components.core.examples import MANIFEST_NAME, read_split
from components.core.features import FeatureArrays
from components.core.form_proof import Parity
from components.core.raw_inputs import raw_inputs
from components.training.parity import edge_rows, features_of, scale_of
from pipelines.home import home_folder

LARGEST_BATCH = 1024
BATCH_SIZES = (1, 7, LARGEST_BATCH)
EVALUATION_ROWS = 8192
FORM = "torch_export"
Array = np.ndarray[Any, Any]


def open_bundle(arguments: Sequence[str]) -> Bundle:
    """Open the bundle named, or that of the newest run which has one of PyTorch.

    Raises SettingsError where there is none, IntegrityError for one that has no form of PyTorch.
    """
    folder = Path(arguments[0]).resolve() if arguments else _newest(home_folder(None) / "runs")
    if not (folder / CONTRACT_NAME).is_file():
        raise SettingsError(
            f"{folder} is no bundle: it has no {CONTRACT_NAME}",
            remedy="name the folder of a PyTorch bundle: BUNDLE=path",
        )
    bundle = Bundle.open(folder)
    bundle.contract.form(FORM)
    return bundle


def _newest(runs: Path) -> Path:
    """Return the bundle of the newest run; the names of runs begin with their time."""
    found = sorted(runs.glob(f"*/artifacts/train-pytorch/pytorch_model/{CONTRACT_NAME}"))
    if not found:
        raise SettingsError(
            f"no run in {runs} has a PyTorch bundle",
            remedy="train one with `make run`, or name one: BUNDLE=path",
        )
    return found[-1].parent


def bounded(bundle: Bundle) -> Any:
    """Return the program of features for 1 to LARGEST_BATCH rows.

    What plans its memory in advance needs a bound, and the bundle's program has none.
    """
    import torch

    program = torch.export.load(bundle.path(FORM))
    inputs, _ = program.example_inputs
    batch = {0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)}
    return torch.export.export(
        program.module(), inputs, dynamic_shapes=tuple(batch for _ in inputs)
    )


@dataclass(frozen=True)
class Trial:
    """Features of raw rows, the first `edges` of them edge rows, and what ONNX gives for each.

    Of values, a difference counts in units of `unit`, their standard deviation on rows that are no
    edge rows, where there are any, or of the value itself where that is more.
    """

    features: FeatureArrays
    expected: Array
    edges: int
    unit: float | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Trial:
        """Make the rows and run the bundle's own ONNX models on them."""
        preprocessing = bundle.folder / str(bundle.contract.preprocessing)
        types = bundle.contract.input_types
        edges = edge_rows(types, _vocabularies(preprocessing))
        count = len(next(iter(edges.values())))
        evaluated = _evaluation_rows(bundle)
        rows = {name: np.concatenate([edges[name], *evaluated.get(name, ())]) for name in types}
        features = features_of(open_onnx(preprocessing), rows)
        expected = OnnxScorer(bundle).score(rows)
        ordinary = expected[count:] if len(expected) > count else expected
        unit = float(ordinary.std()) if bundle.contract.task == "regression" else None
        return cls(features, expected, count, unit)

    def parity(self, found: Array, batch_size: int, tolerance: float) -> Parity:
        """Return how far a form's output is from what is expected; IntegrityError for its shape."""
        if found.shape != self.expected.shape:
            raise IntegrityError(
                f"the form gives {found.shape} at batches of {batch_size}",
                remedy="keep the model function to operators that the runtime has",
                expected=self.expected.shape,
                actual=found.shape,
            )
        apart = np.abs(found.astype(np.float64) - self.expected).reshape(len(found), -1)
        scale = scale_of(self.features.dense)
        if self.unit is not None:
            scale = np.maximum(scale * self.unit, np.abs(self.expected))
        return Parity(
            rows=len(found),
            batch_sizes=(batch_size,),
            max_abs_difference=float(np.max(apart.max(axis=1) / scale)),
            tolerance=tolerance,
        )


def _evaluation_rows(bundle: Bundle) -> Mapping[str, tuple[Array]]:
    """Return raw rows of the run that the bundle lies in, by input; none outside of a run."""
    examples = bundle.folder.parents[1] / "ingest-examples" / "examples"
    if not (examples / MANIFEST_NAME).is_file():
        return {}
    table = read_split(examples, "eval").slice(0, EVALUATION_ROWS)
    return {name: (rows,) for name, rows in raw_inputs(table, bundle.contract.input_types).items()}


def _vocabularies(preprocessing: Path) -> dict[str, list[str]]:
    """Return the words that the preprocessing knows, by the raw input that holds them."""
    import onnx

    encoders = (n for n in onnx.load(str(preprocessing)).graph.node if n.op_type == "LabelEncoder")
    return {
        node.input[0]: [
            word.decode()
            for attribute in node.attribute
            if attribute.name == "keys_strings"
            for word in attribute.strings
        ]
        for node in encoders
    }
