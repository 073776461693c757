"""Import a package as it is where the packages that it only may use are not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def absent(*packages: str) -> Iterator[None]:
    """Make packages that are not imported yet look as if they were not installed."""
    with ExitStack() as hidden:
        for package in packages:
            hidden.enter_context(_absent(package))
        yield


@contextmanager
def _absent(package: str) -> Iterator[None]:
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment] # importlib then raises ImportError
    try:
        yield
    finally:
        del sys.modules[package]
