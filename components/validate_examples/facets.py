"""TFDV's own page of the statistics: facets.html, one split over the other.

Rules: the page is TFDV's to the byte; equal statistics give equal bytes. Writing it opens no
connection, but opening it does: it loads Facets and a polyfill from HOSTS, and no package of the
lock ships either. Whoever offers it says so; what has to open anywhere is statistics.html.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorflow_data_validation.utils.display_util import get_statistics_html

from components.core.artifacts import write_text
from components.core.examples import SPLITS
from components.validate_examples.statistics import Statistics

FILE_NAME = "facets.html"
HOSTS = ("cdnjs.cloudflare.com", "raw.githubusercontent.com")


def write_facets(folder: Path, splits: Mapping[str, Statistics]) -> None:
    """Write facets.html into the statistics artifact."""
    write_text(folder / FILE_NAME, render(splits))


def render(splits: Mapping[str, Statistics]) -> str:
    """Return TFDV's page of both splits."""
    train, evaluation = SPLITS
    return str(get_statistics_html(splits[train], splits[evaluation], train, evaluation))
