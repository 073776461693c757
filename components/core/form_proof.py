"""What was proven of an exported form, as the contract says it: one of these proofs a form.

Rule: a proof says what was measured and what was allowed, and holds or not by that alone; how it is
measured is components/training's.
"""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from components.core.outcome import Gate
from components.core.settings import Section


class _Proof(Section):
    """What was measured of a form on some rows, held against what is tolerated."""

    rows: int

    @abstractmethod
    def gates(self, form: str) -> tuple[Gate, ...]:
        """Return what is compared, in the name of the form."""

    @property
    def holds(self) -> bool:
        """Say whether all is within its tolerance; NaN is not."""
        return all(gate.passed for gate in self.gates("form"))

    def _gate(self, form: str, metric: str, value: float, operator: str, threshold: float) -> Gate:
        return Gate(f"{form} {metric}", metric, value, operator, threshold, n=self.rows)


class Parity(_Proof):
    """How far a form's output was from the framework's own, at most, whatever the batch.

    Of a value the difference is in units of the label's standard deviation, or of the value itself
    where that is more.
    """

    batch_sizes: tuple[int, ...] = ()
    # A form that gives NaN differs infinitely; its parity can be said, and does not pass.
    max_abs_difference: float = Field(allow_inf_nan=True)
    tolerance: float

    def gates(self, form: str) -> tuple[Gate, ...]:
        """Return the one on the difference."""
        found = self.max_abs_difference
        return (self._gate(form, "max_abs_difference", found, "<=", self.tolerance),)


class Quality(_Proof):
    """What a form of 8 bits keeps of the framework's own, on evaluation rows, at the worst batch.

    `agreement` is the share of rows that both put on the same side of a half.
    """

    batch_sizes: tuple[int, ...]
    auc: float
    framework_auc: float
    auc_tolerance: float
    agreement: float
    least_agreement: float

    def gates(self, form: str) -> tuple[Gate, ...]:
        """Return those on what of the auc is lost, and on the agreement."""
        lost = self.framework_auc - self.auc
        return (
            self._gate(form, "auc_loss", lost, "<=", self.auc_tolerance),
            self._gate(form, "agreement", self.agreement, ">=", self.least_agreement),
        )


class ClassQuality(_Proof):
    """The same of several classes; `agreement` is the share of rows that both give one class."""

    batch_sizes: tuple[int, ...]
    accuracy: float
    framework_accuracy: float
    accuracy_tolerance: float
    agreement: float
    least_agreement: float

    def gates(self, form: str) -> tuple[Gate, ...]:
        """Return those on what of the accuracy is lost, and on the agreement."""
        lost = self.framework_accuracy - self.accuracy
        return (
            self._gate(form, "accuracy_loss", lost, "<=", self.accuracy_tolerance),
            self._gate(form, "agreement", self.agreement, ">=", self.least_agreement),
        )


class ValueQuality(_Proof):
    """The same of a number: `error` is the mean distance of the form's from the framework's own.

    It is in standard deviations of the label.
    """

    batch_sizes: tuple[int, ...]
    error: float = Field(allow_inf_nan=True)
    error_tolerance: float

    def gates(self, form: str) -> tuple[Gate, ...]:
        """Return the one on the distance."""
        return (self._gate(form, "error", self.error, "<=", self.error_tolerance),)


AnyQuality = Quality | ClassQuality | ValueQuality
