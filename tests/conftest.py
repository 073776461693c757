"""Fixtures for all tests; each set lives in a module of its own.

Property tests try fewer examples in the inner loop: `make test-fast` takes the profile "fast".
"""

import atexit
import functools
import gc
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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
from xdist.scheduler import LoadScopeScheduling

# The GPU build of PyTorch brings triton, which crashes where it is loaded after TensorFlow; no
# stage loads both, but the tests do.
if find_spec("triton"):
    import_module("triton")

settings.register_profile("thorough", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "thorough"))

SMALL_RUN = "small_run"
__all__ = [
    "sealed_bundle",
    "small_bundle",
    "small_features",
    "small_model",
    "small_run",
    "small_spec",
    "small_transform_graph",
]


class ByFile(LoadScopeScheduling):
    """Keeps a file's tests in one process, and all files that use the small run in the same one.

    The run is made once a process, and its home is the tests' common ground. xdist's own groups
    (3.8) write into the items' names, which pytest 9.2 no longer takes.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return SMALL_RUN if _uses_small_run(path) else path


@functools.cache
def _uses_small_run(path: str) -> bool:
    return SMALL_RUN in (Path(__file__).parents[1] / path).read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Give xdist the scheduler, whatever --dist says."""
    return ByFile(config, log)


_LOADED = pytest.StashKey[frozenset[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_LOADED] = frozenset(sys.modules)
    gc.freeze()
    atexit.register(gc.unfreeze)  # or nanobind lists at the end what was never freed


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_no_garbage() -> Iterator[None]:
    """Freeze what outlives a module: Keras collects before each training, over all that is there.

    TensorFlow, MLflow and the tests themselves make that a million objects, for seconds each time.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def loaded_by_collecting(pytestconfig: pytest.Config) -> frozenset[str]:
    """The names of the modules that were loaded when the tests had been collected."""
    return pytestconfig.stash[_LOADED]
