"""`tandem runs --cluster`, `logs`, `retry` and `terminate`: runs in Kubeflow Pipelines."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.core.errors import PlatformError
from components.core.prices import cost_text
from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from pipelines.kubeflow.recorded import Costs
    from pipelines.kubeflow.runs import ClusterRun
    from pipelines.kubeflow.session import Session


def list_runs(arguments: Namespace) -> int:
    """List the runs of the namespace, oldest first, with what they cost by their records."""
    from pipelines.kubeflow.recorded import costs
    from pipelines.kubeflow.runs import listed
    from pipelines.kubeflow.session import Session

    session = Session.open()
    runs = listed(session)
    paid = costs(Home.at(arguments.home).folder, runs)
    if arguments.json:
        said = [{**run.to_dict(), "cost": paid.of(run)} for run in runs]
        unknown = {"costs_unknown": paid.unknown}
        print_json({"server": session.address.host, "runs": said, **unknown})
        return 0
    if not runs:
        print(f"no runs at {session.address.host}", file=sys.stderr)
    for run in runs:
        cost = f"{cost_text(paid.of(run)):>14}  " if paid.are_shown else ""
        print(f"{run.id}  {run.state.lower():10}  {run.started or '-':25}  {cost}{run.name}")
    _tell_unknown(paid)
    return 0


def _tell_unknown(paid: Costs) -> None:
    if paid.unknown is not None:
        print(f"costs are not known: {paid.unknown}", file=sys.stderr)


def show(arguments: Namespace) -> int:
    """Show one run's stages."""
    from pipelines.kubeflow.recorded import costs
    from pipelines.kubeflow.runs import find
    from pipelines.kubeflow.session import Session

    run = find(Session.open(), arguments.run)
    paid = costs(Home.at(arguments.home).folder, [run])
    by_task = paid.by_task.get(run.id, {})
    if arguments.json:
        said = {"cost": paid.of(run), "costs": dict(by_task), "costs_unknown": paid.unknown}
        print_json(run.to_dict() | said)
        return 0
    print(f"{run.id}  {run.name}  {run.state.lower()}  started {run.started or '-'}")
    for name, stage in run.stages.items():
        cost = f"{cost_text(by_task.get(name)):>14}  " if paid.are_shown else ""
        print(f"  {name:20}  {stage.state.lower():10}  {cost}{stage.pod}".rstrip())
    if paid.are_shown:
        print(f"cost {cost_text(paid.of(run))}")
    _tell_unknown(paid)
    return 0


def logs(arguments: Namespace) -> int:
    """Print what a stage wrote, or each stage that has a pod; 1 where one of them is gone."""
    from pipelines.kubeflow.runs import find, log_of
    from pipelines.kubeflow.session import Session

    session = Session.open()
    run = find(session, arguments.run)
    gone: dict[str, str] = {}
    if arguments.stage:
        texts = {arguments.stage: log_of(session, run, arguments.stage)}
    else:
        texts, gone = _logs_left(session, run)
    if arguments.json:
        print_json({"run": run.id, "logs": texts, **({"gone": gone} if gone else {})})
    else:
        _print_logs(texts)
        for stage, why in gone.items():
            print(f"{stage}: {why}", file=sys.stderr)
    return PlatformError.exit_code if gone else 0


def _logs_left(session: Session, run: ClusterRun) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the stages with pods wrote, and why of some it cannot be read any more.

    A server that cannot be reached is asked for no further stage.
    """
    from pipelines.kubeflow.runs import log_of
    from pipelines.kubeflow.session import Unreachable

    texts, gone = dict[str, str](), dict[str, str]()
    stages = [name for name, one in run.stages.items() if one.pod]
    for number, stage in enumerate(stages):
        try:
            texts[stage] = log_of(session, run, stage)
        except Unreachable as error:
            gone |= dict.fromkeys(stages[number:], f"{error.message}; {error.remedy}")
            break
        except PlatformError as error:
            gone[stage] = f"{error.message}; {error.remedy}"
    return texts, gone


def _print_logs(texts: Mapping[str, str]) -> None:
    for stage, text in texts.items():
        if len(texts) > 1:
            print(f"== {stage}")
        print(text, end="" if text.endswith("\n") else "\n")


def retry(arguments: Namespace) -> int:
    """Go on with a failed run from the stage that failed."""
    from pipelines.kubeflow.runs import find
    from pipelines.kubeflow.runs import retry as again
    from pipelines.kubeflow.session import Session
    from pipelines.kubeflow.siblings import require_alone

    session = Session.open()
    run = find(session, arguments.run)
    require_alone(session, run)
    again(session, run)
    if arguments.json:
        print_json({"run": run.id, "name": run.name, "retried": True})
    else:
        print(f"{run.name} goes on: tandem runs show {run.id} --cluster")
        print("close its records when it has ended: tandem audit reconcile")
    return 0


def terminate(arguments: Namespace) -> int:
    """End a run that goes on; one that is over is said to be."""
    from pipelines.kubeflow.runs import find
    from pipelines.kubeflow.runs import terminate as end
    from pipelines.kubeflow.session import Session

    session = Session.open()
    found = find(session, arguments.run)
    run = end(session, found)
    is_ended_now = found.is_active and run.is_ended_by_order
    if arguments.json:
        said = {"run": run.id, "name": run.name, "state": run.state}
        print_json(said | {"terminated": is_ended_now})
    elif is_ended_now:
        print(f"{run.name} is being ended: tandem runs show {run.id} --cluster")
    else:
        print(f"{run.name} is over, nothing to end: {run.state.lower()}")
    return 0
