"""Which code a stage runs: the transitive modules of our packages that it imports, by digest.

Rules: modules are found by reading source (ast), never by importing it; imports inside functions
count; `__init__` files of the packages on the way count; only our own packages are followed, what
comes from the lock is covered by the lock's digest.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from components.core.canonical import sha256_bytes, sha256_value
from components.core.errors import PlatformError, SettingsError

OUR_PACKAGES = ("components", "pipelines", "schemas")
ENVIRONMENT_FILE = "tandem-environment.json"
_ROOT = Path(__file__).resolve().parents[2]


def module_digests(names: Iterable[str]) -> dict[str, str]:
    """Return {module: sha256 of its source} of the modules named and all they import."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        source = _source(name)
        found[name] = sha256_bytes(source.read_bytes())
        waiting += [*_imports(source), *_parents(name)]
    return dict(sorted(found.items()))


def code_digest(names: Iterable[str]) -> str:
    """Return one digest of `module_digests`."""
    return sha256_value(module_digests(names))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _source(name: str) -> Path:
    path = _find(name)
    if path is None:
        raise SettingsError(
            f"module {name} is not found", remedy="check the name in the settings' model section"
        )
    return path


@functools.cache
def _find(name: str) -> Path | None:
    base = _ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    if name.split(".")[0] in OUR_PACKAGES:
        return None
    spec = importlib.util.find_spec(name)
    return Path(spec.origin) if spec and spec.origin else None


@functools.cache
def _imports(source: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ours(ast.parse(source.read_bytes()))))


def _ours(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of our packages that a source imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module, *(m for m in members if _is_ours(m) and _find(m))]
        else:
            continue
        yield from (name for name in names if _is_ours(name))


def _is_ours(name: str) -> bool:
    return name.split(".")[0] in OUR_PACKAGES


@functools.cache
def environment() -> dict[str, str]:
    """Return what set-up recorded of the installed environment, and the interpreter.

    Raises PlatformError where set-up did not finish.
    """
    path = Path(sys.prefix, ENVIRONMENT_FILE)
    try:
        recorded = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PlatformError(
            "the environment was not set up to the end", remedy="run `make setup`"
        ) from error
    return {
        "lock": recorded["lock"],
        "lock_sha256": recorded["lock_sha256"],
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
    }
