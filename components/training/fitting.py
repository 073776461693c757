"""The loop over epochs and batches that both trainers run, whichever framework takes the step.

Rules:
1. the order of rows is `batch_indices` over the rows that train; a batch is gathered from the
   mapped file, so memory stays flat;
2. the loss of every batch is looked at, and training stops at the first that is not a finite
   number;
3. the rates, the weights of rows, the rows that validate and the decision to stop are made here,
   once, for both frameworks;
4. a training that goes on from a checkpoint takes the steps that were left, in the same order,
   from the same state, and so ends with the weights of one that was never interrupted.
It knows neither framework: a trainer takes arrays and returns the batch's mean loss.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from components.core.errors import DataError, PlatformError, SettingsError
from components.core.features import FeatureArrays, batch_indices
from components.core.settings import Train
from components.training.checkpoints import Checkpoint, Checkpoints, Place, State
from components.training.class_weights import class_weights
from components.training.interruption import Interruption
from components.training.progress import Progress
from components.training.schedule import Schedule
from components.training.stopping import Rows

log = logging.getLogger(__name__)
Array = np.ndarray[Any, Any]
WEIGHTS = "weights/"  # what a model's own arrays are called in a state
VALIDATION_ROWS = 8192  # of a batch that is only looked at


class Trainer(Protocol):
    """One framework's half: what takes a step, and everything that a step changes, by name."""

    def step(self, batch: FeatureArrays, rate: float) -> float:
        """Take one step at that learning rate and return the batch's mean loss before it."""
        ...

    def loss(self, batch: FeatureArrays) -> float:
        """Return the mean loss of rows as the model predicts them; nothing changes."""
        ...

    def state(self) -> State:
        """Return copies: the model's arrays as `weights/...`, the optimiser's and random state."""
        ...

    def restore(self, state: State) -> None:
        """Set the arrays that are named; the others stay."""
        ...


@dataclass(frozen=True)
class Fit:
    """What was done: the rows and the mean loss of each epoch, and the steps in all.

    `kept_epoch`, counted from 1, is the epoch whose weights were kept; `validation_losses` are the
    losses of each epoch on the `validation_rows`, empty where there are none;
    `compiled_difference` is what components.training.compiled says.
    """

    epoch_rows: tuple[int, ...]
    epoch_losses: tuple[float, ...]
    steps: int
    kept_epoch: int
    validation_rows: int = 0
    validation_losses: tuple[float, ...] = ()
    class_weights: tuple[float, ...] | None = None
    resumed_from_step: int | None = None
    device: str = "cpu"
    compiled_difference: float | None = None

    @property
    def final_loss(self) -> float:
        """The mean loss of the last epoch's rows."""
        return self.epoch_losses[-1]

    @property
    def validation_loss(self) -> float | None:
        """The validation loss of the epoch that was kept."""
        return self.validation_losses[self.kept_epoch - 1] if self.validation_losses else None

    def facts(self, train: Train) -> dict[str, Any]:
        """Return what the record says of the loop; what was not asked for is left out."""
        facts = {
            "steps": self.steps,
            "epochs": len(self.epoch_rows),
            "kept_epoch": self.kept_epoch,
            "epoch_losses": [*self.epoch_losses],
            "final_loss": self.final_loss,
            "schedule": train.schedule,
            "validation_rows": self.validation_rows or None,
            "validation_losses": [*self.validation_losses] or None,
            "validation_loss": self.validation_loss,
            "class_weights": None if self.class_weights is None else [*self.class_weights],
            "resumed_from_step": self.resumed_from_step,
            "device": self.device,
            "precision": train.precision,
            "compiled_difference": self.compiled_difference,
        }
        return {name: value for name, value in facts.items() if value is not None}


def fit(
    trainer: Trainer, arrays: FeatureArrays, train: Train, checkpoints: Checkpoints | None = None
) -> Fit:
    """Take every step that is left of every epoch, until the last one or an early stop.

    Raises DataError at the first loss that is not finite, and PlatformError where SIGTERM stopped
    it, after a checkpoint.
    """
    rows = Rows.split(arrays.rows, train)
    weights = class_weights(train, arrays.label[rows.numbers(np.arange(rows.count))])
    steps = train.epochs * math.ceil(rows.count / train.batch_size)
    loop = _Loop(
        trainer=trainer,
        data=_Data(arrays, train, rows, weights),
        train=train,
        schedule=Schedule(train, steps),
        checkpoints=checkpoints or Checkpoints(None, train),
        interruption=Interruption(),
        progress=Progress(train.epochs, steps),
    )
    with loop.interruption:
        return loop.run()


@dataclass(frozen=True)
class _Data:
    """Batches of the rows that train and of those that validate, as arrays of their own."""

    arrays: FeatureArrays
    train: Train
    rows: Rows
    class_weights: Array | None

    def batches(self, epoch: int, taken: int) -> Iterator[FeatureArrays]:
        """Yield an epoch's batches after those that were taken."""
        train = self.train
        orders = batch_indices(self.rows.count, train.batch_size, train.seed, epoch)
        for number, order in enumerate(orders):
            if number >= taken:
                yield self._gather(self.rows.numbers(order))

    def validation(self) -> Iterator[FeatureArrays]:
        """Yield the rows that validate, in their order."""
        rows = self.rows.validation
        for start in range(0, self.rows.validating, VALIDATION_ROWS):
            if rows is not None:
                yield self._gather(rows[start : start + VALIDATION_ROWS])

    def _gather(self, rows: Array) -> FeatureArrays:
        arrays, label = self.arrays, np.take(self.arrays.label, rows)
        weights = self.class_weights
        return FeatureArrays(
            dense=np.take(arrays.dense, rows, axis=0),
            ids=np.take(arrays.ids, rows, axis=0),
            label=label,
            weight=None if weights is None else weights[label.astype(np.int64)],
        )


@dataclass
class _Loop:
    """One training; `place` and `best` are what it has come to."""

    trainer: Trainer
    data: _Data
    train: Train
    schedule: Schedule
    checkpoints: Checkpoints
    interruption: Interruption
    progress: Progress
    place: Place = field(default_factory=Place)
    best: State | None = None

    def run(self) -> Fit:
        """Go on from the last good checkpoint, or begin."""
        resumed = self._resume()
        is_over = False
        while self.place.epoch < self.train.epochs and not is_over:
            is_over = self._end_epoch(self._epoch())
        kept = len(self.place.epoch_rows)
        if self.best is not None:
            self.trainer.restore(self.best)
            kept = self.place.watch.best_epoch
        weights, watch = self.data.class_weights, self.place.watch
        return Fit(
            epoch_rows=self.place.epoch_rows,
            epoch_losses=self.place.epoch_losses,
            steps=self.place.step,
            kept_epoch=kept,
            validation_rows=self.data.rows.validating,
            validation_losses=watch.losses,
            class_weights=None if weights is None else tuple(map(float, weights)),
            resumed_from_step=resumed,
        )

    def _resume(self) -> int | None:
        """Take up the last good checkpoint; return its step."""
        found = self.checkpoints.latest()
        if found is None:
            return None
        _check_arrays(self.trainer.state(), found.state)
        self.trainer.restore(found.state)
        self.place, self.best = found.place, found.best or None
        self.progress.first_step = found.place.step
        log.info("going on from the checkpoint of step %d", found.place.step)
        return found.place.step

    def _epoch(self) -> float:
        """Take the steps that are left of the epoch; return the mean loss of all its rows."""
        for batch in self.data.batches(self.place.epoch, self.place.batch):
            rate = self.schedule.rate(self.place.step)
            loss = self.trainer.step(batch, rate)
            where = f"at batch {self.place.batch + 1} of epoch {self.place.epoch + 1}"
            _require_finite("loss", loss, where, rate)
            self._count(batch.rows, loss)
            self._keep()
        return self.place.loss_sum / self.place.rows

    def _count(self, rows: int, loss: float) -> None:
        place = self.place
        self.place = place.model_copy(
            update={
                "step": place.step + 1,
                "batch": place.batch + 1,
                "rows": place.rows + rows,
                "loss_sum": place.loss_sum + loss * rows,
            }
        )
        self.progress.step(place.epoch + 1, place.step + 1, loss, rows)

    def _keep(self) -> None:
        """Write a checkpoint where one is due, and stop where that was asked for."""
        stopping = self.interruption.received
        if stopping or self.checkpoints.are_due(self.place.step):
            self.checkpoints.save(Checkpoint(self.place, self.trainer.state(), self.best or {}))
        if stopping:
            raise PlatformError(
                f"training was stopped by SIGTERM after step {self.place.step}",
                remedy="resume the run: training goes on from its checkpoint, where one was kept",
            )

    def _end_epoch(self, loss: float) -> bool:
        """Validate, remember what was best, turn to the next epoch; say whether to stop."""
        place, epoch = self.place, self.place.epoch + 1
        validation = self._validate(epoch) if self.data.rows.validating else None
        watch = place.watch
        if validation is not None:
            watch = watch.after(validation, self.train.min_delta)
            if self.train.best_weights and watch.best_epoch == epoch:
                self.best = _weights(self.trainer.state())
        self.place = Place(
            step=place.step,
            epoch=epoch,
            epoch_rows=(*place.epoch_rows, place.rows),
            epoch_losses=(*place.epoch_losses, loss),
            watch=watch,
        )
        self.progress.epoch(epoch, place.step, loss, validation)
        return watch.is_over(self.train.patience)

    def _validate(self, epoch: int) -> float:
        """Return the mean loss of the rows that validate."""
        total = sum(self.trainer.loss(batch) * batch.rows for batch in self.data.validation())
        loss = total / self.data.rows.validating
        rate = self.schedule.rate(self.place.step - 1)
        _require_finite("validation loss", loss, f"after epoch {epoch}", rate)
        return loss


def _weights(state: State) -> State:
    return {name: array for name, array in state.items() if name.startswith(WEIGHTS)}


def _require_finite(what: str, loss: float, where: str, rate: float) -> None:
    if not math.isfinite(loss):
        raise DataError(
            f"the {what} is {loss} {where}, at a learning rate of {rate:.6g}",
            remedy="lower train.learning_rate, set train.clip_norm to clip the gradients, or look "
            "for infinite values in the features",
            expected=f"a finite {what}",
            actual=loss,
        )


def _check_arrays(own: State, found: State) -> None:
    """Raise SettingsError unless a checkpoint has the model's own arrays."""
    expected, actual = _shapes(own), _shapes(found)
    if expected != actual:
        raise SettingsError(
            "the checkpoint is of another model than the model function gives",
            remedy="remove the checkpoint, or restore the model function that it came from",
            expected=expected,
            actual=actual,
        )


def _shapes(state: State) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    return {name: (array.dtype.str, array.shape) for name, array in _weights(state).items()}
