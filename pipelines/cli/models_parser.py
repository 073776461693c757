"""What can be typed after `tandem models`. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from pipelines.cli.promotion_parser import add_promotion
from pipelines.cli.register_parser import add_register
from pipelines.cli.registered_parser import add_registered

PATH_HELP = "a bundle's folder, the one that holds contract.json"


def add_models(commands: Any, add: Callable[..., Any]) -> None:
    """Add `tandem models` and what is below it; `add` is the parser's way to add a command."""
    models = commands.add_parser(
        "models",
        help="look at models, exported or registered; predict; sign, promote, roll back",
        description="Look at models, exported or registered; predict; sign, promote, roll back.",
        epilog="example:\n  tandem models inspect path/to/bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = models.add_subparsers(metavar="COMMAND", required=True)
    inspect = add(
        below,
        "inspect",
        "pipelines.cli.models:inspect",
        "check a bundle's files and say what it takes, gives and was proven to give",
        "tandem models inspect path/to/bundle",
    )
    inspect.add_argument("path", metavar="PATH", help=PATH_HELP)
    predict = add(
        below,
        "predict",
        "pipelines.cli.models:predict",
        "give the prediction of each row of a file",
        "tandem models predict path/to/bundle --input rows.csv --form litert",
    )
    predict.add_argument("path", metavar="PATH", help=PATH_HELP)
    predict.add_argument(
        "--input",
        metavar="FILE",
        required=True,
        help="raw rows as CSV, or as Parquet (*.parquet), with the bundle's input columns",
    )
    predict.add_argument(
        "--form",
        default="onnx",
        metavar="NAME",
        help="onnx, saved_model, torch_export, litert or one of 8 bits, as `inspect` lists them "
        "(default: onnx)",
    )
    predict.add_argument(
        "-o", "--output", metavar="FILE", help="a CSV file (default: standard output)"
    )
    add_register(below, add)
    add_promotion(below, add)
    add_registered(below, add)
