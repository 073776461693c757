"""`tandem submit`: one run in Kubeflow Pipelines."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from pipelines.cli.output import print_json

if TYPE_CHECKING:
    from pipelines.kubeflow.once import Submitted
    from pipelines.loaded_settings import LoadedSettings
    from pipelines.target import Target


def submit(arguments: Namespace) -> int:
    """Check, send and name the run; the same command finds the same run."""
    from pipelines.kubeflow.once import submit as once
    from pipelines.kubeflow.session import Session
    from pipelines.kubeflow.submission import check_run, prepare
    from pipelines.target import load_target

    target, loaded = load_target(arguments.target), load(arguments)
    check_run(loaded, target)
    look_for_machines(target, arguments)
    session = Session.open()
    submission = prepare(loaded, target, cache=arguments.cache)
    told = once(session, submission)
    if arguments.json:
        shipped = {"shipped_sha256": submission.shipped_sha256}
        print_json(as_json(told) | shipped | {"server": session.address.host})
    else:
        print(as_text(told))
    return 0


def look_for_machines(target: Target, arguments: Namespace) -> None:
    """Raise SettingsError for an accelerator that the cluster lacks; tell what was not seen."""
    if arguments.machine_check:
        from pipelines.kubeflow.machines import check_machines

        if (why := check_machines(target)) is not None:
            print(f"the machines for the target's accelerators: not seen, {why}", file=sys.stderr)


def load(arguments: Namespace) -> LoadedSettings:
    """Return the settings that the command line names and changes, for a cluster's pods.

    Raises SettingsError for settings that cannot be used, or name a graph that no pod has.
    """
    from pipelines.loaded_settings import load_settings
    from pipelines.preflight.stock_graphs import require_graphs_in_images
    from pipelines.settings_file import find_settings, window_overrides

    window = window_overrides(arguments.window) if arguments.window else []
    file = find_settings(arguments.name)
    loaded = load_settings(file, [*arguments.overrides, *window])
    require_graphs_in_images(loaded.settings.transform.preprocessing_fn, file.resolve().parent)
    return loaded


def as_json(told: Submitted) -> dict[str, object]:
    """Return what came of a submission as a JSON object."""
    run = told.run
    return {"run": run.id, "name": run.name, "state": run.state, "submitted": told.is_new}


def as_text(told: Submitted) -> str:
    """Return it for people."""
    run = told.run
    how = "submitted" if told.is_new else f"was there, {run.state.lower()}"
    return f"{run.name} {how}: tandem runs show {run.id} --cluster"
