"""measure_models on real ONNX bundles: what is measured, and what a change of settings repeats."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from components.core.artifacts import read_json
from components.core.errors import IntegrityError
from components.measure_models.step import MeasureSettings, measure_models

sys.path.append(str(Path(__file__).parents[1] / "evaluate_models"))
import tiny_bundles


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("given")
    return {
        "examples": tiny_bundles.write_examples(folder / "examples", tiny_bundles.table(300)),
        "pytorch_model": tiny_bundles.write_bundle(folder / "pytorch", "pytorch"),
        "tensorflow_model": tiny_bundles.write_bundle(folder / "tensorflow", "tensorflow"),
    }


def _settings(**evaluate: object) -> MeasureSettings:
    return MeasureSettings.model_validate({"evaluate": {"latency_runs": 10, **evaluate}})


def test_measurements_hold_speed_and_size_of_each_model(given, tmp_path):
    outcome = measure_models(settings=_settings(batch_rows=64), **given, measurements=tmp_path)
    measured = read_json(tmp_path / "measurements.json")
    size = (given["pytorch_model"] / "model.onnx").stat().st_size
    assert measured["threads"] == 1
    forms = measured["models"]["pytorch"]["forms"]
    assert list(forms) == ["onnx"]
    assert forms["onnx"]["size_bytes"] == size
    assert forms["onnx"]["load_ms"] > 0
    assert forms["onnx"]["batch_rows"] == 64
    assert measured["models"].keys() == {"pytorch", "tensorflow"}
    assert measured["machine"]["cpu"]
    assert outcome.facts["size_bytes"]["pytorch"] == {"onnx": size}
    assert [(g.name, g.value, g.operator, g.threshold, g.n) for g in outcome.gates] == [
        ("pytorch onnx max_abs_difference", 0.0, "<=", 1e-5, 10),
        ("tensorflow onnx max_abs_difference", 0.0, "<=", 1e-5, 10),
    ]


def test_a_batch_has_no_more_rows_than_there_are(given, tmp_path):
    measure_models(settings=_settings(), **given, measurements=tmp_path)
    measured = read_json(tmp_path / "measurements.json")
    assert measured["models"]["tensorflow"]["forms"]["onnx"]["batch_rows"] == 300


def test_only_the_settings_of_timing_repeat_it():
    plain = _settings().model_dump()
    assert plain == {"evaluate": {"batch_rows": 1024, "latency_runs": 10, "confidence": 0.95}}
    assert _settings(slices=[["origin"]], robustness=False).model_dump() == plain
    assert _settings(batch_rows=8).model_dump() != plain


def test_settings_that_the_section_does_not_have_are_refused():
    with pytest.raises(ValueError, match="latency_run"):
        MeasureSettings.model_validate({"evaluate": {"latency_run": 10}})


def test_a_changed_bundle_is_not_measured(given, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(given["pytorch_model"], changed)
    (changed / "model.onnx").write_bytes(b"other")
    with pytest.raises(IntegrityError):
        measure_models(
            settings=_settings(),
            examples=given["examples"],
            pytorch_model=changed,
            measurements=tmp_path,
        )
