"""The command as a person with a cluster gives it, for the tests of all its commands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kfp_server import TOKEN

from pipelines.cli import main


def named(monkeypatch: pytest.MonkeyPatch, url: str, token: str = TOKEN) -> None:
    """Name a KFP server in the environment."""
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", url)
    monkeypatch.setenv("TANDEM_KFP_NAMESPACE", "team-a")
    monkeypatch.setenv("TANDEM_KFP_TOKEN", token)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of a command, and its answer as JSON."""
    capsys.readouterr()
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)
