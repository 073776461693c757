"""Where stock TFX keeps what its components wrote."""

from __future__ import annotations

from pathlib import Path

SIGNATURE = "serving_default"


def folder_of(place: Path, component: str, output: str) -> Path:
    """Return the folder of a component's output in the first run that made one."""
    folders = (place / "root" / component / output).iterdir()
    return min(folders, key=lambda folder: int(folder.name))
