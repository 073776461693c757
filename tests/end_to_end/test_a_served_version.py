"""A version of a real run, loaded and served by MLflow itself: the numbers of `models predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from mlflow_processes import answering, asked, free_port
from prepared_run import PreparedRun, run_tandem

from components.core.bundle import Bundle
from components.core.examples import ExamplesManifest

pytestmark = pytest.mark.slow
FRAMEWORKS = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def address(small_run: PreparedRun) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        uri = f"sqlite:///{small_run.home}/mlflow.db"
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


@pytest.fixture(scope="module")
def rows(small_run: PreparedRun, tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    """Some real rows as a file and as a DataFrame, with a missing text and a missing number."""
    examples = small_run.output("ingest_examples", "examples")
    shard = next(s for s in ExamplesManifest.read(examples).shards if s.split == "eval")
    bundle = Bundle.open(small_run.output("train_pytorch", "pytorch_model"))
    table = pq.read_table(examples / shard.path).slice(0, 300)
    frame = table.select(list(bundle.contract.input_types)).to_pandas()
    frame.loc[7, "carrier"] = None
    frame["distance"] = frame["distance"].astype(float)
    frame.loc[9, "distance"] = np.nan
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    frame.to_csv(path, index=False)
    for name, dtype in bundle.contract.input_types.items():
        if dtype == "float32":
            frame[name] = frame[name].astype(float)
    assert csv.read_csv(path).num_rows == 300
    return path, frame


def _version(run: PreparedRun, framework: str) -> str:
    registration = run.json("register_models", "registration", "registration.json")
    entries = [registration[role] for role in ("candidate", "challenger")]
    (version,) = [entry["version"] for entry in entries if entry["framework"] == framework]
    return f"models:/{registration['model_name']}/{version}"


def _predicted(run: PreparedRun, framework: str, path: Path) -> list[float]:
    folder = run.output(f"train_{framework}", f"{framework}_model")
    code, printed = run_tandem("models", "predict", str(folder), "--input", str(path), "--json")
    assert code == 0
    found: list[float] = json.loads(printed)["probability"]
    return found


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_loaded_version_gives_the_numbers_of_predict(small_run, address, rows, framework):
    import mlflow

    path, frame = rows
    loaded = mlflow.pyfunc.load_model(_version(small_run, framework))
    found = loaded.predict(frame)["probability"]
    np.testing.assert_allclose(found, _predicted(small_run, framework, path), rtol=0, atol=1e-6)
    assert len(loaded.predict(loaded.input_example)) == 1


def test_a_served_version_answers_with_the_numbers_of_predict(small_run, address, rows):
    path, frame = rows
    port = free_port()
    serve = ("models", "serve", "--env-manager", "local", "-m", _version(small_run, "pytorch"))
    with answering(port, *serve):
        rows = json.loads(frame.to_json(orient="split"))
        answer = asked(port, "POST", "/invocations", json.dumps({"dataframe_split": rows}))
    found = [row["probability"] for row in json.loads(answer)["predictions"]]
    expected = _predicted(small_run, "pytorch", path)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
