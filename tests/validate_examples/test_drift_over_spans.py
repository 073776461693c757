"""drift.json: what the report draws of the spans is what the gates judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow


def test_the_last_distance_of_a_column_is_the_one_that_its_gate_judged(
    make_settings: Callable[..., ValidateSettings], flights_examples: Path, tmp_path: Path
) -> None:
    statistics, validation = tmp_path / "statistics", tmp_path / "validation"
    for folder in (statistics, validation):
        folder.mkdir()
    outcome = validate_examples(
        settings=make_settings(checks={"drift": {"carrier": 1.0, "distance": 1.0}}),
        examples=flights_examples,
        statistics=statistics,
        validation=validation,
    )
    drift = json.loads((statistics / "drift.json").read_text())
    judged = {gate.name: gate.value for gate in outcome.gates if gate.name.startswith("drift:")}
    assert drift["spans"] == ["2013-01", "2013-02"]
    assert judged == {
        f"drift:{name}": drift["distances"][name][-1] for name in ("carrier", "distance")
    }
    assert drift["distances"]["carrier"][-1] > 0
