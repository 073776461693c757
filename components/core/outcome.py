"""What a step says of its work besides the artifacts: facts and gates, for the record.

Rules: facts are numbers, names and digests, never values of rows; a gate is judged here and
nowhere else, so that its record and its effect cannot differ.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

OPERATORS = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
}


def meets(value: float, operator: str, threshold: float) -> bool:
    """Say whether a value meets a threshold; NaN meets none."""
    return bool(OPERATORS[operator](value, threshold))


@dataclass(frozen=True)
class Gate:
    """One measured value against one threshold.

    `value` is the number that was compared: the interval's worse bound where there is an interval.
    `waived_by` is the digest of the waiver that a gate was let through by, though it did not pass.
    """

    name: str
    metric: str
    value: float
    operator: str
    threshold: float
    slice: str = "overall"
    n: int | None = None
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    waived_by: str | None = None

    @property
    def passed(self) -> bool:
        """Say whether the value meets the threshold; NaN meets none."""
        return meets(self.value, self.operator, self.threshold)

    @property
    def accepted(self) -> bool:
        """Say whether the gate lets go on: it passed, or a waiver covers it."""
        return self.passed or self.waived_by is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the gate as it stands in artifacts and records; absent parts are left out."""
        parts = {key: value for key, value in asdict(self).items() if value is not None}
        if self.interval is not None:
            parts["interval"] = list(self.interval)
        return parts | {"passed": self.passed}


@dataclass(frozen=True)
class Outcome:
    """What a step returns.

    `metadata` goes to the output artifacts by name, beside the digest and the record's id.
    `publish` is what makes the work visible outside: called once its record stands, and again by
    whoever repeats the stage after a crash between the two, so that it must bear being repeated.
    `take_back` undoes what the step did outside already, where its record is refused for good.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    publish: Callable[[], None] | None = None
    take_back: Callable[[], None] | None = None
