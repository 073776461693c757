"""Apply a fitted transform to every row in this process and print what it cost, as JSON.

    python tests/bench/application.py PARAMETERS.json EXAMPLES TRANSFORM_GRAPH

This is the part of transform_features that grows with the rows by nature: the saved transform is
loaded, every row of both splits is read and its features are made. They are not compared with those
of the ONNX form, nor written. The parameters are those of transform_features.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from one_step import measured

from components.core.data_settings import Source, Transform
from components.core.examples import SPLITS, ExamplesManifest
from components.transform_features.application import SavedTransform
from components.transform_features.recipe import recipe_of
from components.transform_features.rows import iter_rows
from pipelines.runners.preload import modules_of, server_of


def main(parameters: str, examples: str, transform_graph: str) -> int:
    """Apply the transform and print its cost."""
    for module in modules_of(server_of("transform_features")):
        importlib.import_module(module)
    given = json.loads(Path(parameters).read_text())
    manifest = ExamplesManifest.read(Path(examples))
    transform, source = (
        Transform.model_validate(given["transform"]),
        Source.model_validate(given["source"]),
    )
    inputs = recipe_of(transform, source, manifest).inputs

    def apply() -> dict[str, int]:
        saved = SavedTransform(Path(transform_graph))
        rows = 0
        for split in SPLITS:
            for part in iter_rows(Path(examples), manifest, split, inputs):
                rows += len(saved.make(split, part).dense)
        return {"rows": rows}

    print(json.dumps(measured(apply)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
