"""A home with a notary and an MLflow store, and finished runs up to the decision."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

# Before MLflow, which a stage of ours imports without it: the tests load models as users do.
import pandas  # noqa: F401
import pytest

from components.audit.process import NotaryProcess

# The small bundles and evaluations of the stages before, and the tests' own PostgreSQL.
for _folder in ("evaluate_models", "decide_release", "reading"):
    sys.path.append(str(Path(__file__).parents[1] / _folder))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home; nothing else of the environment is left."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "TANDEM_NOTARY", "TANDEM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TANDEM_HOME", str(folder))
    return folder


@pytest.fixture
def notary(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotaryProcess]:
    """Start the real notary of the home."""
    with NotaryProcess(home) as process:
        monkeypatch.setenv("TANDEM_NOTARY", process.address)
        yield process
