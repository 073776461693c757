"""What can be typed after `tandem audit report`. Standard library only.

`add` is the parser's way to add a command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TEMPLATES = ("annex-iv", "sr26-2", "part11")


def add_audit_report(below: Any, add: Callable[..., Any]) -> None:
    """Add the command that writes an auditor's report."""
    report = add(
        below,
        "report",
        "pipelines.cli.audit_report:report",
        "write what stands behind a version, by an auditor's template, as one page",
        "tandem audit report flights-late@1 --template annex-iv -o flights-late.html",
    )
    report.add_argument(
        "version",
        metavar="MODEL@VERSION",
        help="a number or an alias, by the log, of the only model, or NAME@ and one of these",
    )
    report.add_argument(
        "--template",
        choices=TEMPLATES,
        required=True,
        help="annex-iv: EU AI Act, Annex IV; sr26-2: US guidance on model risk; "
        "part11: 21 CFR Part 11",
    )
    report.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the page (default: MODEL@VERSION-TEMPLATE.html in the current folder)",
    )
