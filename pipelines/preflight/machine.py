"""What a run needs of the machine: packages, disk, a compiler.

Rule: a check costs milliseconds and imports nothing that it checks.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from components.core.code import environment
from components.core.errors import PlatformError

LEAST_FREE_BYTES = 2 * 2**30
PACKAGES = (
    "ai_edge_litert",
    "apache_beam",
    "cryptography",
    "jinja2",
    "kfp",
    "mlflow",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "optuna",
    "pyarrow",
    "rich",
    "safetensors",
    "sqlalchemy",
    "tensorflow",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "tensorflow_transform",
    "tf2onnx",
    "torch",
)


def check_disk(home: Path, least: int = LEAST_FREE_BYTES) -> None:
    """Raise PlatformError unless a run's outputs can be written and `least` bytes are free."""
    existing = next(path for path in (home, *home.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise PlatformError(
            f"{existing} cannot be written", remedy="give another place with --home"
        )
    free = shutil.disk_usage(existing).free
    if free < least:
        raise PlatformError(
            f"only {free / 2**30:.1f} GiB are free in {existing}",
            remedy=f"free some: a run wants {least / 2**30:.0f} GiB, or use --home",
        )


def check_packages() -> None:
    """Raise PlatformError unless set-up finished and what it installed is there."""
    environment()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise PlatformError(
            f"packages are missing: {', '.join(missing)}", remedy="run `make setup`"
        )


def check_compiler() -> None:
    """Raise PlatformError where torch.compile would not find the C++ compiler that it asks for."""
    compiler = os.environ.get("CXX") or "g++"
    if shutil.which(compiler) is None:
        raise PlatformError(
            f"train.compile needs a C++ compiler, and there is no {compiler}",
            remedy="install g++, or set train.compile=false",
        )
