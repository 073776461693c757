"""What can be typed after `tandem models` to look at the registry. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MODULE = "pipelines.cli.registered"
VERSION_HELP = "a number or an alias of the only registered model, or NAME@ and one of these"
MODEL_HELP = "a registered model (default: all)"


def add_registered(below: Any, add: Callable[..., Any]) -> None:
    """Add the commands that read the registry; `add` is the parser's way to add a command."""
    listing = add(
        below,
        "list",
        f"{MODULE}:list_versions",
        "list registered versions with their run, aliases, data and decision",
        "tandem models list flights-late",
    )
    listing.add_argument("name", nargs="?", metavar="NAME", help=MODEL_HELP)
    show = add(
        below,
        "show",
        f"{MODULE}:show",
        "show what the records say of a version: metrics, forms, digests",
        "tandem models show candidate",
    )
    show.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    diff = add(
        below,
        "diff",
        f"{MODULE}:diff",
        "say what differs between two versions: data, settings, code, metrics, forms",
        "tandem models diff 1 candidate",
    )
    diff.add_argument("one", metavar="V1", help=VERSION_HELP)
    diff.add_argument("two", metavar="V2", help=VERSION_HELP)
    card = add(
        below,
        "card",
        f"{MODULE}:card",
        "print the model card that is stored with a version, once its bytes were checked",
        "tandem models card flights-late@candidate",
    )
    card.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    history = add(
        below,
        "history",
        f"{MODULE}:history",
        "show every change of an alias that is in the log",
        "tandem models history flights-late",
    )
    history.add_argument("name", nargs="?", metavar="NAME", help=MODEL_HELP)
    add(
        below,
        "reconcile",
        f"{MODULE}:reconcile",
        "compare MLflow with the log: versions, aliases and stored bytes without a record",
        "tandem models reconcile --json",
    )
