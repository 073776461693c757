"""Parts of evaluation.json, made to order."""

from __future__ import annotations

from typing import Any


def around(value: float, half: float = 0.01) -> dict[str, Any]:
    """Return a measured value with an interval of ± half."""
    return {"value": value, "lower": value - half, "upper": value + half, "method": "made"}


def model(auc: float = 0.75, error: float = 0.03, **more: Any) -> dict[str, Any]:
    """Return a model's part of evaluation.json; the slice origin=JFK is 0.02 worse."""
    overall = {
        "n": 1000,
        "positives": 300,
        "auc": around(auc),
        "log_loss": around(0.45),
        "accuracy": around(0.8),
        "calibration_error": around(error),
    } | more
    jfk = {**overall, "n": 200, "auc": around(auc - 0.02)}
    return {"bundle_sha256": "b" * 64, "slices": {"overall": overall, "origin=JFK": jfk}}
