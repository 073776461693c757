"""The form that PyTorch runs is timed in a process of its own, which may end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from components.core.bundle import Bundle
from components.core.errors import DataError, PlatformError
from components.measure_models.forms import beside, time_forms
from components.measure_models.timing import Often
from components.measure_models.torch_process import torch_process
from components.train_pytorch.step import TrainPytorchSettings, train_pytorch

pytestmark = pytest.mark.slow
ROWS = {
    "delay": np.ones(30, np.float32),
    "hour": np.ones(30, np.float32),
    "carrier": np.full(30, "B6", object),
    "origin": np.full(30, "JFK", object),
}
FEATURES = {"dense": np.ones((3, 2), np.float32), "ids": np.ones((3, 2), np.int32)}


@pytest.fixture(scope="module")
def bundle(
    small_features: Path, small_transform_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    folder = tmp_path_factory.mktemp("pytorch_model")
    train_pytorch(
        settings=TrainPytorchSettings.model_validate(
            {"model": {"family": "wide_and_deep"}, "train": {"epochs": 1, "batch_size": 100}}
        ),
        features=small_features,
        transform_graph=small_transform_graph,
        pytorch_model=folder,
    )
    return Bundle.open(folder)


def test_the_program_is_timed_on_the_features_of_the_rows(bundle: Bundle) -> None:
    with beside(bundle) as process:
        assert process is not None
        process.wait_until_ready()
        timed = time_forms(bundle, ROWS, Often(20, 8), process)
    assert list(timed) == ["onnx", "torch_export"]
    assert timed["torch_export"]["one_row_ms"]["p50"] > 0
    assert timed["torch_export"]["load_ms"] > 0
    assert timed["torch_export"]["batch_rows"] == 8
    assert timed["torch_export"]["size_bytes"] == bundle.path("torch_export").stat().st_size


TIMED_HERE = """
import sys
from pathlib import Path
import numpy as np
from components.core.bundle import Bundle
from components.measure_models.forms import beside, time_forms
from components.measure_models.timing import Often
bundle = Bundle.open(Path(sys.argv[1]))
rows = {n: np.ones(9, "f4") if k == "float32" else np.full(9, "B6", object)
        for n, k in bundle.contract.input_types.items()}
with beside(bundle) as process:
    process.wait_until_ready()
    assert "torch_export" in time_forms(bundle, rows, Often(10, 8), process)
assert "torch" not in sys.modules
"""


def test_the_stages_own_process_never_imports_pytorch(bundle: Bundle) -> None:
    subprocess.run([sys.executable, "-c", TIMED_HERE, str(bundle.folder)], check=True, timeout=120)


def test_an_error_of_the_process_comes_back_in_our_terms(tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(b"none")
    with torch_process() as process:
        process.wait_until_ready()
        with pytest.raises(DataError, match="timing the torch_export form failed: "):
            process.time_form("torch_export", tmp_path / "model.pt2", FEATURES, Often(10, 8))


def test_a_process_that_ends_is_not_waited_for_in_vain(tmp_path: Path) -> None:
    others = set(psutil.Process().children())  # of tests before this one
    with torch_process() as process:
        process.wait_until_ready()
        (child,) = {*psutil.Process().children()} - others
        child.kill()
        with pytest.raises(PlatformError, match="ended without an answer"):
            process.time_form("torch_export", tmp_path / "model.pt2", FEATURES, Often(10, 8))
