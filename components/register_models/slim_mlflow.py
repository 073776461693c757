"""Import MLflow without pandas, as its slim distribution (mlflow-skinny) is installed without it.

pandas and what MLflow defines only beside it are three tenths of the time that MLflow's import
takes, and nothing here reads or writes a DataFrame. Import this module before anything of MLflow;
afterwards pandas can be imported as ever, and where it was imported before nothing is different.
"""

from __future__ import annotations

from components.core.absent import absent

with absent("pandas"):
    import mlflow.artifacts
    import mlflow.models.model
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking
    import mlflow.types.schema  # noqa: F401 - each for those who import it next
