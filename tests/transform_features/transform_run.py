"""What the tests of the transform share: its features, and one run of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.outcome import Outcome

FEATURES: dict[str, Any] = {
    "origin": {"kind": "vocabulary"},
    "plane_model": {"kind": "vocabulary", "top_k": 5},
    "flight": {"kind": "vocabulary", "top_k": 20},
    "year": {"kind": "zscore"},
    "weather_pressure": {"kind": "zscore"},
    "weather_precip": {"kind": "log_zscore"},
    "distance": {"kind": "log_zscore"},
    "hour": {"kind": "cyclic", "period": 24},
    "weather_wind_dir": {"kind": "cyclic", "period": 360},
}


@dataclass(frozen=True)
class Run:
    """Where a run of the step wrote, and what it returned."""

    examples: Path
    transform_graph: Path
    features: Path
    outcome: Outcome
