"""The loop that both trainers run: order, batches, loss, and the stop at a loss that is none."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.errors import DataError
from components.core.features import FeatureArrays, batch_indices
from components.core.settings import Train
from components.training.fitting import fit


def arrays(rows: int) -> FeatureArrays:
    number = np.arange(rows, dtype=np.float32)
    return FeatureArrays(number[:, None], number[:, None].astype(np.int32), number)


def test_every_epoch_has_every_row_once_in_the_order_of_the_seed() -> None:
    train, seen = Train(epochs=2, batch_size=4, seed=7), []

    def step(batch: FeatureArrays) -> float:
        assert (batch.dense[:, 0] == batch.label).all()
        assert (batch.ids[:, 0] == batch.label).all()
        seen.append(batch.label)
        return 0.5

    done = fit(step, arrays(10), train)
    expected = [rows for epoch in (0, 1) for rows in batch_indices(10, 4, 7, epoch)]
    assert [part.tolist() for part in seen] == [rows.tolist() for rows in expected]
    assert (done.epoch_rows, done.steps) == ((10, 10), 6)


def test_the_final_loss_is_the_mean_over_the_rows_of_the_last_epoch() -> None:
    losses = iter([9.0, 9.0, 1.0, 2.0])
    done = fit(lambda _: next(losses), arrays(10), Train(epochs=2, batch_size=8))
    assert done.final_loss == pytest.approx((8 * 1.0 + 2 * 2.0) / 10)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_at_its_batch(loss: float) -> None:
    losses = iter([0.7, 0.6, 0.5, loss, 0.1])
    with pytest.raises(DataError, match="at batch 1 of epoch 2") as caught:
        fit(lambda _: next(losses), arrays(10), Train(epochs=2, batch_size=4))
    assert "train.learning_rate" in caught.value.remedy
    assert next(losses) == 0.1


def test_a_training_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        fit(lambda _: 0.5, arrays(0), Train())
