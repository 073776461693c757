"""An empty MLflow store, made at set-up and copied into each new home.

Why: MLflow makes the tables of a new SQLite file by a hundred migrations, in three seconds.

Rules: the file is MLflow's own work and has tables alone: the experiment that each store has, with
the place of its files, is made where the store is. It is named by MLflow's version, so that another
never takes it; where there is none MLflow makes the tables, as ever.
"""

from __future__ import annotations

import logging
import shutil
from importlib.metadata import version
from pathlib import Path

from components.core.installed import INSTALLED
from components.core.quiet import be_quiet


def tables_file() -> Path:
    """Return where the empty store of this environment's MLflow lies, if set-up made it."""
    return INSTALLED / f"mlflow-{version('mlflow')}.db"


def copy_tables(file: Path) -> None:
    """Begin a store's file with the tables of the empty one; where that fails there is no file."""
    try:
        shutil.copyfile(tables_file(), file)
    except OSError:  # there is none, or the disk is full, which MLflow says
        file.unlink(missing_ok=True)


def make_tables(file: Path) -> None:
    """Write a file with all of MLflow's tables, and no row of a store."""
    be_quiet()
    import components.register_models.slim_mlflow  # noqa: F401 - before anything of MLflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.partial")
    beside.unlink(missing_ok=True)
    engine = create_sqlalchemy_engine(f"sqlite:///{beside}")
    _initialize_tables(engine)
    engine.dispose()
    beside.replace(file)
