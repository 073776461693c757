"""A bundle as an MLflow model: what mlflow.pyfunc and mlflow.onnx load, the bundle whole inside.

    MLmodel, requirements.txt, python_env.yaml, conda.yaml    MLflow's own description
    input_example.json, serving_input_example.json           one row, to try it with
    code/                                                    what loads the bundle: served_model.py
    bundle/                                                  the bundle as it was evaluated
    README.md, evidence/                                     what the entry attaches (dossier.py)

Rules: nothing is inferred, loaded, pickled or fetched to write it; the same entry gives the same
bytes, so a digest covers all files but PROOF, which proves itself and grows with the log, and
LOADED, which MLflow writes beside the files that somebody loads, into a local store itself;
requirements are the installed versions, named one by one; the bundle's bytes are copied, so its
digest holds. The signature says double where the form takes float: MLflow refuses to narrow a
DataFrame's doubles, and the code narrows them itself. The example is made from the contract: a row
of data would put a person's values into the registry. The code's module is named by its digest, so
that versions with other code load in one process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from components.core.artifacts import copy_tree, manifest, write_json, write_text
from components.core.bundle import Bundle
from components.core.canonical import sha256_bytes, sha256_value
from components.core.contract import CLASS, Contract
from components.register_models import served_model  # so that its digest is the record's too
from components.register_models.store import BUNDLE_FOLDER

CODE_FOLDER = "code"
EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"
PROOF = "evidence/proof.json"
LOADED = "registered_model_meta"
PACKAGES = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")
SIGNATURE_TYPES = {"float32": "double", "string": "string"}


def stored_digest(folder: Path) -> str:
    """Return the digest of a model's folder: of every file but PROOF and LOADED."""
    files = manifest(folder).items()
    return sha256_value({name: sha for name, sha in files if name not in (PROOF, LOADED)})


def write_model(folder: Path, bundle: Bundle, metadata: Mapping[str, str], created: str) -> None:
    """Write the MLflow model of a bundle into a folder; `metadata` goes into MLmodel.

    `created` is the time that it shows; its identifier is made from the metadata.
    """
    import yaml
    from mlflow.models.model import Model
    from mlflow.utils import PYTHON_VERSION

    copy_tree(bundle.folder, folder / BUNDLE_FOLDER)
    onnx_file = f"{BUNDLE_FOLDER}/{bundle.contract.form('onnx').path}"
    model = Model(
        metadata=dict(metadata),
        model_uuid=sha256_value(dict(metadata))[:32],
        utc_time_created=created,
    )
    model.add_flavor(
        "python_function",
        loader_module=_write_code(folder / CODE_FOLDER),
        python_version=PYTHON_VERSION,
        code=CODE_FOLDER,
        data=BUNDLE_FOLDER,
        env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    )
    model.add_flavor(
        "onnx",
        onnx_version=version("onnx"),
        data=onnx_file,
        providers=["CPUExecutionProvider"],
        onnx_session_options=None,
        code=None,
    )
    example = _write_example(folder, bundle.contract)
    description = model.to_dict() | _signature(bundle.contract) | example
    write_text(folder / "MLmodel", yaml.safe_dump(description))
    _write_environment(folder)


def _write_code(folder: Path) -> str:
    """Write the module that loads a bundle, and return its name.

    A file stands where Python's byte code would: from a local store a model is loaded in place, and
    what lies there stays what was registered.
    """
    code = Path(served_model.__file__).read_text(encoding="utf-8")
    name = f"tandem_served_{sha256_bytes(code.encode())[:12]}"
    write_text(folder / f"{name}.py", code)
    write_text(folder / "__pycache__", "No byte code is written here.\n")
    return name


def _write_example(folder: Path, contract: Contract) -> dict[str, Any]:
    """Write one row in MLflow's two files, and return MLmodel's key for them."""
    row = [0.0 if column.dtype == "float32" else "" for column in contract.inputs]
    split = {"columns": [column.name for column in contract.inputs], "data": [row]}
    write_text(folder / EXAMPLE, json.dumps(split))
    write_json(folder / SERVING_EXAMPLE, {"dataframe_split": split})
    return {
        "saved_input_example_info": {
            "artifact_path": EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
            "serving_input_path": SERVING_EXAMPLE,
        }
    }


def _signature(contract: Contract) -> dict[str, Any]:
    """Return MLmodel's keys for the signature, as MLflow's ModelSignature writes them.

    That class is in a module that needs pandas.
    """
    from mlflow.types.schema import ColSpec, Schema

    inputs = [ColSpec(SIGNATURE_TYPES[column.dtype], column.name) for column in contract.inputs]
    outputs = [
        ColSpec("string" if name == CLASS else "float", name) for name in contract.output.columns
    ]
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
