"""What can be typed: commands, options, and an example of each. Standard library only.

A command names the function that does its work as `module:function`; it is imported when called.
What cannot be understood is a WrongUsage, so that the command line says it as it says all errors.
"""

from __future__ import annotations

import argparse
import functools
from typing import Any, NoReturn

from components.core.errors import WrongUsage
from pipelines.cli.audit_parser import add_audit
from pipelines.cli.cluster_parser import add_cluster, add_overrides, add_window
from pipelines.cli.decide_parser import add_decide
from pipelines.cli.filled import filled
from pipelines.cli.lineage_parser import add_lineage
from pipelines.cli.models_parser import add_models
from pipelines.cli.schema_parser import add_schema
from pipelines.cli.waive_parser import add_waive

PACKAGE = "tandem-pipeline"
NAME_HELP = "an example's name, or the path of a settings file or its folder"
BEAM_RUNNERS = (
    "FnApiRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner"
)  # fmt: skip
LOCAL, TFX = "local", "tfx"
RUNNERS = (LOCAL, TFX)
CLUSTER_HELP = "of Kubeflow Pipelines at KF_PIPELINES_ENDPOINT, not of the state folder"
RUN_HELP = "a run's id, the beginning of one, or `latest`"


class _Parser(argparse.ArgumentParser):
    """A parser, and those of the commands below it, that raises WrongUsage and prints nothing."""

    def error(self, message: str) -> NoReturn:
        raise WrongUsage(
            f"{self.prog}: {message}", remedy=f"see `{self.prog} --help`", usage=self.format_usage()
        )


class _Version(argparse.Action):
    """Print the installed package's version; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"tandem {version(PACKAGE)}")
        except PackageNotFoundError:
            parser.error(f"{PACKAGE} is not installed: run `make setup`")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="tandem",
        description="Train a PyTorch and a TensorFlow model side by side, and prove what you ship.",
        epilog="example:\n  tandem run flights",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="show the version"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    _add_plan(commands)
    _add_compile(commands)
    _add_runs(commands)
    add_cluster(commands, _add, NAME_HELP, RUN_HELP)
    _add_report(commands)
    _add_export(commands)
    add_decide(commands, _add, RUN_HELP)
    add_models(commands, _add)
    add_schema(commands, _add, NAME_HELP)
    add_waive(commands, _add, NAME_HELP)
    add_audit(commands, _add)
    add_lineage(commands, _add)
    return parser


@functools.cache
def _common(default: str | None = None) -> argparse.ArgumentParser:
    """Return the options that all commands have.

    Below another command they have no default (argparse.SUPPRESS), which would undo what was
    given before the inner command's name.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=default)
    truth = default or False
    common.add_argument(
        "--json", action="store_true", default=truth, help="answer with one JSON object"
    )
    common.add_argument("--verbose", action="store_true", default=truth, help="show tracebacks")
    common.add_argument(
        "--home",
        metavar="DIR",
        default=default,
        help="the state folder (default: TANDEM_HOME, else ./.tandem)",
    )
    return common


def _add(
    commands: Any, name: str, function: str, text: str, example: str, default: str | None = None
) -> Any:
    """Add one command with its help, its example and the options that all have."""
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(default)],
    )
    parser.set_defaults(command=function)
    return parser


def _add_settings_options(parser: argparse.ArgumentParser) -> None:
    add_overrides(parser)
    add_window(parser)
    parser.add_argument(
        "--beam-runner",
        choices=BEAM_RUNNERS,
        metavar="NAME",
        help=f"the engine of the data stages: {', '.join(BEAM_RUNNERS)}; its options are settings, "
        "as in --set beam.options.job_endpoint=localhost:8099 (see docs/engines.md)",
    )
    parser.add_argument(
        "--no-cache", action="store_false", dest="cache", help="do every stage's work again"
    )


def _add_run(commands: Any) -> None:
    run = _add(
        commands,
        "run",
        "pipelines.cli.run:run",
        "run the pipeline here, up to a registered candidate",
        "tandem run flights --set train.epochs=3 --window 2013-01:2013-10",
    )
    run.add_argument("name", nargs="?", metavar="NAME", help=NAME_HELP)
    _add_settings_options(run)
    run.add_argument("--resume", metavar="RUN", help=f"go on with a run that stopped: {RUN_HELP}")
    run.add_argument(
        "--runner",
        choices=RUNNERS,
        default=LOCAL,
        metavar="NAME",
        help=f"what runs the stages: {', '.join(RUNNERS)}; tfx makes them a TFX pipeline under "
        "LocalDagRunner, with ML Metadata in the state folder (default: local)",
    )


def _add_plan(commands: Any) -> None:
    plan = _add(
        commands,
        "plan",
        "pipelines.cli.run:plan",
        "say for each stage whether it would run, and what changed",
        "tandem plan flights --beam-runner PortableRunner "
        "--set beam.options.job_endpoint=localhost:8099",
    )
    plan.add_argument("name", metavar="NAME", help=NAME_HELP)
    _add_settings_options(plan)


def _add_compile(commands: Any) -> None:
    compiler = _add(
        commands,
        "compile",
        "pipelines.cli.compiling:compile_dag",
        "compile the pipeline for Kubeflow Pipelines",
        "tandem compile --target prod -o pipeline.yaml",
    )
    compiler.add_argument(
        "--target",
        metavar="NAME",
        default="local",
        help="where it is to run: a name in infra/settings, or a file (default: local)",
    )
    compiler.add_argument(
        "--kubernetes",
        action="store_true",
        help="write a Pipeline and a PipelineVersion, for a KFP that keeps pipelines in Kubernetes",
    )
    compiler.add_argument("--namespace", metavar="NAME", type=filled, help="default: kubeflow")
    compiler.add_argument(
        "-o", "--output", metavar="FILE", type=filled, help="where to (default: standard output)"
    )
    compiler.add_argument(
        "--settings",
        metavar="NAME",
        type=filled,
        help=f"refuse a target without the device that these name (train.device): {NAME_HELP}",
    )
    add_overrides(compiler)


def _add_runs(commands: Any) -> None:
    runs = _add(
        commands,
        "runs",
        "pipelines.cli.runs:list_runs",
        "list the runs in the state folder",
        "tandem runs show latest",
    )
    runs.add_argument("--cluster", action="store_true", help=CLUSTER_HELP)
    below = runs.add_subparsers(metavar="COMMAND")
    show = _add(
        below,
        "show",
        "pipelines.cli.runs:show",
        "show one run: its stages, models and decision",
        "tandem runs show latest --json",
        argparse.SUPPRESS,
    )
    show.add_argument("run", metavar="RUN", type=filled, help=RUN_HELP)
    show.add_argument(
        "--cluster", action="store_true", default=argparse.SUPPRESS, help=CLUSTER_HELP
    )


def _add_report(commands: Any) -> None:
    report = _add(
        commands,
        "report",
        "pipelines.cli.runs:report",
        "write a run's report page again",
        "tandem report latest",
    )
    report.add_argument("run", metavar="RUN", help=RUN_HELP)


def _add_export(commands: Any) -> None:
    export = _add(
        commands,
        "export-features",
        "pipelines.cli.export:export_features",
        "write a run's features as TFRecords of tf.Example, with their schema, for TFX",
        "tandem export-features latest -o features",
    )
    export.add_argument("run", metavar="RUN", help=RUN_HELP)
    export.add_argument(
        "-o", "--output", metavar="FOLDER", required=True, help="a new folder, or an empty one"
    )
