"""The gates on what one pass over the rows found: rows, classes, label shift, repeats, leakage.

Rules: every gate that the settings ask for is judged, also for a split without rows, which passes
none; a share is of the rows of the split or span that the gate's slice names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from components.core.data_settings import Checks, Source, Transform
from components.core.examples import SPLITS
from components.core.outcome import Gate
from components.core.slice_keys import ALL_SPLITS
from components.core.words import counted
from components.validate_examples.findings import Finding, RowNumber
from components.validate_examples.gate_names import against


class Counted(Protocol):
    """Rows, and the share of each class of the label among them."""

    rows: int

    @property
    def shares(self) -> Sequence[float]:
        """The share of each class; 0 of no rows; empty where the label is a number."""


def check_rows(splits: Mapping[str, Counted], checks: Checks) -> Iterator[Finding]:
    """Yield for each split whether it has enough rows."""
    for split, labels in splits.items():
        least, rows = checks.minimum_rows, labels.rows
        gate = Gate("minimum_rows", "rows", rows, ">=", least, split, rows)
        yield Finding(gate, f"at least {counted(least, 'row')} in each split", f"found {rows}")


def check_classes(splits: Mapping[str, Counted], label: str, checks: Checks) -> Iterator[Finding]:
    """Yield for each split whether the rarest class of the label is common enough."""
    for split, labels in splits.items():
        share = min(labels.shares)
        least = checks.minimum_class_share
        gate = Gate(f"class_share:{label}", "share", share, ">=", least, split, labels.rows)
        yield Finding(gate, f"a share of at least {least:g}", f"found {share:.4f}")


def check_label_shift(
    spans: Mapping[str, Counted], splits: Mapping[str, Counted], label: str, checks: Checks
) -> Iterator[Finding]:
    """Yield whether the share of a class moved too far.

    The last span is compared with the one before it, and where there is one span, the evaluation
    split with the training split.
    """
    limit = checks.label_shift
    if limit is None:
        return
    (before, old), (last, new) = (
        sorted(spans.items())[-2:]
        if len(spans) > 1
        else [(split, splits[split]) for split in SPLITS]
    )
    moved = [abs(a - b) for a, b in zip(new.shares, old.shares, strict=True)]
    shift = max(moved) if new.rows and old.rows else 1.0
    where = against(last, before)
    gate = Gate(f"label_shift:{label}", "share_difference", shift, "<=", limit, where, new.rows)
    yield Finding(gate, f"a difference of at most {limit:g}", f"found {shift:.4f}")


def check_repeats(
    share: float, rows: int, first: Sequence[RowNumber], checks: Checks
) -> Iterator[Finding]:
    """Yield whether too many rows repeat an earlier one, in whichever split."""
    limit = checks.duplicate_rows
    if limit is None:
        return
    gate = Gate("duplicate_rows", "share", share, "<=", limit, ALL_SPLITS, rows)
    yield Finding(gate, f"a share of at most {limit:g}", f"found {share:.4f}", tuple(first))


def check_leakage(source: Source, transform: Transform, columns: Sequence[str]) -> Finding:
    """Return whether a declared feature or a column is known only after the prediction."""
    used = {column for names in transform.inputs().values() for column in names}
    carried = source.known_later.intersection(columns)
    found = sorted(carried | (used & {*source.known_later, source.target.name}))
    name = "leakage" + (f":{','.join(found)}" if found else "")
    gate = Gate(name, "columns", len(found), "==", 0, ALL_SPLITS)
    return Finding(
        gate,
        "no feature and no column that is known only after the prediction",
        f"found {', '.join(found) or 'none'}",
    )
