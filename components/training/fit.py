"""What a training came to, as its record and MLflow tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.core.training_settings import Train


@dataclass(frozen=True)
class Fit:
    """What was done: the rows and the mean loss of each epoch, and the steps in all.

    `kept_epoch`, counted from 1, is the epoch whose weights were kept; `validation_losses` are the
    losses of each epoch on the `validation_rows`, empty where there are none;
    `compiled_difference` is what components.training.compiled says; `strategy` is how several
    processes or devices trained together.
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
    strategy: str | None = None

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
            "strategy": self.strategy,
            "processes": train.processes if self.strategy else None,
        }
        return {name: value for name, value in facts.items() if value is not None}
