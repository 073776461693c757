"""The names of models in evaluations, decisions and the registry's aliases.

A run's candidates are what its trainers made, or the one model that it imported; each is named as
its port is, without `_model`.
"""

from __future__ import annotations

from collections.abc import Iterable

CHAMPION = "champion"
OVER_CHAMPION = f"over_{CHAMPION}"  # of a slice: the differences to the champion
IMPORTED = "imported"
TRAINED = ("pytorch", "tensorflow")
CANDIDATES = (*TRAINED, IMPORTED)


def candidates(models: Iterable[str]) -> tuple[str, ...]:
    """Return the candidates among the names of an evaluation's models, in the alphabet's order."""
    return tuple(sorted(name for name in models if name != CHAMPION))
