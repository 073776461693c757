"""Statistics of a table in memory, for tests that need some and no examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from components.validate_examples.statistics import Statistics


def compute_statistics(rows: pa.Table, name: str) -> Statistics:
    """Return the statistics of some rows, called `name`."""
    from components.validate_examples.statistics_partial import Partial

    return Partial(rows).finish(name, rows.num_rows)
