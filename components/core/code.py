"""Which code a stage runs: the transitive modules of our packages that it imports, by digest.

Rules: modules are found by reading source (ast), never by importing it; imports inside functions
count, relative ones too; `__init__` files of the packages on the way count; our own packages are
followed and so is what an import takes from the use case's folder; what comes from the lock is
covered by the lock's digest.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from components.core.canonical import sha256_bytes
from components.core.errors import PlatformError, SettingsError
from components.core.imports import Import, imports_of
from components.core.sources import has_module, named_folder

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
        path = _source(name)
        source = path.read_bytes()
        found[name] = sha256_bytes(source)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        imports = imports_of(source, found[name])
        waiting += [*_followed(imports, package, named_folder()), *filter(_find, _parents(name))]
    return dict(sorted(found.items()))


def our_sources() -> Iterator[Path]:
    """Yield every source of our packages."""
    for package in OUR_PACKAGES:
        yield from sorted(_ROOT.joinpath(package).rglob("*.py"))


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


def _find(name: str) -> Path | None:
    """Return a module's file: ours, the use case's, or that of an installed package."""
    followed = _find_followed(name)
    if followed is not None or _is_ours(name):
        return followed
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # its parent package is not there
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _find_followed(name: str) -> Path | None:
    """Return a module's file if its own imports are followed too."""
    folder = _ROOT if _is_ours(name) else named_folder()
    if folder is None:
        return None
    base = folder.joinpath(*name.split("."))
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            return path if _is_ours(name) or has_module(name.split(".")[0]) else None
    return None


@functools.cache
def _followed(imports: tuple[Import, ...], package: str, _sources: Path | None) -> tuple[str, ...]:
    """Return the modules of ours and of the use case that a package's source imports.

    What is found depends on the use case's folder.
    """
    names: dict[str, None] = {}
    for statement in imports:
        if module := _absolute(statement, package):
            members = [f"{module}.{name}" for name in statement.names]
            names |= dict.fromkeys([module, *(m for m in members if _find_followed(m))])
    return tuple(name for name in names if _is_ours(name) or _find_followed(name))


def _absolute(statement: Import, package: str) -> str:
    """Return the module that is imported from; "" for one that goes beyond its top package."""
    if not statement.level:
        return statement.module
    parts = package.split(".") if package else []
    if statement.level > len(parts):
        return ""
    base = parts[: len(parts) + 1 - statement.level]
    return ".".join([*base, statement.module] if statement.module else base)


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
