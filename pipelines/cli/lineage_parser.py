"""What can be typed after `tandem lineage`. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add_lineage(commands: Any, add: Callable[..., Any]) -> None:
    """Add `tandem lineage` and what is below it; `add` is the parser's way to add a command."""
    lineage = commands.add_parser(
        "lineage",
        help="bring the history of other systems into the audit log",
        description="Bring the history of other systems into the audit log.",
        epilog="example:\n  tandem lineage import-tfx metadata.db",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = lineage.add_subparsers(metavar="COMMAND", required=True)
    of_tfx = add(
        below,
        "import-tfx",
        "pipelines.cli.lineage:import_tfx",
        "record what a TFX store of ML Metadata tells, marked as imported",
        "tandem lineage import-tfx metadata.db --pipeline taxi --dry-run",
    )
    of_tfx.add_argument(
        "store", metavar="STORE", help="ML Metadata's SQLite file; it is copied, and not changed"
    )
    of_tfx.add_argument(
        "--pipeline", metavar="NAME", help="this pipeline alone, with what it stands on"
    )
    of_tfx.add_argument(
        "--dry-run", action="store_true", help="check all of it, and say what would be recorded"
    )
