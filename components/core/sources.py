"""The folder of a use case's settings file: relative data and the user's own modules lie there.

Rules: the folder travels in the environment, never in settings or records, which hold no machine
path; it comes last on the import path, so that no file of a use case can stand in for a package.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

SOURCES_VARIABLE = "TANDEM_SOURCES"


def named_folder() -> Path | None:
    """Return the folder that the environment names, None where it names none."""
    named = os.environ.get(SOURCES_VARIABLE)
    return _resolved(named) if named else None


@functools.cache
def _resolved(folder: str) -> Path:
    return Path(folder).resolve()


def sources_folder() -> Path:
    """Return the folder where relative data start: the current one where none is named."""
    return named_folder() or Path.cwd()


def has_module(top: str) -> bool:
    """Say whether an import takes this top-level module from the folder: nothing before has it."""
    folder = named_folder()
    if folder is None or top in sys.builtin_module_names:
        return False
    before = [entry for entry in sys.path if Path(entry).resolve() != folder]
    spec = PathFinder.find_spec(top, before)
    return spec is None or spec.origin is None  # a mere folder yields to a module


def use_sources(folder: Path) -> None:
    """Make a folder the one that this process and its children read from."""
    os.environ[SOURCES_VARIABLE] = str(folder)
    make_importable()


def make_importable() -> None:
    """Put the named folder last on the import path, once."""
    folder = named_folder()
    if folder and str(folder) not in sys.path:
        sys.path.append(str(folder))
