"""What a run started from, as its folder keeps it; in start.json what its settings do not say.

Rules: a resumed run needs `code` and `sources`, which are never guessed; what was typed and the
environment are for whoever repeats the run, and a run that was recorded without them reads all the
same. It names places of the machine, so nothing of it enters a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json, write_json
from components.core.canonical import sha256_bytes
from components.core.code import environment
from components.core.errors import DataError

IR_FILE, SETTINGS_FILE, ARGUMENTS_FILE = "pipeline.yaml", "settings.json", "arguments.json"
START_FILE = "start.json"


@dataclass(frozen=True)
class Start:
    """Where a run began.

    `code` is {module: sha256}, `sources` the folder of the settings file, `overrides` what the
    command line changed in it, as KEY=VALUE, `environment` the lock, Python and the platform.
    """

    code: Mapping[str, str]
    sources: str
    settings_file: str | None = None
    overrides: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def here(
        cls, code: Mapping[str, str], settings_file: Path, overrides: tuple[str, ...]
    ) -> Start:
        """Return the start of a run by a settings file, in this environment."""
        place, name = str(settings_file.parent), settings_file.name
        return cls(code, place, name, overrides, environment())

    def write(self, folder: Path) -> None:
        """Write it into a run's folder; raise OSError where that does not take it."""
        write_json(folder / START_FILE, asdict(self))


def read_start(folder: Path) -> Start:
    """Read a run's start; raise DataError naming the file where it is missing or damaged."""
    value: dict[str, Any] = read_json(folder / START_FILE)
    try:
        return Start(**value | {"overrides": tuple(value.get("overrides", ()))})
    except (TypeError, AttributeError) as error:
        raise DataError(
            f"{folder / START_FILE} does not say what a run started from", remedy="restore the file"
        ) from error


def read_arguments(folder: Path) -> dict[str, Any]:
    """Read what a run's pipeline was given; {} of a folder that does not say."""
    path = folder / ARGUMENTS_FILE
    return dict(read_json(path)) if path.is_file() else {}


def read_ir(folder: Path, sha256: str | None) -> str:
    """Return the pipeline that a run started with; DataError where it is not as it was."""
    path = folder / IR_FILE
    try:
        ir = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}", remedy="start a new run"
        ) from error
    if sha256_bytes(ir.encode()) != sha256:
        raise DataError(f"{path} is not what the run started with", remedy="start a new run")
    return ir
