"""A use case before it has a schema: its settings, its card, and where the schema is to lie.

Rule: the schema need not exist yet; where it is to be written follows from the settings alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.core.data_settings import ONLY_SPAN, DataCard
from components.core.errors import SettingsError
from pipelines.loaded_settings import load_card, read_settings
from pipelines.settings import RunSettings
from pipelines.settings_file import (
    REPOSITORY,
    companion_places,
    find_settings,
    window_overrides,
)


@dataclass(frozen=True)
class UseCase:
    """Settings with their card; `schema_path` may not exist."""

    settings: RunSettings
    card: DataCard
    folder: Path
    schema_path: Path

    @property
    def spans(self) -> str:
        """The window in words."""
        window = self.settings.window
        if window.first == ONLY_SPAN:
            return "the whole source"
        return window.first if window.first == window.last else f"{window.first} to {window.last}"


def find_use_case(name: str, window: str | None, overrides: Sequence[str] = ()) -> UseCase:
    """Return the use case that a name, a settings file or its folder stands for."""
    path = find_settings(name)
    changed = [*overrides, *(window_overrides(window) if window else ())]
    settings = read_settings(path, changed)
    return UseCase(
        settings=settings,
        card=load_card(path, settings),
        folder=path.resolve().parent,
        schema_path=_schema_path(path, settings.schema_file),
    )


def _schema_path(settings_file: Path, name: str) -> Path:
    """Return the schema's file: the one there is, else where settings will look for it first.

    The repository's own use cases keep theirs below the repository's root.
    """
    beside, below_root = companion_places(settings_file, name)
    for path in (beside, below_root):
        if path.is_file():
            return path
    is_ours = beside.is_relative_to(REPOSITORY) and below_root.parent.is_dir()
    return below_root if is_ours and not beside.parent.is_dir() else beside


def require_schema(use_case: UseCase, infer: str) -> Path:
    """Return the schema's file; raise SettingsError where there is none, naming how to get one."""
    path = use_case.schema_path
    if not path.is_file():
        raise SettingsError(f"there is no schema {path} yet", remedy=f"infer one: {infer}")
    return path
