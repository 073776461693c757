"""What can be typed after `tandem models register`. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def add_register(below: Any, add: Callable[..., Any]) -> None:
    """Add `tandem models register`; `add` is the parser's way to add a command."""
    register = add(
        below,
        "register",
        "pipelines.cli.register:register",
        "measure a model that was trained elsewhere by a use case's gates, and register it",
        "tandem models register model.onnx -s flights --data 2013-10 --signature signature.yaml",
    )
    register.add_argument(
        "path",
        metavar="PATH",
        help="an ONNX file, a SavedModel's folder, a .pt2 file, or a bundle's folder",
    )
    register.add_argument(
        "-s",
        "--settings",
        metavar="NAME",
        required=True,
        help="the use case: an example's name, or the path of a settings file or its folder",
    )
    register.add_argument(
        "--data",
        metavar="SPAN",
        required=True,
        help="the span whose rows it is measured on, or FIRST:LAST, the last of which is",
    )
    register.add_argument(
        "--signature",
        metavar="FILE",
        help="its columns and their types (docs/registry.md); needed where it does not name them",
    )
    register.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting; the value is YAML; may be repeated",
    )
    register.add_argument(
        "--no-cache",
        dest="cache",
        action="store_false",
        help="do every stage's work again",
    )
