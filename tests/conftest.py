"""Fixtures for all tests; each set lives in a module of its own."""

from handmade_bundles import (
    small_bundle,
    small_features,
    small_model,
    small_spec,
    small_transform_graph,
)
from prepared_run import small_run

__all__ = [
    "small_bundle",
    "small_features",
    "small_model",
    "small_run",
    "small_spec",
    "small_transform_graph",
]
