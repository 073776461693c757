"""TFMA's protos without TFMA, whose import takes seconds: what its files are made of."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from components.core.errors import PlatformError

TFMA = "tensorflow_model_analysis"


@dataclass(frozen=True)
class TfmaProtos:
    """TFMA's modules config_pb2, metrics_for_slice_pb2 and validation_result_pb2; its version."""

    config: Any
    metrics: Any
    validation: Any
    version: str


@cache
def tfma_protos() -> TfmaProtos:
    """Return TFMA's protos; their classes are those that TFMA itself has where it is imported.

    Raises PlatformError where TFMA is not installed.
    """
    with _protos_alone():
        # The last one needs both others, and does not import them.
        from tensorflow_model_analysis import version
        from tensorflow_model_analysis.proto import (
            config_pb2,
            metrics_for_slice_pb2,
            validation_result_pb2,
        )
    return TfmaProtos(config_pb2, metrics_for_slice_pb2, validation_result_pb2, version.VERSION)


@contextmanager
def _protos_alone() -> Iterator[None]:
    """Let TFMA's protos be imported without TFMA, and forget it, so that it can be imported later.

    Where TFMA was imported before, nothing is different.
    """
    if TFMA in sys.modules:
        yield
        return
    if (spec := importlib.util.find_spec(TFMA)) is None:
        raise PlatformError(f"{TFMA} is not installed", remedy="run `make setup`")
    import google.protobuf.wrappers_pb2  # noqa: F401 - the protos need it, and do not import it

    package = ModuleType(TFMA)
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[TFMA] = package
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == TFMA]:
            del sys.modules[name]
