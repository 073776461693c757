"""`tandem export-features`: a run's features as TFRecords, for TFX users."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from components.core.words import counted
from pipelines.cli.output import print_json
from pipelines.home import Home
from pipelines.loading import loading_quietly
from pipelines.runs import find_run, intact_output

TASK, OUTPUT = "transform-features", "features"


def export_features(arguments: Namespace) -> int:
    """Write the features, after checking that they are what the run recorded."""
    home = Home.at(arguments.home)
    run = find_run(home, arguments.run)
    features = intact_output(run, home, TASK, OUTPUT)
    sha256 = run.tasks[TASK].outputs[OUTPUT].sha256
    from components.transform_features.tfrecord_export import export_features as export

    with loading_quietly():
        import tensorflow  # noqa: F401
    folder = Path(arguments.output)
    rows = export(features, folder)
    if arguments.json:
        print_json({"run": run.id, "folder": str(folder), "rows": rows, "features_sha256": sha256})
    else:
        said = ", ".join(
            f"{counted(count, 'row')} in Split-{split}" for split, count in rows.items()
        )
        print(f"{folder}: {said}")
    return 0
