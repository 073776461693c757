"""What can be typed after `tandem audit monitor` and `tandem audit witness`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def add_monitor(below: Any, add: Callable[..., Any]) -> None:
    """Add both commands; `add` is the parser's way to add one."""
    module = "pipelines.cli.audit_monitor"
    monitor = add(
        below,
        "monitor",
        f"{module}:monitor",
        "compare the log with the checkpoints that are kept outside of it",
        "tandem audit monitor",
    )
    monitor.add_argument(
        "--keep",
        action="store_true",
        help="have every anchor keep the newest checkpoint too, where none says otherwise",
    )
    witness = add(
        below,
        "witness",
        f"{module}:witness",
        "cosign other homes' checkpoints, each only where it extends the one before",
        "tandem audit witness --name witness.example/w1 --log notary.pub --key w1.key --state w1",
    )
    witness.add_argument(
        "--name", required=True, metavar="NAME", help="the name that it signs with"
    )
    witness.add_argument(
        "--log",
        required=True,
        action="append",
        metavar="FILE[,FILE]",
        help="a log's first public key, and those after it; may be repeated",
    )
    witness.add_argument(
        "--key", required=True, metavar="FILE", help="its private key, made if there is none"
    )
    witness.add_argument(
        "--state", required=True, metavar="DIR", help="where it keeps what it cosigned"
    )
    witness.add_argument(
        "--listen",
        default="127.0.0.1:8765",
        metavar="HOST:PORT",
        help="where it answers (default: 127.0.0.1:8765)",
    )
