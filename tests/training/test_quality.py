"""What a form of 8 bits must keep: the order of rows, and on which side of a half they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.errors import SettingsError
from components.core.features import LabelScale
from components.core.form_proof import ClassQuality, ValueQuality
from components.training.heads import Head
from components.training.quality import area, require_agreement, require_quality, worst

RANDOM = np.random.default_rng(3)
EXPECTED = RANDOM.random(4000).astype(np.float32)
LABEL = (RANDOM.random(4000) < EXPECTED).astype(np.float32)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_area_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, int]]) -> None:
    label, score = (np.array(part, float) for part in zip(*rows, strict=True))
    pairs = [
        (score[i] > score[j]) + (score[i] == score[j]) / 2
        for i in np.flatnonzero(label)
        for j in np.flatnonzero(label == 0)
    ]
    assert area(label, score) == pytest.approx(np.mean(pairs) if pairs else 0.5)


def test_rounded_to_steps_of_eight_bits_the_quality_is_kept() -> None:
    rounded = np.round(EXPECTED * 255) / 255
    found = require_quality("litert_int8", EXPECTED, rounded, LABEL, 7)
    assert found.holds
    assert found.rows == 4000
    assert found.auc == area(LABEL, rounded)
    assert found.framework_auc == area(LABEL, EXPECTED)
    assert found.agreement == np.mean((rounded >= 0.5) == (EXPECTED >= 0.5)) >= 0.98


def _shuffled() -> np.ndarray:
    """Rows on their side of a half, in another order there."""
    changed = EXPECTED.copy()
    for side in (EXPECTED >= 0.5, EXPECTED < 0.5):
        changed[side] = RANDOM.permutation(EXPECTED[side])
    return changed


@pytest.mark.parametrize(
    ("actual", "cause"),
    [
        (_shuffled(), r"at batches of 7 has an AUC of 0\.\d+ where the framework has 0\.\d+, and"),
        (np.clip(EXPECTED * 1.1, 0, 1), r"calls 9\d\.\d\d% of the rows as it does"),
        (EXPECTED * np.nan, "gives no probability for each row"),
        (EXPECTED + 0.5, "gives no probability for each row"),
        (EXPECTED[:, None], "gives no probability for each row"),
    ],
)
def test_a_form_that_keeps_too_little_is_the_callers_matter(actual: np.ndarray, cause: str) -> None:
    with pytest.raises(SettingsError, match=cause) as caught:
        require_quality("litert_int8", EXPECTED, actual, LABEL, 7)
    assert "train.forms" in caught.value.remedy


def test_the_worst_of_all_batches_is_what_the_contract_says() -> None:
    found = [
        require_quality("litert_int8", EXPECTED[:n], actual[:n], LABEL[:n], size)
        for size, n, actual in (
            (1, 900, np.round(EXPECTED * 255) / 255),
            (1024, 4000, np.round(EXPECTED * 63) / 63),
        )
    ]
    said = worst(found)
    assert (said.rows, said.batch_sizes) == (4000, (1, 1024))
    assert said.agreement == min(part.agreement for part in found)
    losses = [part.framework_auc - part.auc for part in found]
    assert said.framework_auc - said.auc == max(losses)


def test_a_form_is_on_raw_rows_what_it_is_on_their_features() -> None:
    require_agreement("onnx_int8_static", EXPECTED, EXPECTED, 1)
    with pytest.raises(SettingsError, match="on raw rows at batches of 1 is not what it is on"):
        require_agreement("onnx_int8_static", EXPECTED, 1 - EXPECTED, 1)


CLASSES = RANDOM.dirichlet(np.ones(4), 4000).astype(np.float32)
OF_CLASSES = Head("multi_class", 4)
CLASS = np.where(RANDOM.random(4000) < 0.7, CLASSES.argmax(axis=1), 0).astype(np.float32)
VALUES = RANDOM.normal(50, 4, 4000).astype(np.float32)
OF_VALUES = Head("regression", scale=LabelScale(mean=50, deviation=4))


def test_of_several_classes_the_accuracy_is_kept_and_the_class() -> None:
    rounded = np.round(CLASSES * 255) / 255
    found = require_quality("litert_int8", CLASSES, rounded, CLASS, 7, OF_CLASSES)
    assert isinstance(found, ClassQuality)
    assert found.accuracy == np.mean(rounded.argmax(axis=1) == CLASS)
    assert found.framework_accuracy == np.mean(CLASSES.argmax(axis=1) == CLASS)
    assert 0.9 <= found.agreement < 1
    said = worst([found, found.model_copy(update={"accuracy": 0.1, "batch_sizes": (1024,)})])
    assert (said.accuracy, said.batch_sizes) == (0.1, (7, 1024))


def test_of_a_number_the_distance_is_in_the_targets_deviations() -> None:
    found = require_quality("litert_int8", VALUES, VALUES + 0.1, VALUES, 7, OF_VALUES)
    assert isinstance(found, ValueQuality)
    assert found.error == pytest.approx(0.1 / 4, rel=1e-4)
    said = worst([found, found.model_copy(update={"error": 0.04})])
    assert said.error == 0.04


@pytest.mark.parametrize(
    ("expected", "actual", "head", "cause"),
    [
        (CLASSES, CLASSES[:, ::-1], OF_CLASSES, r"an accuracy of 0\.\d+ where the framework has 0"),
        (CLASSES, CLASSES[:, :3], OF_CLASSES, "gives no probability for each row"),
        (VALUES, VALUES + 1, OF_VALUES, r"is 0\.2500 of the target's standard deviation from"),
        (VALUES, VALUES * np.inf, OF_VALUES, "gives no number for each row"),
    ],
)
def test_what_keeps_too_little_of_another_task_is_refused(
    expected: np.ndarray, actual: np.ndarray, head: Head, cause: str
) -> None:
    label = CLASS if head is OF_CLASSES else VALUES
    with pytest.raises(SettingsError, match=cause):
        require_quality("litert_int8", expected, actual, label, 7, head)


@pytest.mark.parametrize(
    ("part", "whole", "head"),
    [(CLASSES, CLASSES[:, ::-1], OF_CLASSES), (VALUES, VALUES + 1, OF_VALUES)],
)
def test_a_form_of_another_task_is_on_raw_rows_what_it_is_on_their_features(
    part: np.ndarray, whole: np.ndarray, head: Head
) -> None:
    require_agreement("onnx_int8_static", part, part, 1, head)
    with pytest.raises(SettingsError, match="on raw rows at batches of 1"):
        require_agreement("onnx_int8_static", part, whole, 1, head)
