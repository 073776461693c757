"""Exports of versions as files: made, changed and given to their verifier; used by test_*.py."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import MODEL, People

from components.audit.export import verify
from components.audit.verified_log import VerifiedLog
from components.register_models.logbook import Logbook
from pipelines.audit_export import export
from pipelines.home import Home

Files = dict[str, bytes]


def exported(home: Path, version: str = "3") -> bytes:
    """Return the export of a version, with the run's folder beside the log."""
    log = VerifiedLog.of(home)
    return export(Home.at(str(home)), log, Logbook.of(log).releases[MODEL, version]).data


def unpacked(data: bytes) -> Files:
    with zipfile.ZipFile(BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def verified(files: Files, folder: Path, *options: str) -> int:
    """Write an export's files, unchecked, and return the verifier's exit code."""
    folder = folder / "export"
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return verify.main([str(folder), *options])


def envelopes(files: Files) -> dict[str, dict[str, Any]]:
    """Return the statements by the names of their files."""
    return {
        name: json.loads(verify.decoded(json.loads(data)["payload"]))
        for name, data in files.items()
        if name.startswith("records/") and name.endswith(".json")
    }


@pytest.fixture
def files(promoted: People) -> Files:
    """An export of a version that was approved and promoted."""
    return unpacked(exported(promoted.home))
