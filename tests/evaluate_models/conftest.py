"""Small examples and bundles, made once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import tiny_bundles


@pytest.fixture(scope="session")
def rows() -> pa.Table:
    return tiny_bundles.table()


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory, rows: pa.Table) -> dict[str, Path]:
    """Return the inputs of evaluate_models: rows, a good model and a slightly worse one."""
    folder = tmp_path_factory.mktemp("artifacts")
    return {
        "examples": tiny_bundles.write_examples(folder / "examples", rows),
        "pytorch_model": tiny_bundles.write_bundle(folder / "pytorch", "pytorch"),
        "tensorflow_model": tiny_bundles.write_bundle(folder / "tf", "tensorflow", 0.9, -0.6),
    }
