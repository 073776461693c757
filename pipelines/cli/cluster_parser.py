"""What can be typed for runs in Kubeflow Pipelines. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from pipelines.cli.filled import filled

Add = Callable[..., Any]
SCHEDULE_HELP = "a schedule's name or id"


def add_cluster(commands: Any, add: Add, name_help: str, run_help: str) -> None:
    """Add the commands; `add` is the parser's way to add one."""
    _add_submit(commands, add, name_help)
    _add_schedule(commands, add, name_help)
    _add_backfill(commands, add, name_help)
    logs = add(
        commands,
        "logs",
        "pipelines.cli.cluster:logs",
        "print what the stages of a run in Kubeflow Pipelines wrote",
        "tandem logs latest train-pytorch",
    )
    logs.add_argument("run", metavar="RUN", type=filled, help=run_help)
    logs.add_argument(
        "stage", metavar="STAGE", type=filled, nargs="?", help="one of them (default: all)"
    )
    retry = add(
        commands,
        "retry",
        "pipelines.cli.cluster:retry",
        "go on with a failed run in Kubeflow Pipelines, from what failed",
        "tandem retry latest",
    )
    retry.add_argument("run", metavar="RUN", type=filled, help=run_help)
    terminate = add(
        commands,
        "terminate",
        "pipelines.cli.cluster:terminate",
        "end a run in Kubeflow Pipelines that goes on; its span is free then",
        "tandem terminate latest",
    )
    terminate.add_argument("run", metavar="RUN", type=filled, help=run_help)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes single settings."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting; the value is YAML; may be repeated",
    )


def add_window(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the spans of a run."""
    parser.add_argument(
        "--window",
        metavar="FIRST:LAST",
        type=filled,
        help="the spans of the run; the last is evaluated on",
    )


def _add_request(parser: argparse.ArgumentParser, name_help: str) -> None:
    """Add what says which runs are asked for, and on what target."""
    parser.add_argument("name", metavar="NAME", type=filled, help=name_help)
    parser.add_argument(
        "--target",
        metavar="NAME",
        type=filled,
        required=True,
        help="where it is to run: a name in infra/settings, or a file",
    )
    add_overrides(parser)
    add_window(parser)
    parser.add_argument(
        "--no-cache", action="store_false", dest="cache", help="do every stage's work again"
    )
    parser.add_argument(
        "--no-machine-check",
        action="store_false",
        dest="machine_check",
        help="do not look for machines with the target's accelerators: an autoscaler makes them",
    )


def _add_submit(commands: Any, add: Add, name_help: str) -> None:
    submit = add(
        commands,
        "submit",
        "pipelines.cli.submitting:submit",
        "submit a run to Kubeflow Pipelines; the same words find the same run",
        "tandem submit flights --target prod --window 2013-01:2013-10",
    )
    _add_request(submit, name_help)


def _add_schedule(commands: Any, add: Add, name_help: str) -> None:
    schedule = commands.add_parser(
        "schedule",
        help="runs in Kubeflow Pipelines by the clock: create, list, show, pause, resume, delete",
        description="Runs in Kubeflow Pipelines by the clock.",
        epilog="example:\n  tandem schedule list",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = schedule.add_subparsers(metavar="COMMAND", required=True)
    _add_schedule_create(below, add, name_help)
    add(
        below,
        "list",
        "pipelines.cli.scheduling:list_schedules",
        "list the schedules of the namespace",
        "tandem schedule list",
    )
    for name, text in (
        ("show", "show one: its next times, the spans that its runs take"),
        ("pause", "pause one; what runs goes on running"),
        ("resume", "have one go on"),
        ("delete", "delete one; its runs stay"),
    ):
        function = f"pipelines.cli.scheduling:{name}"
        parser = add(below, name, function, text, f"tandem schedule {name} flights")
        parser.add_argument("schedule", metavar="SCHEDULE", type=filled, help=SCHEDULE_HELP)


def _add_schedule_create(below: Any, add: Add, name_help: str) -> None:
    create = add(
        below,
        "create",
        "pipelines.cli.scheduling:create",
        "have runs start by cron, each of the spans that its time says (settings: schedule)",
        "tandem schedule create flights --target prod --cron '0 3 2 * *' --time-zone UTC",
    )
    _add_request(create, name_help)
    create.add_argument(
        "--cron",
        required=True,
        type=filled,
        metavar="CRON",
        help="minute, hour, day, month, day of the week",
    )
    create.add_argument(
        "--time-zone",
        required=True,
        type=filled,
        metavar="ZONE",
        help="in which cron is read: the one that the target states (UTC by default)",
    )
    create.add_argument(
        "--name",
        dest="schedule",
        metavar="NAME",
        type=filled,
        help="its own (default: the use case's)",
    )
    create.add_argument(
        "--max-concurrency",
        type=int,
        default=1,
        metavar="N",
        help="as many runs at once, 1 to 10 (default: 1)",
    )
    create.add_argument(
        "--catch-up", action="store_true", help="make up for all missed times, not the last alone"
    )


def _add_backfill(commands: Any, add: Add, name_help: str) -> None:
    backfill = add(
        commands,
        "backfill",
        "pipelines.cli.scheduling:backfill",
        "run spans that have passed, one run a span; again, it goes on with what is left",
        "tandem backfill flights --target prod --from 2013-06 --to 2013-10",
    )
    _add_request(backfill, name_help)
    for option, where in (("--from", "first"), ("--to", "last")):
        backfill.add_argument(
            option,
            dest=where,
            required=True,
            metavar="SPAN",
            type=filled,
            help=f"the {where} span",
        )
    backfill.add_argument(
        "--parallel", type=int, default=1, metavar="N", help="as many runs at once (default: 1)"
    )
    backfill.add_argument(
        "--every",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how often the runs are looked at (default: 30)",
    )
