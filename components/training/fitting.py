"""The loop over epochs and batches that both trainers run, whichever framework takes the step.

Rules:
1. each process of a group runs this loop and takes its part of every batch (parts.py); the loss and
   the wish to stop are sums over the group, so all of them go on, or end, at the same step;
2. the loss of every batch is looked at, and training stops at the first that is not a finite
   number;
3. the rates, the weights of rows, the rows that validate and the decision to stop are made here,
   once, for both frameworks;
4. a training that goes on from a checkpoint takes the steps that were left, in the same order,
   from the same state, and so ends with the weights of one that was never interrupted.
It knows neither framework: a trainer takes arrays and returns their mean loss.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from components.core.errors import DataError, PlatformError, SettingsError
from components.core.features import FeatureArrays
from components.core.training_settings import Train
from components.training.checkpoints import Checkpoint, Checkpoints, Place, State
from components.training.fit import Fit
from components.training.group import ALONE, Group
from components.training.heads import BINARY, MEASURES, Head
from components.training.interruption import Interruption
from components.training.parts import Parts
from components.training.progress import Progress
from components.training.schedule import Schedule

log = logging.getLogger(__name__)
WEIGHTS = "weights/"  # what a model's own arrays are called in a state


class Trainer(Protocol):
    """One framework's half: what takes a step, and everything that a step changes, by name."""

    def step(self, batch: FeatureArrays, rate: float, share: float) -> float:
        """Take one step at that learning rate and return the mean loss of these rows before it.

        They weigh `share` of all that the group takes the step on: 1 where there is no other.
        """
        ...

    def validate(self, batch: FeatureArrays) -> tuple[float, float]:
        """Return the mean loss of rows as the model predicts them, and what MEASURES names."""
        ...

    def state(self) -> State:
        """Return copies: the model's arrays as `weights/...`, the optimiser's and random state."""
        ...

    def restore(self, state: State) -> None:
        """Set the arrays that are named; the others stay."""
        ...


def fit(
    trainer: Trainer,
    arrays: FeatureArrays,
    train: Train,
    checkpoints: Checkpoints | None = None,
    group: Group = ALONE,
    head: Head = BINARY,
) -> Fit:
    """Take every step that is left of every epoch, until the last one or an early stop.

    Raises DataError at the first loss that is not finite, and PlatformError where SIGTERM stopped
    it, after a checkpoint.
    """
    data = Parts.of(arrays, train, group, head)
    steps = train.epochs * math.ceil(data.rows.count / train.batch_size)
    loop = _Loop(
        trainer=trainer,
        data=data,
        group=group,
        train=train,
        schedule=Schedule(train, steps),
        checkpoints=checkpoints or Checkpoints(None, train),
        interruption=Interruption(),
        progress=Progress(train.epochs, steps, measure=MEASURES[head.task]),
    )
    with loop.interruption:
        return loop.run()


@dataclass
class _Loop:
    """One training; `place` and `best` are what it has come to."""

    trainer: Trainer
    data: Parts
    group: Group
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
        for part in self.data.of_epoch(self.place.epoch, self.place.batch):
            rate = self.schedule.rate(self.place.step)
            own = part.share * self.trainer.step(part.arrays, rate, part.share)
            loss, stopping = self.group.total([own, float(self.interruption.received)])
            where = f"at batch {self.place.batch + 1} of epoch {self.place.epoch + 1}"
            _require_finite("loss", loss, where, rate)
            self._count(part.rows, loss)
            self._keep(stopping > 0)
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

    def _keep(self, stopping: bool) -> None:
        """Write a checkpoint where one is due, and stop where that was asked for."""
        if stopping or self.checkpoints.are_due(self.place.step):
            state = self.trainer.state()  # to which every process may have to give its share
            if self.group.rank == 0:
                self.checkpoints.save(Checkpoint(self.place, state, self.best or {}))
        if stopping:
            raise PlatformError(
                f"training was stopped by SIGTERM after step {self.place.step}",
                remedy="resume the run: training goes on from its checkpoint, where one was kept",
            )

    def _end_epoch(self, loss: float) -> bool:
        """Validate, remember what was best, turn to the next epoch; say whether to stop."""
        place, epoch = self.place, self.place.epoch + 1
        validated = self._validate(epoch) if self.data.rows.validating else None
        watch = place.watch
        if validated is not None:
            watch = watch.after(validated[0], self.train.min_delta)
            if self.train.best_weights and watch.best_epoch == epoch:
                self.best = _weights(self.trainer.state())
        self.place = Place(
            step=place.step,
            epoch=epoch,
            epoch_rows=(*place.epoch_rows, place.rows),
            epoch_losses=(*place.epoch_losses, loss),
            watch=watch,
        )
        self.progress.epoch(epoch, place.step, loss, validated)
        return watch.is_over(self.train.patience)

    def _validate(self, epoch: int) -> tuple[float, float]:
        """Return the mean loss of the rows that validate, and the measure, in the label's unit."""
        own = [0.0, 0.0]
        for part in self.data.of_validation():
            found = self.trainer.validate(part.arrays)
            weight = part.share * part.rows
            own = [so_far + weight * value for so_far, value in zip(own, found, strict=True)]
        loss, measure = (total / self.data.rows.validating for total in self.group.total(own))
        rate = self.schedule.rate(self.place.step - 1)
        _require_finite("validation loss", loss, f"after epoch {epoch}", rate)
        return loss, measure * self.data.head.unit


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
