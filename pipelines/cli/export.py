"""`tandem export-features`: a run's features as TFRecords, for TFX users."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from components.core.artifacts import tree_digest
from components.core.errors import IntegrityError, SettingsError
from components.core.words import counted
from pipelines import commands
from pipelines.cli.output import print_json
from pipelines.home import Home
from pipelines.loading import loading_quietly
from pipelines.runs import find_run

TASK, OUTPUT = "transform-features", "features"


def export_features(arguments: Namespace) -> int:
    """Write the features, after checking that they are what the run recorded."""
    home = Home.at(arguments.home)
    run = find_run(home, arguments.run)
    task = run.tasks.get(TASK)
    if task is None or OUTPUT not in task.outputs:
        raise SettingsError(
            f"run {run.id} has no features",
            remedy=f"go on with it: {commands.resume(home, run.id)}",
        )
    recorded = task.outputs[OUTPUT]
    features = run.folder / recorded.path
    if (actual := tree_digest(features)) != recorded.sha256:
        raise IntegrityError(
            f"the features of run {run.id} differ from what the run recorded",
            remedy="find out who changed them, then start a new run",
            expected=recorded.sha256,
            actual=actual,
        )
    from components.transform_features.tfrecord_export import export_features as export

    with loading_quietly():
        import tensorflow  # noqa: F401
    folder = Path(arguments.output)
    rows = export(features, folder)
    if arguments.json:
        print_json({"run": run.id, "folder": str(folder), "rows": rows, "features_sha256": actual})
    else:
        said = ", ".join(
            f"{counted(count, 'row')} in Split-{split}" for split, count in rows.items()
        )
        print(f"{folder}: {said}")
    return 0
