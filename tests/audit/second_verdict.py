"""The second verifier asked about a home, whose files it is given: it knows nothing of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from second_verifier import OtherForm, Verifier, Wrong

from components.audit.folder import AuditFolder
from components.audit.schema import FOLDER


def verifier_of(home: Path, runs: Path | None = None) -> Verifier:
    folder = AuditFolder(home)
    return Verifier(folder.log, folder.public_key.read_bytes(), FOLDER, runs)


def second(home: Path, runs: Path | None = None) -> str:
    """Return the second verifier's verdict, by the log's first key."""
    return verifier_of(home, runs).run()


def found_by_second(home: Path, runs: Path | None = None) -> str:
    """Return the first thing that the second verifier finds, which must find it by a rule."""
    with pytest.raises(Wrong) as wrong:
        second(home, runs)
    assert not isinstance(wrong.value, OtherForm)
    return str(wrong.value)
