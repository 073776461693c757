"""What can be typed after `tandem audit keys`. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add_despite(command: Any) -> None:
    """Add the option that has findings of a verification not hinder a command."""
    command.add_argument(
        "--despite-findings",
        action="store_true",
        help="though verifying the log finds something: its record says so",
    )


def add_keys(below: Any, add: Callable[..., Any]) -> None:
    """Add `tandem audit keys`; `add` is the parser's way to add a command."""
    keys = below.add_parser(
        "keys",
        help="show, change and revoke the keys that sign the log",
        description="Show, change and revoke the keys that sign the log.",
        epilog="example:\n  tandem audit keys list",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = keys.add_subparsers(metavar="COMMAND", required=True)
    module = "pipelines.cli.audit_keys"
    add(
        commands,
        "list",
        f"{module}:list_keys",
        "show which key signed which entries",
        "tandem audit keys list --json",
    )
    rotate = add(
        commands,
        "rotate",
        f"{module}:rotate",
        "have a new key sign from now on, named by a record that the old key signs",
        "tandem audit keys rotate --reason yearly",
    )
    rotate.add_argument(
        "--second",
        action="store_true",
        help="the key of a second signature (ML-DSA-44) on checkpoints: the first one, or the next",
    )
    revoke = add(
        commands,
        "revoke",
        f"{module}:revoke",
        "say from which entry on nothing counts that a former key signed",
        "tandem audit keys revoke 63d00ee3cf4f5c61 --from 120 --reason stolen",
    )
    revoke.add_argument("keyid", metavar="KEY", help="a former key's id, or the beginning of one")
    revoke.add_argument(
        "--from",
        dest="first",
        type=int,
        metavar="INDEX",
        help="the first entry that does not count (default: the one after the key's last)",
    )
    add_despite(rotate)
    for command in (rotate, revoke):
        command.add_argument("--reason", metavar="TEXT", required=True, help="why, for the record")
