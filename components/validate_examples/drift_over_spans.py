"""How far each span is from the span before it, column by column: drift.json in the statistics.

Rules: measured once, for the statistics page and for the run's report; the distances are those that
the drift gate judges; bounded like the page: the last `MOST_SPANS` spans and the columns that it
is asked for. It judges nothing: the thresholds are the gates'.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import write_json
from components.core.examples import ExamplesManifest
from components.validate_examples.distances import distances_over_spans
from components.validate_examples.statistics import StatisticsSet

FILE_NAME = "drift.json"
MOST_SPANS = 36


@dataclass(frozen=True)
class SpanDrift:
    """Each column's distances, of the second of `spans` from the first and so on.

    None stands where a column had no value on one of the sides.
    """

    spans: Sequence[str]
    distances: Mapping[str, Sequence[float | None]]

    def to_dict(self) -> dict[str, Any]:
        """Return drift.json."""
        distances = {name: list(row) for name, row in self.distances.items()}
        return {"version": 1, "spans": list(self.spans), "distances": distances}


def measure(
    computed: StatisticsSet, manifest: ExamplesManifest, columns: Sequence[str]
) -> SpanDrift:
    """Measure the columns over the last spans; one span alone has no distance."""
    spans = sorted(computed.spans)[-MOST_SPANS:]
    statistics = {span: computed.spans[span] for span in spans}
    return SpanDrift(spans, distances_over_spans(statistics, manifest.columns, columns))


def write_drift(folder: Path, drift: SpanDrift) -> None:
    """Write drift.json into the statistics artifact."""
    write_json(folder / FILE_NAME, drift.to_dict())
