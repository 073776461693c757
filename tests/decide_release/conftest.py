"""Evaluations and measurements as evaluate_models writes them."""

from __future__ import annotations

from typing import Any

import pytest
from made_evaluations import around, model


@pytest.fixture
def evaluation() -> dict[str, Any]:
    return {
        "models": {"pytorch": model(), "tensorflow": model()},
        "comparison": {
            "auc_difference": around(0.0, 0.002),
            "log_loss_difference": around(0.0, 0.002),
        },
    }


@pytest.fixture
def measurements() -> dict[str, Any]:
    def speed(p50: float) -> dict[str, Any]:
        return {"one_row_ms": {"p50": p50}, "rows_per_second": 1000 / p50, "size_bytes": 100}

    return {"models": {"pytorch": speed(0.10), "tensorflow": speed(0.05)}}
