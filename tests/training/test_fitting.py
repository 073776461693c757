"""The loop that both trainers run: order, batches, rates, loss, and when it ends."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.errors import DataError, PlatformError, SettingsError
from components.core.features import FeatureArrays, batch_indices
from components.core.training_settings import Train
from components.training.checkpoints import Checkpoints
from components.training.fitting import fit
from components.training.schedule import Schedule
from components.training.stopping import Rows


@dataclass
class Adding:
    """A trainer whose one weight counts its steps; losses are given, else 0.5."""

    losses: Callable[[int], float] = lambda step: 0.5
    validation: Callable[[float], float] = lambda weight: 0.5
    weight: np.ndarray = field(default_factory=lambda: np.zeros(1, np.float32))
    batches: list[FeatureArrays] = field(default_factory=list)
    validated: list[FeatureArrays] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def step(self, batch: FeatureArrays, rate: float, share: float) -> float:
        self.batches.append(batch)
        self.rates.append(rate)
        self.weight += 1
        return self.losses(int(self.weight[0]))

    def validate(self, batch: FeatureArrays) -> tuple[float, float]:
        self.validated.append(batch)
        return self.validation(float(self.weight[0])), 0.75

    def state(self) -> dict[str, np.ndarray]:
        return {"weights/one": self.weight.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.weight = state["weights/one"].copy()


def arrays(rows: int) -> FeatureArrays:
    number = np.arange(rows, dtype=np.float32)
    return FeatureArrays(number[:, None], number[:, None].astype(np.int32), number)


def test_every_epoch_has_every_row_once_in_the_order_of_the_seed() -> None:
    trainer = Adding()
    done = fit(trainer, arrays(10), Train(epochs=2, batch_size=4, seed=7))
    for batch in trainer.batches:
        assert (batch.dense[:, 0] == batch.label).all()
        assert (batch.ids[:, 0] == batch.label).all()
    expected = [rows for epoch in (0, 1) for rows in batch_indices(10, 4, 7, epoch)]
    assert [batch.label.tolist() for batch in trainer.batches] == [r.tolist() for r in expected]
    assert (done.epoch_rows, done.steps, done.kept_epoch) == ((10, 10), 6, 2)


def test_the_final_loss_is_the_mean_over_the_rows_of_the_last_epoch() -> None:
    losses = [9.0, 9.0, 1.0, 2.0]
    done = fit(Adding(lambda n: losses[n - 1]), arrays(10), Train(epochs=2, batch_size=8))
    assert done.final_loss == pytest.approx((8 * 1.0 + 2 * 2.0) / 10)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_at_its_batch_with_its_rate(loss: float) -> None:
    trainer = Adding(lambda n: loss if n == 4 else 0.5)
    train = Train(epochs=2, batch_size=4, learning_rate=0.6, schedule="linear")
    with pytest.raises(DataError, match=r"at batch 1 of epoch 2, at a learning rate of 0\.3") as c:
        fit(trainer, arrays(10), train)
    assert "train.learning_rate" in c.value.remedy
    assert "train.clip_norm" in c.value.remedy
    assert trainer.weight == 4


def test_a_validation_loss_that_is_no_number_stops_after_its_epoch() -> None:
    trainer = Adding(validation=lambda weight: float("nan"))
    with pytest.raises(DataError, match="the validation loss is nan after epoch 1"):
        fit(trainer, arrays(10), Train(validation_share=0.2))


def test_a_training_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        fit(Adding(), arrays(0), Train())


def test_each_step_takes_the_rate_of_its_number_over_all_epochs() -> None:
    trainer, train = Adding(), Train(epochs=2, batch_size=4, schedule="cosine", warmup_steps=2)
    fit(trainer, arrays(10), train)
    assert trainer.rates == [Schedule(train, 6).rate(step) for step in range(6)]


def test_rows_that_validate_are_in_no_step_and_are_measured_after_each_epoch() -> None:
    trainer, train = Adding(), Train(epochs=2, batch_size=4, validation_share=0.3)
    done = fit(trainer, arrays(10), train)
    held = Rows.split(10, train).validation
    assert held is not None
    assert [batch.label.tolist() for batch in trainer.validated] == [held.tolist()] * 2
    seen = np.concatenate([batch.label for batch in trainer.batches])
    assert sorted(seen) == sorted([*(set(range(10)) - set(held))] * 2)
    assert (done.epoch_rows, done.validation_rows) == ((7, 7), 3)


# Weights count the steps: 2 an epoch. Validation losses by epoch: 3, 1, 2, 2, ...
WORSE = {2.0: 3.0, 4.0: 1.0}


def test_training_stops_after_patience_and_keeps_the_best_weights() -> None:
    trainer = Adding(validation=lambda weight: WORSE.get(weight, 2.0))
    train = Train(epochs=9, batch_size=4, validation_share=0.2, patience=3)
    done = fit(trainer, arrays(10), train)
    assert (len(done.epoch_rows), done.kept_epoch, done.validation_loss) == (5, 2, 1.0)
    assert trainer.weight == 4


def test_the_last_weights_stay_where_the_best_are_not_asked_for() -> None:
    trainer = Adding(validation=lambda weight: WORSE.get(weight, 2.0))
    train = Train(epochs=3, batch_size=4, validation_share=0.2, best_weights=False)
    done = fit(trainer, arrays(10), train)
    assert (done.kept_epoch, done.validation_loss) == (3, 2.0)
    assert trainer.weight == 6


def test_rows_weigh_what_their_class_does_in_steps_and_in_validation() -> None:
    label = np.array([0, 1, 1, 1, 0, 1, 1, 1, 0, 1], np.float32)
    given = FeatureArrays(label[:, None], label[:, None].astype(np.int32), label)
    trainer = Adding()
    done = fit(trainer, given, Train(epochs=1, class_weights=[3.0, 0.5], validation_share=0.5))
    for batch in [*trainer.batches, *trainer.validated]:
        assert batch.weight is not None
        assert (batch.weight == np.where(batch.label == 1, 0.5, 3.0)).all()
    assert done.class_weights == (3.0, 0.5)


def stopped_at(step: int) -> Callable[[int], float]:
    def loss(number: int) -> float:
        if number == step:
            signal.raise_signal(signal.SIGTERM)
        return 1.0 / number

    return loss


@pytest.fixture
def heard() -> Any:
    """The signals that reach the handler that was there before training."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_sigterm_leaves_a_checkpoint_and_goes_on_to_who_had_it_before(
    heard: list[int], tmp_path: Path
) -> None:
    train = Train(epochs=3, batch_size=4, validation_share=0.2)
    kept = Checkpoints(tmp_path / "key", train)
    with pytest.raises(PlatformError, match="stopped by SIGTERM after step 4"):
        fit(Adding(stopped_at(4)), arrays(10), train, kept)
    assert heard == [signal.SIGTERM]

    trainer = Adding(lambda number: 1.0 / number)
    done, whole = (
        fit(trainer, arrays(10), train, kept),
        fit(Adding(stopped_at(0)), arrays(10), train),
    )
    assert done.resumed_from_step == 4
    assert len(trainer.batches) == 2
    assert (done.epoch_rows, done.steps, done.final_loss) == (
        whole.epoch_rows,
        whole.steps,
        whole.final_loss,
    )
    assert (done.kept_epoch, trainer.weight) == (whole.kept_epoch, 2)


def test_without_a_place_for_checkpoints_none_is_written(
    heard: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlatformError, match="stopped by SIGTERM"):
        fit(Adding(stopped_at(2)), arrays(10), Train(batch_size=4, checkpoint_steps=1))
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    train = Train(batch_size=4, checkpoint_steps=1)
    kept = Checkpoints(tmp_path / "key", train)
    fit(Adding(), arrays(10), train, kept)
    with pytest.raises(SettingsError, match="of another model"):
        fit(Adding(weight=np.zeros(2, np.float32)), arrays(10), train, kept)


def test_the_log_tells_of_the_last_epoch_with_its_losses(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fit(Adding(), arrays(10), Train(epochs=200, batch_size=4, validation_share=0.2))
    lines = [r.message for r in caplog.records if r.message.startswith("epoch ")]
    assert lines[-1].startswith(
        "epoch 200 of 200 done: loss 0.50000, validation loss 0.50000, accuracy 0.7500, "
    ), lines
    assert lines[-1].endswith(" examples/s, 0 s left")
    assert len(lines) < 20
