"""The state folder: where runs, the cache, the registry and the audit log of one place lie.

    HOME/runs/<run>/     one folder a run (see pipelines/runs.py)
    HOME/cache/          entries of finished stages
    HOME/checkpoints/    what an interrupted training goes on from, one folder a cache key
    HOME/mlflow.db       the default registry
    HOME/mlmd.db         ML Metadata's store, of the runs under TFX
    HOME/tandem.log      tracebacks of unexpected errors

Rules: --home wins over TANDEM_HOME, which wins over ./.tandem; nothing is created by looking, and
what is no folder is no home. Loads nothing but the standard library.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import SettingsError

CHECKPOINT_DAYS = 30


def home_folder(option: str | None) -> Path:
    """Return the state folder, absolute, whether it exists or not."""
    return Path(option or os.environ.get("TANDEM_HOME") or ".tandem").resolve()


@dataclass(frozen=True)
class Home:
    """One state folder."""

    folder: Path

    @classmethod
    def at(cls, option: str | None) -> Home:
        """Return the state folder that the command line names; SettingsError for a file."""
        folder = home_folder(option)
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not there.is_dir():
            raise SettingsError(
                f"the state folder {folder} cannot be: {there} is a file",
                remedy="name a folder with --home, or in TANDEM_HOME",
            )
        return cls(folder)

    @property
    def runs(self) -> Path:
        """The folder of run folders."""
        return self.folder / "runs"

    @property
    def cache(self) -> Path:
        """The folder of cache entries."""
        return self.folder / "cache"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints of trainings under way."""
        return self.folder / "checkpoints"

    def forget_checkpoints(self) -> None:
        """Remove those of trainings that nobody went on with for CHECKPOINT_DAYS."""
        oldest = time.time() - CHECKPOINT_DAYS * 24 * 3600
        for training in self.checkpoints.glob("*"):
            if training.stat().st_mtime < oldest:
                shutil.rmtree(training, ignore_errors=True)

    @property
    def registry_file(self) -> Path:
        """The default registry's database."""
        return self.folder / "mlflow.db"

    @property
    def metadata_file(self) -> Path:
        """The database of ML Metadata, one for all runs under TFX."""
        return self.folder / "mlmd.db"

    @property
    def tracking_uri(self) -> str:
        """The registry's address: MLFLOW_TRACKING_URI, else the default database."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.registry_file}"
