"""What holds of a built-in family after either trainer's own step: trained, exported, proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from every_family import VARIANTS

from components.core.bundle import Bundle, OnnxScorer
from components.core.outcome import Outcome


def settings_of(name: str) -> dict[str, Any]:
    """Return a trainer's settings for a variant: two epochs of eight batches, the last of ten."""
    return {
        "model": {**VARIANTS[name], "dropout": 0.1},
        "train": {"epochs": 2, "batch_size": 90, "learning_rate": 0.01},
    }


def assert_proven(name: str, outcome: Outcome, folder: Path, *forms: str) -> None:
    """Assert that the family learned and that every form holds; chance loses 0.69."""
    bundle = Bundle.open(folder)
    assert bundle.contract.family == VARIANTS[name]["family"]
    assert outcome.facts["steps"] == 16
    assert outcome.facts["final_loss"] < 0.75
    assert [form.name for form in bundle.contract.forms] == ["onnx", *forms]
    assert all(form.parity.holds for form in bundle.contract.forms)
    scorer = OnnxScorer(bundle)
    for count in (1, 7):
        rows = {
            "delay": np.full(count, 3.0, np.float32),
            "hour": np.full(count, 4.0, np.float32),
            "carrier": np.full(count, "AA", object),
            "origin": np.full(count, "LGA", object),
        }
        assert scorer.score(rows).shape == (count,)
