"""The folder of a use case's settings file: relative data and the user's own modules lie there.

Rules: the folder travels in the environment, never in settings or records, which hold no machine
path; it comes last on the import path, so that no file of a use case can stand in for a package.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SOURCES_VARIABLE = "TANDEM_SOURCES"


def sources_folder() -> Path:
    """Return the folder, or the current one where none is named."""
    return Path(os.environ.get(SOURCES_VARIABLE) or ".").resolve()


def use_sources(folder: Path) -> None:
    """Make a folder the one that this process and its children read from."""
    os.environ[SOURCES_VARIABLE] = str(folder)
    make_importable()


def make_importable() -> None:
    """Put the named folder last on the import path, once."""
    if os.environ.get(SOURCES_VARIABLE) and str(sources_folder()) not in sys.path:
        sys.path.append(str(sources_folder()))
