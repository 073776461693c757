"""Which rows validate, and when training stops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.core.errors import DataError
from components.core.training_settings import Train
from components.training.stopping import Rows, Watch


def watch(*losses: float, min_delta: float = 0.0) -> Watch:
    found = Watch()
    for loss in losses:
        found = found.after(loss, min_delta)
    return found


@given(st.integers(2, 500), st.floats(0.001, 0.5), st.integers(0, 9))
def test_every_row_trains_or_validates_and_the_seed_says_which(
    rows: int, share: float, seed: int
) -> None:
    train = Train(validation_share=share, seed=seed)
    first, again = Rows.split(rows, train), Rows.split(rows, train)
    assert first.validation is not None and first.train is not None
    assert again.validation is not None
    assert first.validation.tolist() == again.validation.tolist()
    assert sorted([*first.train, *first.validation]) == list(range(rows))
    assert first.validating == max(1, round(rows * share))
    assert first.count == rows - first.validating


def test_another_seed_holds_out_other_rows() -> None:
    one, other = (Rows.split(100, Train(validation_share=0.2, seed=s)) for s in (1, 2))
    assert one.validation is not None and other.validation is not None
    assert one.validation.tolist() != other.validation.tolist()


def test_without_a_share_all_rows_train() -> None:
    rows = Rows.split(10, Train())
    assert (rows.count, rows.validating) == (10, 0)
    order = np.array([3, 1])
    assert rows.numbers(order) is order


def test_a_share_that_leaves_no_row_is_refused() -> None:
    with pytest.raises(DataError, match="leaves none of 2 rows"):
        Rows.split(2, Train(validation_share=0.9))


def test_an_epoch_is_better_only_by_more_than_the_least_difference() -> None:
    assert watch(0.5, 0.45, 0.44, min_delta=0.1).best_epoch == 1
    assert watch(0.5, 0.45, 0.39, min_delta=0.1).best_epoch == 3
    assert watch(0.5, 0.5).best_epoch == 1


def test_it_is_over_after_as_many_epochs_in_a_row_that_were_not_better() -> None:
    assert not watch(0.5, 0.6, 0.7).is_over(3)
    assert not watch(0.5, 0.6, 0.4, 0.6, 0.7).is_over(3)
    assert watch(0.5, 0.6, 0.7, 0.8).is_over(3)
    assert not watch(0.5, 0.6, 0.7, 0.8).is_over(None)


def test_patience_without_rows_to_validate_on_is_refused() -> None:
    with pytest.raises(ValidationError, match="patience needs a validation_share above 0"):
        Train(patience=2)
