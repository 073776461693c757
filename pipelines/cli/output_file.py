"""Where a command is told to write a file."""

from __future__ import annotations

from pathlib import Path

from components.core.errors import SettingsError


def require_file_name(path: Path) -> None:
    """Raise SettingsError for what -o names if it is a folder, or lies in one that is not there."""
    if path.is_dir():
        raise SettingsError(f"{path} is a folder", remedy="name a file in it with -o")
    if not path.parent.is_dir():
        raise SettingsError(
            f"there is no folder {path.parent}", remedy="make it, or name another file"
        )
