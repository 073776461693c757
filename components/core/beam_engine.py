"""The engine of the Beam pipelines: from a run's settings to Beam's own options and runner.

Why: a stage says what is computed, the settings say where; a wrong option is found before the work.

Rules:
1. the runner is always named, because Beam's default one downloads a binary;
2. an option is one that Beam itself declares, by its whole name, and Beam's own parser reads its
   value; a switch takes "true" or "false"; what is unknown is refused, with the nearest right name;
3. a runner without what it needs to start is refused, so that Beam has no reason to download a jar
   of its own or to look for an account;
4. values of options never enter messages.

Building options and a runner connects to nothing. This module imports Beam: import it inside
functions only.
"""

from __future__ import annotations

import argparse
import difflib
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc  # type: ignore[import-untyped]
from apache_beam import Pipeline
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, create_runner

from components.core.data_settings import Beam
from components.core.errors import PlatformError, SettingsError

_NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "FnApiRunner": (),
    "PortableRunner": (("job_endpoint",),),
    "FlinkRunner": (("job_endpoint", "flink_job_server_jar"),),
    "SparkRunner": (("job_endpoint", "spark_job_server_jar"),),
    "DataflowRunner": (("project",), ("region",), ("temp_location",)),
}
_TYPE_CHECK = ("pipeline_type_check", "no_pipeline_type_check")


def pipeline_options(beam: Beam) -> PipelineOptions:
    """Return Beam's options; SettingsError for one that Beam does not know or cannot read.

    Beam's own check of type hints is off unless the options ask for it: it would take a tenth of
    the time and find nothing of ours.
    """
    parser = _parser()
    flags = [_flag(parser, name, value) for name, value in sorted(beam.options.items())]
    given = [flag for flag in flags if flag]
    _require_readable(parser, given)
    _require_needs(beam)
    unset = {} if set(_TYPE_CHECK) & set(beam.options) else {"pipeline_type_check": False}
    return PipelineOptions(given, **unset)


def runner(beam: Beam) -> PipelineRunner:
    """Return the runner that `beam` names."""
    return FnApiRunner() if beam.runner == "FnApiRunner" else create_runner(beam.runner)


@contextmanager
def pipeline(beam: Beam) -> Iterator[Pipeline]:
    """Lend a pipeline that runs when the block ends; PlatformError where no service answers."""
    try:
        with Pipeline(runner=runner(beam), options=pipeline_options(beam)) as lent:
            yield lent
    except (grpc.RpcError, grpc.FutureTimeoutError) as error:
        raise PlatformError(
            f"the job service of {beam.runner} did not answer",
            remedy="see that it runs and that beam.options name its address",
        ) from error


def _parser() -> argparse.ArgumentParser:
    """Return a parser of every option that Beam declares, as Beam makes its own."""
    parser: argparse.ArgumentParser = _BeamArgumentParser(
        allow_abbrev=False, add_help=False, exit_on_error=False
    )
    for declared in {str(cls): cls for cls in PipelineOptions.__subclasses__()}.values():
        declared._add_argparse_args(parser)
    return parser


def _flag(parser: argparse.ArgumentParser, name: str, value: str) -> str | None:
    """Return an option as Beam's command line has it; None for a switch that is off."""
    if name == "runner":
        raise SettingsError("beam.options names a runner", remedy="set beam.runner instead")
    action = parser._option_string_actions.get(f"--{name}")
    if action is None:
        raise SettingsError(f"Beam has no option {name}", remedy=_suggestion(parser, name))
    if action.nargs != 0:
        return f"--{name}={value}"
    if value not in ("true", "false"):
        raise SettingsError(f"Beam's option {name} is a switch", remedy='give it "true" or "false"')
    return f"--{name}" if value == "true" else None


def _suggestion(parser: argparse.ArgumentParser, name: str) -> str:
    known = [option.removeprefix("--") for option in parser._option_string_actions]
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return "options are called as in Beam's PipelineOptions, without the two hyphens"


def _require_readable(parser: argparse.ArgumentParser, flags: list[str]) -> None:
    for flag in flags:
        try:
            parser.parse_known_args([flag])
        except (argparse.ArgumentError, ValueError) as error:
            name = flag.removeprefix("--").partition("=")[0]
            raise SettingsError(
                f"Beam cannot read the value of its option {name}",
                remedy="give it a value of the kind that Beam's documentation names",
            ) from error


def _require_needs(beam: Beam) -> None:
    for alternatives in _NEEDS[beam.runner]:
        if not any(beam.options.get(name) for name in alternatives):
            raise SettingsError(
                f"{beam.runner} needs the option {' or '.join(alternatives)}",
                remedy="give it in beam.options; nothing is downloaded or looked up in its place",
            )


@contextmanager
def scratch_file(beam: Beam, what: str) -> Iterator[str]:
    """Lend the name of a file for a pipeline's result.

    It lies in the option temp_location, which all workers must reach, or in a temporary folder.
    """
    name = f"{what}-{uuid.uuid4().hex}"
    shared = beam.options.get("temp_location")
    if shared is None:
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder) / name)
        return
    file = FileSystems.join(shared, name)
    try:
        yield file
    finally:
        if FileSystems.exists(file):
            FileSystems.delete([file])
