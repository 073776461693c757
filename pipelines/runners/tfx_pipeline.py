"""A run's tasks as a TFX pipeline under LocalDagRunner, with ML Metadata in SQLite.

Rules: the run's id is ours, so that the store and the log speak of the same run; TFX's own cache is
off, as KFP's is: it would skip a stage and its record; what TFX writes for itself lies in the run's
folder, below SCRATCH. Importing this takes 13 s of CPU, TensorFlow and Beam among it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ml_metadata.errors import StatusError
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter

from components.core.errors import PlatformError
from pipelines.runners.execution import Execution
from pipelines.runners.run_folder import disk_error
from pipelines.runners.tfx_components import components
from pipelines.runners.tfx_executor import UNDER_WAY, StageEndedError

SCRATCH = "tfx"


def run(execution: Execution, store: Path) -> None:
    """Run the tasks one after another, until one does not end well; the journal has what became.

    `store` is ML Metadata's SQLite file. Raises PlatformError where it fails, or the run's folder.
    """
    token = UNDER_WAY.set(execution)
    try:
        with warnings.catch_warnings():
            # protobuf deprecates what TFX calls, and says so of whoever called TFX.
            warnings.simplefilter("ignore", DeprecationWarning)
            LocalDagRunner().run_with_ir(_compiled(execution, store))
    except StageEndedError:
        return  # the journal has the cause
    except (StatusError, RuntimeError) as error:
        raise PlatformError(
            f"ML Metadata's store {store} fails: {error}",
            remedy="read logs/tfx.log in the run's folder; move the file away for a new store",
        ) from error
    finally:
        UNDER_WAY.reset(token)


def _compiled(execution: Execution, store: Path) -> Any:
    """Return the pipeline in TFX's own intermediate form."""
    journal = execution.journal
    try:
        nodes = components(execution.pipeline, execution.arguments, journal.folder)
        connection = sqlite_metadata_connection_config(str(store))
    except OSError as error:
        raise disk_error(journal.folder, error) from error
    pipeline = Pipeline(
        pipeline_name=execution.pipeline.name,
        pipeline_root=str(journal.folder / SCRATCH),
        components=nodes,
        enable_cache=False,
        metadata_connection_config=connection,
    )
    compiled = Compiler().compile(pipeline)
    substitute_runtime_parameter(compiled, {PIPELINE_RUN_ID_PARAMETER_NAME: journal.run_id})
    return compiled
