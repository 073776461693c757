"""The functions that settings name, looked for in their modules, which are read and never run."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

from components.core.errors import SettingsError


def check_function(key: str, name: str) -> None:
    """Raise SettingsError unless a model function's module defines it; the module is only read."""
    module, _, function = name.partition(":")
    try:
        spec = importlib.util.find_spec(module)  # which imports the packages around it
    except ModuleNotFoundError:
        spec = None
    except SyntaxError as error:
        raise _unreadable(key, error, module) from error
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise SettingsError(f"{key}: there is no module {module}", remedy="correct its name")
    try:
        names, own = _top_level_names(Path(spec.origin))
    except (SyntaxError, OSError) as error:
        raise _unreadable(key, error, spec.origin) from error
    if function not in names:
        raise SettingsError(
            f"{key}: {module} has no function {function}",
            remedy=f"name one of: {', '.join(sorted(own))}" if own else "define it there",
        )


def _unreadable(key: str, error: SyntaxError | OSError, module: str) -> SettingsError:
    """Return the error for a module that Python cannot read, with its file and line."""
    if isinstance(error, OSError):
        return SettingsError(
            f"{key}: {module} cannot be read: {error.strerror}", remedy="fix the permissions"
        )
    place = f"{error.filename or module}, line {error.lineno or 1}"
    return SettingsError(f"{key}: {place}: {error.msg}", remedy="correct the file")


def _top_level_names(source: Path) -> tuple[set[str], set[str]]:
    """Return the names that a module has at its top level, and which are functions of its own."""
    names, own = set[str](), set[str]()
    for node in ast.parse(source.read_bytes(), str(source)).body:
        if isinstance(node, ast.FunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names | own, {name for name in own if not name.startswith("_")}
