"""The evaluation's own gates: that what was measured is every row, and can be measured.

Why: the policy's gates are judged by decide_release, on numbers; these say what the numbers stand
on. They are counted from the rows as they came together, on Beam after they went through a file.

Rules: of each model, champion too, the rows whose prediction is what the task asks for must be the
rows of the eval split as its manifest counts them; the labels must hold two outcomes at least. What
one of them finds, and nothing earlier did, stops the stage with all of them in its record.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from components.core.errors import GateError
from components.core.outcome import Gate
from components.evaluate_models.predicted import scores
from components.evaluate_models.target import Target


def reconciled(table: pa.Table, target: Target, rows: int) -> tuple[Gate, ...]:
    """Return the gates on the predicted rows of a split that has `rows`.

    Raises GateError where one does not pass, DataError for labels that cannot be measured.
    """
    labels, number = target.labels(table), table.num_rows
    predicted = {name: int(target.right(found).sum()) for name, found in scores(table).items()}
    outcomes = len(np.unique(labels))
    gates = (
        *(
            Gate(f"{name} predicted_rows", "predicted_rows", count, "==", rows, n=number)
            for name, count in predicted.items()
        ),
        Gate("label_outcomes", "label_outcomes", outcomes, ">=", 2, n=number),
    )
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        raise GateError(
            f"{failed[0].name}: {failed[0].value:g}, and it must be {failed[0].operator} "
            f"{failed[0].threshold:g}",
            remedy="start a new run; where it stays, look at the engine that predicted",
            gates=[gate.to_dict() for gate in gates],
            expected=failed[0].threshold,
            actual=failed[0].value,
        )
    return gates
