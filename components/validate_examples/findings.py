"""A finding: one gate with what was expected and what was found, in words for a person.

Rules: a finding names a feature and counts rows; it never quotes a row's value, because its words
go into the audit record, which outlives the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.core.errors import GateError
from components.core.outcome import Gate
from components.core.settings import Checks, Source, Transform

_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """A gate, and the words that explain it."""

    gate: Gate
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.gate.name} in {self.gate.slice}: expected {self.expected}, {self.actual}"


def check_rows(rows: Mapping[str, pa.Table], checks: Checks) -> Iterator[Finding]:
    """Yield for each split whether it has enough rows."""
    for split, table in rows.items():
        gate = Gate(
            "minimum_rows", "rows", table.num_rows, ">=", checks.minimum_rows, split, table.num_rows
        )
        yield Finding(gate, f"at least {checks.minimum_rows} rows", f"found {table.num_rows}")


def check_classes(rows: Mapping[str, pa.Table], label: str, checks: Checks) -> Iterator[Finding]:
    """Yield for each split whether the rarer class of the label is common enough."""
    for split, table in rows.items():
        positive = float(np.mean(table[label].to_numpy())) if table.num_rows else 0.0
        share = min(positive, 1 - positive)
        least = checks.minimum_class_share
        gate = Gate(f"class_share:{label}", "share", share, ">=", least, split, table.num_rows)
        yield Finding(gate, f"a share of at least {least:g}", f"found {share:.4f}")


def check_leakage(source: Source, transform: Transform, columns: Sequence[str]) -> Finding:
    """Return whether a declared feature or a column is known only after the prediction."""
    later = {*source.leakage, source.target.column}
    features = sorted(set(transform.features) & {*later, source.target.name})
    carried = sorted(set(columns) & later)
    found = sorted({*features, *carried})
    name = "leakage" + (f":{','.join(found)}" if found else "")
    gate = Gate(name, "columns", len(found), "==", 0, "all splits")
    return Finding(
        gate,
        "no feature and no column that is known only after the prediction",
        f"found {', '.join(found) or 'none'}",
    )


def require_passing(findings: Sequence[Finding]) -> None:
    """Raise GateError with every gate where one did not pass; its message names the first few."""
    failed = [finding for finding in findings if not finding.gate.passed]
    if not failed:
        return
    shown = "; ".join(str(finding) for finding in failed[:_SHOWN])
    more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    raise GateError(
        f"{len(failed)} of {len(findings)} data gates did not pass: {shown}{more}",
        remedy="correct the data, or have the schema or the thresholds in `checks` reviewed; "
        "validation.json of the task has every detail",
        gates=[finding.gate.to_dict() for finding in findings],
        expected=[finding.expected for finding in failed],
        actual=[finding.actual for finding in failed],
    )
