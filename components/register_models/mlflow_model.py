"""A bundle as an MLflow model: what mlflow.pyfunc and mlflow.onnx load, the bundle whole inside.

    MLmodel, requirements.txt, python_env.yaml, conda.yaml    MLflow's own description
    model.onnx                                               the served form, the same bytes again
    bundle/                                                  the bundle as it was evaluated

Rules: nothing is inferred, loaded or fetched to write it; requirements are the installed versions,
named one by one; the bundle's bytes are copied, so its digest holds. model.onnx lies there twice
because MLflow's ONNX loader wants it beside MLmodel. The signature says double where the form takes
float: MLflow refuses to narrow a DataFrame's doubles, and its loader narrows them itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from components.core.artifacts import copy_tree, write_text
from components.core.bundle import Bundle
from components.core.contract import Contract
from components.register_models.store import BUNDLE_FOLDER

ONNX_FILE = "model.onnx"
PACKAGES = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")
SIGNATURE_TYPES = {"float32": "double", "string": "string"}


def write_model(folder: Path, bundle: Bundle, metadata: Mapping[str, str]) -> None:
    """Write the MLflow model of a bundle into a folder; `metadata` goes into MLmodel."""
    import yaml
    from mlflow.models.model import Model
    from mlflow.utils import PYTHON_VERSION

    copy_tree(bundle.folder, folder / BUNDLE_FOLDER)
    shutil.copyfile(bundle.path("onnx"), folder / ONNX_FILE)
    model = Model(metadata=dict(metadata))
    model.add_flavor(
        "python_function",
        loader_module="mlflow.onnx",
        python_version=PYTHON_VERSION,
        data=ONNX_FILE,
        env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    )
    model.add_flavor(
        "onnx",
        onnx_version=version("onnx"),
        data=ONNX_FILE,
        providers=["CPUExecutionProvider"],
        onnx_session_options=None,
        code=None,
    )
    description = model.to_dict() | _signature(bundle.contract)
    write_text(folder / "MLmodel", yaml.safe_dump(description))
    _write_environment(folder)


def _signature(contract: Contract) -> dict[str, Any]:
    """Return MLmodel's keys for the signature, as MLflow's ModelSignature writes them.

    That class is in a module that needs pandas.
    """
    from mlflow.types.schema import ColSpec, Schema

    inputs = [ColSpec(SIGNATURE_TYPES[column.dtype], column.name) for column in contract.inputs]
    outputs = [ColSpec("float", contract.output.name)]
    return {
        "signature": {
            "inputs": Schema(inputs).to_json(),
            "outputs": Schema(outputs).to_json(),
            "params": None,
        },
        "is_signature_from_type_hint": False,
        "type_hint_from_example": False,
    }


def _write_environment(folder: Path) -> None:
    """Write the requirements in the three forms that MLflow reads."""
    from mlflow.utils import PYTHON_VERSION

    pins = [f"{name}=={version(name)}" for name in PACKAGES]
    write_text(folder / "requirements.txt", "".join(f"{pin}\n" for pin in pins))
    write_text(
        folder / "python_env.yaml",
        f"python: {PYTHON_VERSION}\nbuild_dependencies: []\ndependencies:\n- -r requirements.txt\n",
    )
    pip = "".join(f"  - {pin}\n" for pin in pins)
    write_text(
        folder / "conda.yaml",
        "name: mlflow-env\nchannels:\n- conda-forge\n"
        f"dependencies:\n- python={PYTHON_VERSION}\n- pip\n- pip:\n{pip}",
    )
