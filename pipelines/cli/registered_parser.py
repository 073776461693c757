"""What can be typed after `tandem models` to look at the registry. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

MODULE = "pipelines.cli.registered"
VERSION_HELP = "a number or an alias of the only registered model, or NAME@ and one of these"
MODEL_HELP = "a registered model (default: all)"


def add_registered(below: Any, add: Callable[..., Any]) -> None:
    """Add the commands that read the registry."""
    reader = partial(_add_reader, below, add)
    reader(
        "list",
        "list_versions",
        "list registered versions with their run, aliases, data and decision",
        "tandem models list flights-late",
        model=True,
    )
    reader(
        "show",
        "show",
        "show what the records say of a version: metrics, forms, digests",
        "tandem models show candidate",
        versions={"version": "VERSION"},
    )
    reader(
        "diff",
        "diff",
        "say what differs between two versions: data, settings, code, metrics, forms",
        "tandem models diff 1 candidate",
        versions={"one": "V1", "two": "V2"},
    )
    reader(
        "card",
        "card",
        "print the model card that is stored with a version, once its bytes were checked",
        "tandem models card flights-late@candidate",
        versions={"version": "VERSION"},
    )
    reader(
        "history",
        "history",
        "show every change of an alias that is in the log",
        "tandem models history flights-late",
        model=True,
    )
    reader(
        "reconcile",
        "reconcile",
        "compare MLflow with the log: versions, aliases and stored bytes without a record",
        "tandem models reconcile --json",
    )


def _add_reader(
    below: Any,
    add: Callable[..., Any],
    name: str,
    function: str,
    text: str,
    example: str,
    *,
    model: bool = False,
    versions: dict[str, str] | None = None,
) -> None:
    """Add one command, of one model or all, or of versions: {argument: what stands for it}."""
    command = add(below, name, f"{MODULE}:{function}", text, example)
    if model:
        command.add_argument("name", nargs="?", metavar="NAME", help=MODEL_HELP)
    for argument, shown in (versions or {}).items():
        command.add_argument(argument, metavar=shown, help=VERSION_HELP)
