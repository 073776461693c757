"""Fixtures for all tests; each set lives in a module of its own.

Property tests try fewer examples in the inner loop: `make test-fast` takes the profile "fast".
"""

import os

from handmade_bundles import (
    small_bundle,
    small_features,
    small_model,
    small_spec,
    small_transform_graph,
)
from hypothesis import settings
from prepared_run import small_run

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
