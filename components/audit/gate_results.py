"""How a gate of a record came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Result = Literal["passed", "waived", "failed"]


def result_of(gate: Mapping[str, Any]) -> Result:
    """Return how a gate was judged: one that did not hold is waived where it names a waiver."""
    return "passed" if gate["passed"] else "waived" if "waived_by" in gate else "failed"
