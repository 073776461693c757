"""The TransformGraphs that a module of the user's names, which is read and never run.

Why: a pod has no folder of this machine; that is to be said before anything is sent.

Rule: a folder that the module computes is not known here; the stage refuses what is not there.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from components.core.errors import SettingsError
from components.reading.places import PACKAGE

_CALLED = "stock_graph"


def require_graphs_in_images(name: str | None, folder: Path) -> None:
    """Raise SettingsError for a graph that a `preprocessing_fn` names in a folder of this machine.

    `folder` is that of the settings file. What cannot be read is not refused here.
    """
    file = _file_of(name.partition(":")[0], folder) if name else None
    for place in _named(file) if file else ():
        if not place.startswith(PACKAGE):
            raise SettingsError(
                f"transform.preprocessing_fn applies the TransformGraph {place}, which the pods of "
                "a cluster do not have",
                remedy="put it into a package of an image of yours (docs/images.md), and name it "
                "as package://PACKAGE/PATH; or have its own preprocessing_fn fitted anew",
            )


def _file_of(module: str, folder: Path) -> Path | None:
    """Return the source of a module, one beside the settings before an installed one."""
    beside = folder.joinpath(*module.split(".")).with_suffix(".py")
    if beside.is_file():
        return beside
    try:
        spec = importlib.util.find_spec(module)  # which imports the packages around it
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _named(file: Path) -> Iterator[str]:
    """Yield the folders that calls of stock_graph name by a text."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) == _CALLED:
            given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "folder")]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
