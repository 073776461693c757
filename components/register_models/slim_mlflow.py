"""Import MLflow without pandas, as its slim distribution (mlflow-skinny) is installed without it.

pandas and what MLflow defines only beside it are three tenths of the time that MLflow's import
takes, and nothing here reads or writes a DataFrame. Import this module before anything of MLflow;
afterwards pandas can be imported as ever, and where it was imported before nothing is different.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(package: str) -> Iterator[None]:
    """Make a package that is not imported yet look as if it were not installed."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment] # importlib then raises ImportError
    try:
        yield
    finally:
        del sys.modules[package]


with absent("pandas"):
    import mlflow.artifacts
    import mlflow.models.model
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking
    import mlflow.types.schema  # noqa: F401 - each for those who import it next
