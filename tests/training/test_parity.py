"""A form that differs from its framework, by however little over the tolerance, is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.errors import IntegrityError, SettingsError
from components.core.features import FeatureArrays, FeatureSpec
from components.training.fit import Fit
from components.training.parity import (
    TOLERANCE,
    UNSEEN,
    Evaluated,
    edge_rows,
    predict_all,
    prove,
    scale_of,
)
from components.training.proof import Prover
from components.training.sealing import (
    Preprocessing,
    Trained,
    seal,
    weights_sha256,
    write_raw_onnx,
)

EXPECTED = np.array([0.25, 0.5, 0.75], np.float32)


def test_the_largest_difference_is_recorded() -> None:
    parity = prove("onnx", EXPECTED, EXPECTED + np.array([0, 4e-6, 0], np.float32))
    assert parity.rows == 3
    assert parity.max_abs_difference == pytest.approx(4e-6, rel=0.1)
    assert parity.tolerance == TOLERANCE


@pytest.mark.parametrize("change", [2e-5, -2e-5, np.nan, np.inf])
def test_one_row_over_the_tolerance_is_the_callers_error(change: float) -> None:
    with pytest.raises(SettingsError, match="onnx form differs"):
        prove("onnx", EXPECTED, EXPECTED + np.array([0, change, 0], np.float32))


def test_a_form_that_gives_another_shape_is_the_callers_error() -> None:
    with pytest.raises(SettingsError, match="gives"):
        prove("onnx", EXPECTED, EXPECTED[:, None])


def test_a_proof_over_no_rows_proves_nothing() -> None:
    with pytest.raises(SettingsError, match="gives"):
        prove("onnx", EXPECTED[:0], EXPECTED[:0])


def test_a_model_that_is_not_the_frameworks_is_never_sealed(
    small_transform_graph: Path, small_model: Callable[..., Any], tmp_path: Path
) -> None:
    evaluation = FeatureArrays(
        np.ones((3, 2), np.float32), np.ones((3, 2), np.int32), np.zeros(3, np.float32)
    )
    preprocessing = Preprocessing.read(small_transform_graph)

    def predict(dense: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return np.full(len(dense), 0.5, np.float32)

    evaluated = Evaluated.by(predict, evaluation)
    with pytest.raises(SettingsError, match="onnx form differs"):
        written = write_raw_onnx(tmp_path, small_model(), preprocessing)
        Prover("onnx").prove(tmp_path, [written], preprocessing.evidence(predict, evaluated))


@pytest.mark.parametrize(
    ("epochs", "evaluated", "what"),
    [
        ((640, 639), 200, "an epoch trained on 639 of the features' 640 rows"),
        ((641,), 200, "an epoch trained on 641 of the features' 640 rows"),
        ((640,), 199, "the evaluation predicted 199 of the features' 200 rows"),
    ],
)
def test_a_model_that_did_not_see_every_row_of_the_features_is_never_sealed(
    small_spec: FeatureSpec,
    small_transform_graph: Path,
    tmp_path: Path,
    epochs: tuple[int, ...],
    evaluated: int,
    what: str,
) -> None:
    fit = Fit(epoch_rows=epochs, epoch_losses=(0.5,), steps=1, kept_epoch=1)
    trained = Trained("pytorch", "custom", small_spec, {}, 0, fit, evaluated)
    with pytest.raises(IntegrityError, match=what):
        seal(tmp_path, trained, Preprocessing.read(small_transform_graph), ())
    assert not list(tmp_path.iterdir())


def test_a_long_split_is_predicted_in_parts_and_in_order() -> None:
    number = np.arange(20_000, dtype=np.float32)
    arrays = FeatureArrays(number[:, None], number[:, None].astype(np.int32), number)
    sizes = []

    def predict(dense: np.ndarray, ids: np.ndarray) -> np.ndarray:
        sizes.append(len(dense))
        return dense[:, 0]

    np.testing.assert_array_equal(predict_all(predict, arrays), number)
    assert len(sizes) == 3


def test_edge_rows_hold_nothing_known_and_unseen_and_are_always_the_same() -> None:
    types = {"delay": "float32", "carrier": "string"}
    rows = edge_rows(types, {"carrier": ["AA", "B6"]})  # type: ignore[arg-type]
    assert np.isnan(rows["delay"][0])
    assert rows["carrier"][0] == ""
    assert {"", UNSEEN, "AA", "B6"} == set(rows["carrier"])
    assert np.isinf(rows["delay"]).any()
    again = edge_rows(types, {"carrier": ["AA", "B6"]})  # type: ignore[arg-type]
    np.testing.assert_array_equal(rows["delay"], again["delay"])


def test_the_digest_of_weights_covers_name_type_shape_and_value() -> None:
    weights = {"a": np.zeros((2, 3), np.float32), "b": np.ones(2, np.float32)}
    others: list[dict[str, np.ndarray]] = [
        {"c": weights["a"], "b": weights["b"]},
        {"a": weights["a"].astype(np.int32), "b": weights["b"]},
        {"a": weights["a"].reshape(3, 2), "b": weights["b"]},
        {"a": weights["a"], "b": np.array([1, 1.0000001], np.float32)},
        {"a": weights["a"]},
    ]
    assert len({weights_sha256(value) for value in [weights, *others]}) == 6
    reordered = {"b": weights["b"], "a": np.asfortranarray(weights["a"])}
    assert weights_sha256(reordered) == weights_sha256(weights)


def test_far_from_what_is_trained_on_a_difference_counts_by_so_much_less() -> None:
    dense = np.array([[0.0, -3.0], [10.0, 1.0], [1.0, -1000.0]], np.float32)
    scale = scale_of(dense)
    assert scale.tolist() == [1.0, 1.0, 100.0]
    assert scale_of(np.empty((3, 0), np.float32)).tolist() == [1.0, 1.0, 1.0]
    far, near = (EXPECTED + np.array(part, np.float32) for part in ([0, 0, 9e-4], [0, 9e-4, 0]))
    assert prove("onnx", EXPECTED, far, scale=scale).max_abs_difference < 1e-5
    with pytest.raises(SettingsError):
        prove("onnx", EXPECTED, near, scale=scale)
