"""What can be typed after `tandem schema`. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

COMMANDS = "pipelines.cli.schema"
FORCE_HELP = "write over a file that is there"


def add_schema(commands: Any, add: Callable[..., Any], name_help: str) -> None:
    """Add `tandem schema` and its commands; `add` is the parser's way to add one."""
    schema = commands.add_parser(
        "schema",
        help="infer a schema, review data against it, and change it",
        description="Infer a schema, review data against it, and change it. A run never does.",
        epilog="example:\n  tandem schema review flights",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = schema.add_subparsers(metavar="COMMAND", required=True)
    for name, text, example in (
        ("infer", "write the first schema of a use case", "infer flights -o first.pbtxt"),
        ("review", "say where data and schema differ; 3 if that stops a run", "review flights"),
        ("update", "change the schema to what the data says", "update flights --feature carrier"),
    ):
        parser = add(below, name, f"{COMMANDS}:{name}", text, f"tandem schema {example}")
        parser.add_argument("name", metavar="NAME", help=name_help)
        parser.add_argument(
            "--window", metavar="FIRST:LAST", help="the spans to look at instead of the settings'"
        )
        _OPTIONS[name](parser)
    _add_import(below, add, name_help)


def _add_import(below: Any, add: Callable[..., Any], name_help: str) -> None:
    parser = add(
        below,
        "import-tfx",
        f"{COMMANDS}:import_tfx",
        "write the first schema of a use case of one that TFX wrote",
        "tandem schema import-tfx path/to/folder ROOT/SchemaGen/schema/3",
    )
    parser.add_argument("name", metavar="NAME", help=name_help)
    parser.add_argument(
        "schema", metavar="SCHEMA", help="SchemaGen's artifact, or a schema.pbtxt, of the rows read"
    )
    _output(parser)


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to (default: the file that settings name)"
    )
    parser.add_argument("--force", action="store_true", help=FORCE_HELP)


def _infer(parser: argparse.ArgumentParser) -> None:
    _output(parser)
    parser.add_argument(
        "--ranges",
        action="store_true",
        help="also write the range of each number as found; the next span may well leave it",
    )


def _review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--environment",
        choices=("training", "serving"),
        help="serving: the same rows without their label (default: training)",
    )


def _update(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--feature",
        action="append",
        default=[],
        metavar="FEATURE",
        dest="features",
        help="change what the schema says of this one; may be repeated",
    )
    parser.add_argument("--all", action="store_true", help="change every feature that differs")
    parser.add_argument("--yes", action="store_true", help="do not ask")


_OPTIONS = {"infer": _infer, "review": _review, "update": _update}
