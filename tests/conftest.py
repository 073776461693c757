"""Fixtures for all tests; each set lives in a module of its own.

Property tests try fewer examples in the inner loop: `make test-fast` takes the profile "fast".
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest
from handmade_bundles import (
    sealed_bundle,
    small_bundle,
    small_features,
    small_model,
    small_spec,
    small_transform_graph,
)
from hypothesis import settings
from prepared_run import small_run

# The GPU build of PyTorch brings triton, which crashes where it is loaded after TensorFlow; no
# stage loads both, but the tests do.
if find_spec("triton"):
    import_module("triton")

settings.register_profile("thorough", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "thorough"))

__all__ = [
    "sealed_bundle",
    "small_bundle",
    "small_features",
    "small_model",
    "small_run",
    "small_spec",
    "small_transform_graph",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all files that use the small run in the same one.

    The run is made once a process, and its home is the tests' common ground.
    """
    shared = {item.path for item in items if "small_run" in getattr(item, "fixturenames", ())}
    for item in items:
        group = "small_run" if item.path in shared else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


_LOADED = pytest.StashKey[frozenset[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_LOADED] = frozenset(sys.modules)


@pytest.fixture
def loaded_by_collecting(pytestconfig: pytest.Config) -> frozenset[str]:
    """The names of the modules that were loaded when the tests had been collected."""
    return pytestconfig.stash[_LOADED]
