"""What a Python source imports, read from its syntax tree and remembered by the source's digest.

Why: parsing every module of ours costs a fifth of a second for each process that asks for the
code's digest, and a run asks in each of its stages.

Rules: what is remembered is a fact about bytes that are known by their digest, so it is never out
of date; which of the imports are followed is for components.core.code to decide each time anew. A
file that is missing or damaged is as good as an empty one, and in place of an empty one stands what
set-up read of our own modules. Whoever adds to it leaves out what it did not ask for: sources that
are no more, or those of another use case, which are then read again.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.core.artifacts import read_json, write_json
from components.core.errors import DataError
from components.core.installed import INSTALLED

IMPORTS_FILE = "imports.json"


class Import(NamedTuple):
    """One import statement; `level` counts the dots, `names` are empty for `import module`."""

    level: int
    module: str
    names: tuple[str, ...] = ()


_known: dict[str, tuple[Import, ...]] = {}
_recalled: set[str] = set()
_asked: set[str] = set()


def imports_of(source: bytes, sha256: str) -> tuple[Import, ...]:
    """Return every import of a source, at any depth, those inside functions included."""
    if sha256 not in _known:
        _known[sha256] = tuple(dict.fromkeys(_found(ast.parse(source))))
    _asked.add(sha256)
    return _known[sha256]


def recall(folder: Path) -> None:
    """Take up what a folder remembers, or what set-up has read where that is nothing."""
    if not _recall(folder):
        _recall(INSTALLED)


def _recall(folder: Path) -> bool:
    with contextlib.suppress(DataError, OSError, TypeError, ValueError, AttributeError):
        kept = {
            sha256: tuple(Import(level, module, tuple(names)) for level, module, names in found)
            for sha256, found in read_json(folder / IMPORTS_FILE).items()
        }
        _recalled.update(kept)
        _known.update(kept)
        return bool(kept)
    return False


def remember(folder: Path) -> None:
    """Keep in a folder what this process asked for, if some of it is new there.

    OSError where the folder does not take it.
    """
    if _asked - _recalled:
        write_json(folder / IMPORTS_FILE, {sha256: _known[sha256] for sha256 in _asked})
        _recalled.update(_asked)


def _found(tree: ast.AST) -> Iterator[Import]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.level, node.module or "", names)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement, at any depth; expressions hold none, and are most of a tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            below = getattr(node, block, None)
            if isinstance(below, list):  # the body of a lambda is an expression
                waiting += below
