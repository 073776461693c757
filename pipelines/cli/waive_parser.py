"""What can be typed after `tandem waive`. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HERE = "."


def add_waive(commands: Any, add: Callable[..., Any], name_help: str) -> None:
    """Add `tandem waive`; `add` is the parser's way to add a command."""
    waive = add(
        commands,
        "waive",
        "pipelines.cli.waive:waive",
        "sign that a data gate may fail, for a reason and until a day",
        "tandem waive drift:hour --reason winter-timetable --until 2027-01-31 --name flights",
    )
    waive.add_argument("gate", metavar="GATE", help="the gate's name, as the failed run gives it")
    waive.add_argument("--reason", metavar="TEXT", required=True, help="why it may fail")
    waive.add_argument(
        "--until", metavar="DATE", required=True, help="the last day it holds, as 2027-01-31 (UTC)"
    )
    waive.add_argument(
        "--slice", metavar="S", help="this slice of the gate alone (default: every slice)"
    )
    waive.add_argument(
        "--name",
        metavar="USE_CASE",
        default=HERE,
        help=f"{name_help} (default: the settings file in this folder)",
    )
    waive.add_argument(
        "--key",
        metavar="FILE",
        help="your private key, made if there is none "
        "(default: tandem/signing.key in XDG_CONFIG_HOME, else in ~/.config)",
    )
