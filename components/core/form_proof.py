"""What was proven of an exported form, as the contract says it: one of these proofs a form.

Rule: a proof says what was measured and what was allowed, and holds or not by that alone; how it is
measured is components/training's.
"""

from __future__ import annotations

from pydantic import Field

from components.core.settings import Section


class Parity(Section):
    """How far a form's output was from the framework's own, at most, whatever the batch.

    Of a value the difference is in units of the label's standard deviation, or of the value itself
    where that is more.
    """

    rows: int
    batch_sizes: tuple[int, ...] = ()
    # A form that gives NaN differs infinitely; its parity can be said, and does not pass.
    max_abs_difference: float = Field(allow_inf_nan=True)
    tolerance: float

    @property
    def holds(self) -> bool:
        """Say whether the difference is within the tolerance; NaN is not."""
        return self.max_abs_difference <= self.tolerance


class Quality(Section):
    """What a form of 8 bits keeps of the framework's own, on evaluation rows, at the worst batch.

    `agreement` is the share of rows that both put on the same side of a half.
    """

    rows: int
    batch_sizes: tuple[int, ...]
    auc: float
    framework_auc: float
    auc_tolerance: float
    agreement: float
    least_agreement: float

    @property
    def holds(self) -> bool:
        """Say whether both are within their tolerances; NaN is not."""
        kept = self.framework_auc - self.auc <= self.auc_tolerance
        return kept and self.agreement >= self.least_agreement


class ClassQuality(Section):
    """The same of several classes; `agreement` is the share of rows that both give one class."""

    rows: int
    batch_sizes: tuple[int, ...]
    accuracy: float
    framework_accuracy: float
    accuracy_tolerance: float
    agreement: float
    least_agreement: float

    @property
    def holds(self) -> bool:
        """Say whether both are within their tolerances; NaN is not."""
        kept = self.framework_accuracy - self.accuracy <= self.accuracy_tolerance
        return kept and self.agreement >= self.least_agreement


class ValueQuality(Section):
    """The same of a number: `error` is the mean distance of the form's from the framework's own.

    It is in standard deviations of the label.
    """

    rows: int
    batch_sizes: tuple[int, ...]
    error: float = Field(allow_inf_nan=True)
    error_tolerance: float

    @property
    def holds(self) -> bool:
        """Say whether the distance is within its tolerance; NaN is not."""
        return self.error <= self.error_tolerance


AnyQuality = Quality | ClassQuality | ValueQuality
