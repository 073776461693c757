"""What can be typed after `tandem decide`. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LATEST = "latest"


def add_decide(commands: Any, add: Callable[..., Any], run_help: str) -> None:
    """Add `tandem decide`; `add` is the parser's way to add a command."""
    decide = add(
        commands,
        "decide",
        "pipelines.cli.decide:decide",
        "try another policy on a finished run; nothing is trained, written or registered",
        "tandem decide latest --policy policy.yaml",
    )
    decide.add_argument(
        "run", nargs="?", metavar="RUN", default=LATEST, help=f"{run_help} (default: {LATEST})"
    )
    decide.add_argument("--policy", metavar="FILE", required=True, help="a policy file (YAML)")
