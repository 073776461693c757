"""What can be typed after `tandem models` to approve, promote and withdraw. Standard library only.

`add` is the parser's way to add a command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.cli.audit_keys_parser import add_despite
from pipelines.cli.registered_parser import VERSION_HELP

MODULE = "pipelines.cli.promotion"


def add_promotion(below: Any, add: Callable[..., Any]) -> None:
    """Add what people do to registered versions."""
    _add_approve(below, add)
    promote = _add_act(
        below,
        add,
        "promote",
        "move the alias `champion` to a version that has the approvals that its settings ask for",
        "tandem models promote flights-late@3 --reason better-in-every-slice",
    )
    add_despite(promote)
    rollback = add(
        below,
        "rollback",
        f"{MODULE}:rollback",
        "move the alias `champion` back to the champion before, by the records",
        "tandem models rollback --reason too-slow-in-use",
    )
    rollback.add_argument(
        "--model", metavar="NAME", help="the model (default: the only one that the log knows)"
    )
    _add_reason(rollback)
    add_despite(rollback)
    _add_act(
        below,
        add,
        "archive",
        "take a version out of use and its aliases away; a promotion takes it back in",
        "tandem models archive flights-late@1 --reason superseded",
    )
    _add_act(
        below,
        add,
        "withdraw",
        "take a version's aliases away for good: it cannot be promoted again",
        "tandem models withdraw flights-late@2 --reason trained-on-wrong-labels",
    )


def _add_approve(below: Any, add: Callable[..., Any]) -> None:
    approve = add(
        below,
        "approve",
        "pipelines.cli.approve:approve",
        "sign with your own key that you reviewed or approve a version",
        "tandem models approve flights-late@3 --as Reviewer --meaning review",
    )
    approve.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    approve.add_argument(
        "--as",
        dest="name",
        metavar="NAME",
        required=True,
        help="your name, which is signed and stays in the log for as long as records are kept",
    )
    approve.add_argument(
        "--meaning", choices=("review", "approval"), required=True, help="what you sign for"
    )
    approve.add_argument("--reason", metavar="TEXT", help="why, in words")
    approve.add_argument(
        "--until",
        metavar="DATE",
        help="the last day it counts, as 2027-01-31 (UTC; default: in 30 days)",
    )
    approve.add_argument(
        "--key",
        metavar="FILE",
        help="your private key, made if there is none "
        "(default: tandem/signing.key in XDG_CONFIG_HOME, else in ~/.config)",
    )


def _add_act(below: Any, add: Callable[..., Any], name: str, text: str, example: str) -> Any:
    act = add(below, name, f"{MODULE}:{name}", text, example)
    act.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    _add_reason(act)
    return act


def _add_reason(command: Any) -> None:
    command.add_argument("--reason", metavar="TEXT", required=True, help="why, for the record")
