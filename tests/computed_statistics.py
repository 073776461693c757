"""Statistics of a table in memory, for tests that need some and no examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from components.validate_examples.statistics import Statistics


def compute_statistics(rows: pa.Table, name: str, *listed: int | None) -> Statistics:
    """Return the statistics of some rows, called `name`; see Partial for `listed`."""
    from components.validate_examples.statistics_partial import Partial

    return Partial(rows, *listed).finish(name, rows.num_rows)
