"""TFDV's own page of statistics (Facets), for who wants it: opening it needs a network.

TFDV writes a page that loads Facets and a polyfill from cdnjs.cloudflare.com and
raw.githubusercontent.com, and no package of the lock ships either. A run therefore never writes it:
an artifact has to open anywhere, years later. The statistics themselves are inside the page.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow_data_validation.utils.display_util import get_statistics_html

from components.validate_examples.statistics import Statistics


def facets_page(splits: Mapping[str, Statistics]) -> str:
    """Return TFDV's page of the first two splits, one over the other."""
    names = list(splits)[:2]
    sides = dict(zip(("lhs", "rhs"), names, strict=False))
    statistics = {f"{side}_statistics": splits[name] for side, name in sides.items()}
    labels = {f"{side}_name": name for side, name in sides.items()}
    return str(get_statistics_html(**statistics, **labels))
