"""The files of an MLflow model: written without pandas, and what MLflow itself would write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tiny_bundles
import yaml

from components.core.bundle import Bundle
from components.register_models.mlflow_model import write_model

pytestmark = pytest.mark.slow
WITHOUT_PANDAS = """
import sys
from components.register_models.store import opened_store
with opened_store() as client:
    client.search_experiments()
print("pandas" in sys.modules)
import pandas
print(pandas.DataFrame({"a": [1]}).shape)
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    bundle = Bundle.open(tiny_bundles.write_bundle(tmp_path / "bundle", "pytorch"))
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model", bundle, {"tandem.run": "run-1"}, "2013-03-01 12:00:00")
    return tmp_path / "model"


def test_mlflow_reads_the_description_and_would_write_the_same(written: Path) -> None:
    from mlflow.models import Model, ModelSignature

    ours = yaml.safe_load((written / "MLmodel").read_text())
    read = Model.load(str(written))
    assert isinstance(read.signature, ModelSignature)
    assert read.signature.inputs.input_names() == ["distance", "origin"]
    assert yaml.safe_load(read.to_yaml()) == ours


def test_the_python_function_is_described_as_mlflow_describes_it(written: Path) -> None:
    from mlflow.models import Model
    from mlflow.pyfunc import add_to_model

    theirs = Model()
    (code,) = (written / "code").glob("*.py")
    add_to_model(
        theirs,
        loader_module=code.stem,
        code="code",
        data="bundle",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
    )
    ours = yaml.safe_load((written / "MLmodel").read_text())
    assert ours["flavors"]["python_function"] == theirs.flavors["python_function"]


def test_a_contract_below_the_bundles_own_is_a_file_too_many(written: Path) -> None:
    from components.register_models.served_model import _load_pyfunc

    bundle = written / "bundle"
    _load_pyfunc(str(bundle))
    (bundle / "more").mkdir()
    (bundle / "more" / "contract.json").write_text("{}")
    with pytest.raises(ValueError, match=r"differs from its contract: more/contract\.json"):
        _load_pyfunc(str(bundle))


def test_opening_the_store_does_not_load_pandas_and_leaves_it_importable(home: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_PANDAS]
    printed = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
    assert printed.split("\n")[:2] == ["False", "(1, 1)"]
