"""train_pytorch writes a proven bundle whose bytes repeat, and never needs TensorFlow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade_bundles import ROWS, without_a_row

from components.core.artifacts import manifest
from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import DataError, SettingsError
from components.core.outcome import Outcome
from components.train_pytorch.step import TrainPytorchSettings, train_pytorch
from components.training.parity import EDGE_ROWS

pytestmark = pytest.mark.slow
OWN = {"pytorch": "a_shop.torch:build", "tensorflow": "a_shop.keras:build"}
ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[Outcome, Path]]


def settings(**train: Any) -> TrainPytorchSettings:
    model = {"family": "wide_and_deep"}
    return TrainPytorchSettings.model_validate(
        {"model": model, "train": {"epochs": 2.0, "batch_size": 100} | train}
    )


@pytest.fixture(scope="module")
def run(
    small_features: Path, small_transform_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    def run_step(values: TrainPytorchSettings) -> tuple[Outcome, Path]:
        folder = tmp_path_factory.mktemp("pytorch_model")
        outcome = train_pytorch(
            settings=values,
            features=small_features,
            transform_graph=small_transform_graph,
            pytorch_model=folder,
        )
        return outcome, folder

    return run_step


@pytest.fixture(scope="module")
def trained(run: Run) -> tuple[Outcome, Path]:
    return run(settings())


def test_the_bundle_opens_and_says_what_it_holds(trained: tuple[Outcome, Path]) -> None:
    outcome, folder = trained
    contract = Bundle.open(folder).contract
    assert (contract.framework, contract.family) == ("pytorch", "wide_and_deep")
    assert [(f.name, f.path, f.takes, f.opset) for f in contract.forms] == [
        ("onnx", "model.onnx", "raw_rows", 18),
        ("torch_export", "model.pt2", "features", None),
    ]
    # Raw rows are the edge rows; features are of these and of 200 evaluation rows.
    assert [form.parity.rows for form in contract.forms] == [EDGE_ROWS, 200 + EDGE_ROWS]
    assert {form.parity.batch_sizes for form in contract.forms} == {(1, 7, 1024)}
    assert "linear.default" in contract.form("torch_export").operators["aten"]
    assert "LabelEncoder" in contract.form("onnx").operators["ai.onnx.ml"]
    assert contract.preprocessing == "preprocessing.onnx"
    assert set(contract.files) == {"model.onnx", "model.pt2", "preprocessing.onnx"}
    assert outcome.metadata == {"pytorch_model": {"framework": "pytorch"}}
    assert outcome.facts["weights_sha256"] == contract.weights_sha256
    assert {k: outcome.facts[k] for k in ("steps", "epochs", "seed", "threads")} == {
        "steps": 14, "epochs": 2, "seed": 13, "threads": 1,
    }  # fmt: skip
    assert outcome.facts["rows_by_split"] == {"train": 640, "eval": 200}


def test_training_lowers_the_loss(run: Run, trained: tuple[Outcome, Path]) -> None:
    longer, _ = run(settings(epochs=10, learning_rate=0.01, forms=[]))
    assert longer.facts["final_loss"] < trained[0].facts["final_loss"] - 0.1


def test_two_runs_give_the_same_bytes(run: Run, trained: tuple[Outcome, Path]) -> None:
    _, again = run(settings())
    assert manifest(again) == manifest(trained[1])


def test_a_form_that_is_left_out_is_not_written(run: Run) -> None:
    _, folder = run(settings(epochs=1, forms=["litert"]))
    assert [form.name for form in Bundle.open(folder).contract.forms] == ["onnx"]
    assert not (folder / "model.pt2").exists()


def test_another_seed_gives_other_weights(run: Run, trained: tuple[Outcome, Path]) -> None:
    other, _ = run(settings(seed=14, forms=[]))
    assert other.facts["weights_sha256"] != trained[0].facts["weights_sha256"]


def test_the_raw_form_scores_rows(trained: tuple[Outcome, Path]) -> None:
    rows = {
        "delay": np.array([60.0, np.nan], np.float32),
        "hour": np.array([17.0, np.nan], np.float32),
        "carrier": np.array(["B6", ""], object),
        "origin": np.array(["JFK", "never seen"], object),
    }
    probability = OnnxScorer(Bundle.open(trained[1])).score(rows)
    assert ((probability > 0) & (probability < 1)).all()
    assert probability[0] != probability[1]


def test_no_path_of_the_machine_is_inside_the_bundle(trained: tuple[Outcome, Path]) -> None:
    paths = [os.fsencode(path) for path in (ROOT, Path(sys.prefix), trained[1], Path.home())]
    for file in trained[1].iterdir():
        content = file.read_bytes()
        assert not [path for path in [*paths, b"site-packages"] if path in content], file


def test_a_learning_rate_that_explodes_stops_with_the_batch(run: Run) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at batch \d+ of epoch \d+"):
        run(settings(learning_rate=1e38))


def test_a_model_that_gives_no_logit_is_a_settings_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = """
from torch import nn
class Flat(nn.Module):
    def forward(self, dense, ids):
        return dense.sum(1)
def build(spec, family, seed):
    return Flat()
"""
    (tmp_path / "a_flat_torch_model.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"pytorch": "a_flat_torch_model:build"}}
    with pytest.raises(SettingsError, match=r"gives \[2\] for two rows"):
        run(TrainPytorchSettings.model_validate(values))


def test_a_model_that_raises_is_named_with_its_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = """
from torch import nn
class Narrow(nn.Module):
    def forward(self, dense, ids):
        return dense @ ids
def build(spec, family, seed):
    return Narrow()
"""
    (tmp_path / "a_narrow_torch_model.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"pytorch": "a_narrow_torch_model:build"}}
    with pytest.raises(
        SettingsError,
        match=r": a_narrow_torch_model\.py, line 5, `return dense @ ids`: RuntimeError: ",
    ):
        run(TrainPytorchSettings.model_validate(values))


def test_a_model_that_ends_the_process_in_training_is_named_with_its_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = """
import sys
from torch import nn
class Leaving(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.last = nn.Linear(columns, 1)
    def forward(self, dense, ids):
        if len(dense) > 2:
            sys.exit(str(dense[0, 0]))
        return self.last(dense)
def build(spec, family, seed):
    return Leaving(len(spec.dense))
"""
    (tmp_path / "a_leaving_torch_model.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"pytorch": "a_leaving_torch_model:build"}}
    with pytest.raises(SettingsError, match=r"py, line 10, `sys.exit\(.*\)`: SystemExit$"):
        run(TrainPytorchSettings.model_validate(values))


@pytest.mark.parametrize("split", ["train", "eval"])
def test_features_with_a_row_missing_are_refused(
    small_features: Path, small_transform_graph: Path, tmp_path: Path, split: str
) -> None:
    features = without_a_row(small_features, tmp_path / "features", split)
    rows = ROWS[split]
    with pytest.raises(DataError, match=f"has {rows - 1} rows, not the {rows} of features"):
        train_pytorch(
            settings=settings(),
            features=features,
            transform_graph=small_transform_graph,
            pytorch_model=tmp_path,
        )
    assert not (tmp_path / "contract.json").exists()


def test_features_of_another_transform_graph_are_refused(
    small_features: Path, small_transform_graph: Path, tmp_path: Path
) -> None:
    graph = shutil.copytree(small_transform_graph, tmp_path / "graph")
    fitted = graph / "preprocessing.json"
    fitted.write_text(fitted.read_text().replace("JFK", "EWR"))
    with pytest.raises(DataError, match="the features were not made by this transform graph"):
        train_pytorch(
            settings=settings(),
            features=small_features,
            transform_graph=graph,
            pytorch_model=tmp_path,
        )
    fitted.unlink()
    with pytest.raises(DataError, match=r"the transform graph has no preprocessing\.json"):
        train_pytorch(
            settings=settings(),
            features=small_features,
            transform_graph=graph,
            pytorch_model=tmp_path,
        )
    assert not (tmp_path / "contract.json").exists()


OTHER_MODELS = {
    "None": "the model function .* returns nothing, not a torch Module",
    "lambda dense, ids: dense": "returns a function, not a torch Module",
    "nn.LSTM(2, 1)": "gives no output: ",
    "Both()": "gives a tuple for two rows, not a logit",
}


@pytest.mark.parametrize("returned", OTHER_MODELS)
def test_what_is_no_model_of_these_features_is_a_settings_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, returned: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"a_torch_model_of_{list(OTHER_MODELS).index(returned)}"
    source = f"""
from torch import nn
class Both(nn.Module):
    def forward(self, dense, ids):
        return dense, ids
def build(spec, family, seed):
    return {returned}
"""
    (tmp_path / f"{name}.py").write_text(source)
    values = settings().model_dump() | {"model": OWN | {"pytorch": f"{name}:build"}}
    with pytest.raises(SettingsError, match=OTHER_MODELS[returned]):
        run(TrainPytorchSettings.model_validate(values))


def test_the_module_of_the_model_function_is_part_of_the_cache_key() -> None:
    own = TrainPytorchSettings.model_validate({"model": OWN, "train": {}})
    assert own.user_modules() == ["a_shop.torch"]
    assert settings().user_modules() == ["components.train_pytorch.families.wide_and_deep"]


def test_tensorflow_is_never_imported(
    small_features: Path, small_transform_graph: Path, tmp_path: Path
) -> None:
    script = f"""
import logging
import os
import sys
import pyarrow
import torch
pid = os.fork()  # as the executor makes a task: a process of one thread
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
logging.basicConfig(level=logging.INFO, force=True)
from pathlib import Path
from components.train_pytorch.step import TrainPytorchSettings, train_pytorch
values = TrainPytorchSettings.model_validate_json({settings().model_dump_json()!r})
train_pytorch(
    settings=values, features=Path({str(small_features)!r}),
    transform_graph=Path({str(small_transform_graph)!r}), pytorch_model=Path({str(tmp_path)!r}),
)
assert "torch" in sys.modules
assert not {{"tensorflow", "keras", "kfp"}} & set(sys.modules), sys.modules.keys()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    assert "torch_export is proven in a fork of now" in done.stderr, done.stderr
    assert Bundle.open(tmp_path).contract.framework == "pytorch"
