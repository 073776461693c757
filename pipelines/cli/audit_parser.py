"""What can be typed after `tandem audit`. Standard library only.

`add` is the parser's way to add a command.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from pipelines.cli.audit_answers_parser import VERSION_HELP, add_answers
from pipelines.cli.audit_keys_parser import add_keys
from pipelines.cli.audit_monitor_parser import add_monitor
from pipelines.cli.audit_report_parser import add_audit_report


def add_audit(commands: Any, add: Callable[..., Any]) -> None:
    """Add `audit` and the commands below it."""
    audit = commands.add_parser(
        "audit",
        help="verify the audit log and trace models through it",
        description="Verify the audit log and trace models through it.",
        epilog="example:\n  tandem audit verify",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = audit.add_subparsers(metavar="COMMAND", required=True)
    add(
        below,
        "verify",
        "pipelines.cli.audit:verify",
        "verify every record, signature and checkpoint of the log",
        "tandem audit verify",
    )
    trace = add(
        below,
        "trace",
        "pipelines.cli.audit:trace",
        "show which data, code, gates and people stand behind a model",
        "tandem audit trace flights-late@1",
    )
    trace.add_argument(
        "model",
        metavar="MODEL@VERSION",
        help=f"{VERSION_HELP}; or the sha256 of a bundle or of an imported model",
    )
    approvals = add(
        below,
        "approvals",
        "pipelines.cli.approve:approvals",
        "show who approved a version, when and with which meaning, and what counts",
        "tandem audit approvals flights-late@1",
    )
    approvals.add_argument("version", metavar="MODEL@VERSION", help=VERSION_HELP)
    add_answers(below, add)
    add_audit_report(below, add)
    add_keys(below, add)
    add_monitor(below, add)
