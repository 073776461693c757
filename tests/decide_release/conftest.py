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
        one_row = {"p50": p50, "p95": 2 * p50, "p99": 3 * p50}
        per_second = 1000 / p50
        bounds = {f"{name}_ms": [0.8 * value, 1.25 * value] for name, value in one_row.items()}
        return {
            "one_row_ms": one_row,
            "rows_per_second": per_second,
            "intervals": {**bounds, "rows_per_second": [0.8 * per_second, 1.25 * per_second]},
            "size_bytes": 100,
        }

    def measured(p50: float, **others: dict[str, Any]) -> dict[str, Any]:
        return {"forms": {"onnx": {**speed(p50), "load_ms": 4.0}, **others}}

    litert = {**speed(0.01), "load_ms": 1.0}
    return {"models": {"pytorch": measured(0.10), "tensorflow": measured(0.05, litert=litert)}}
