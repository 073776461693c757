"""The examples of the small use case, ingested and said to be valid, and models for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign_models
import onnx
import pytest

from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.outcome import Outcome
from components.import_model.formats import digest_of, format_of
from components.import_model.step import ImportSettings, import_model

# The small examples and bundles of another stage.
sys.path.append(str(Path(__file__).parents[1] / "evaluate_models"))
SCHEMA = "a schema"


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import tiny_bundles

    folder = tmp_path_factory.mktemp("inputs")
    examples = tiny_bundles.write_examples(folder / "examples", tiny_bundles.table(1500))
    verdict = {
        "passed": True,
        "examples_sha256": tree_digest(examples),
        "schema_sha256": sha256_bytes(SCHEMA.encode()),
    }
    write_json(folder / "validation" / "validation.json", verdict)
    return {"examples": examples, "validation": folder / "validation"}


@pytest.fixture
def importing(inputs: dict[str, Path], tmp_path: Path) -> Callable[..., tuple[Outcome, Path]]:
    """Import a model: a path, or an ONNX model that is written to one first."""

    def imported(
        model: Any, signature: dict[str, Any] | None = None, **said: Any
    ) -> tuple[Outcome, Path]:
        path = model
        if not isinstance(model, Path):
            path = tmp_path / "given.onnx"
            onnx.save(model, path)
        given = {
            "name": path.name,
            "format": format_of(path),
            "sha256": digest_of(path),
            "path": str(path),
            **({"signature": signature} if signature else {}),
            **said,
        }
        settings = ImportSettings.model_validate({"imported": given, "schema": SCHEMA})
        target = tmp_path / "imported_model"
        target.mkdir()
        return import_model(settings=settings, **inputs, imported_model=target), target

    return imported


@pytest.fixture
def signature() -> dict[str, Any]:
    return {
        "inputs": [
            {"name": "distance", "dtype": "float32"},
            {"name": "origin", "dtype": "string"},
        ],
        "output": "probabilities",
    }


@pytest.fixture
def filled() -> onnx.ModelProto:
    """The small use case's model, made to take missing numbers too: these examples have some."""
    model = foreign_models.columns_model()
    nodes = [
        onnx.helper.make_node("IsNaN", ["distance"], ["is_missing"]),
        onnx.helper.make_node("Where", ["is_missing", "none", "distance"], ["present"]),
    ]
    model.graph.node[0].input[0] = "present"
    others = [*model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *others])
    none = onnx.helper.make_tensor("none", onnx.TensorProto.FLOAT, [1], [0.0])
    model.graph.initializer.append(none)
    return model
