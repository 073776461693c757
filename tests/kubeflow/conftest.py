"""A KFP server that the environment names, and a target with images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asked import named
from kfp_server import KfpServer, kfp_server

SETTINGS = Path(__file__).resolve().parents[2] / "infra" / "settings"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KfpServer]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with kfp_server() as server:
        named(monkeypatch, server.url)
        yield server


@pytest.fixture
def target(tmp_path: Path) -> str:
    """Return the file of a target like `dev`, with digests of images."""
    text = (SETTINGS / "dev.yaml").read_text().replace("0" * 64, "a1" * 32)
    (tmp_path / "cluster.yaml").write_text(text)
    return str(tmp_path / "cluster.yaml")
