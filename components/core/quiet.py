"""What dependencies would send or print, some as soon as they are imported, switched off.

A person's own setting wins. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # It says so with every import, sums in an order of its own on each processor, and where memory
    # runs out it ends the process; it is no faster at what is done here.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def be_quiet() -> None:
    """Switch it off in this process and those it starts; to be called before heavy imports."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
