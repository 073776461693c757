"""Fixtures for all tests; each set lives in a module of its own.

Property tests try fewer examples in the inner loop: `make test-fast` takes the profile "fast".
"""

import os
from importlib import import_module
from importlib.util import find_spec

from handmade_bundles import (
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
    "small_bundle",
    "small_features",
    "small_model",
    "small_run",
    "small_spec",
    "small_transform_graph",
]
