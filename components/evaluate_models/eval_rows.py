"""The eval split as it is measured: every row's label and predictions, and a few rows whole.

Why: metrics need of each row no more than the label, the predictions and the columns to group by;
only robustness needs whole rows, and few of them. So the rows may lie beyond one machine.

Rules: predictions are made here in one batch, or on Beam where the settings let it do all the work;
both give the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, Split, read_split
from components.core.row_groups import take_rows
from components.core.settings import Evaluate
from components.evaluate_models.candidates import Measurable
from components.evaluate_models.predicted import predict
from components.evaluate_models.robustness import chosen_rows
from components.evaluate_models.slices import Rows, require_column
from components.evaluate_models.target import Target

SPLIT: Split = "eval"


@dataclass(frozen=True)
class EvalRows:
    """`predicted` has every row; `sample` the raw rows numbered `chosen`.

    The columns of `predicted` are the label's, those to group by, and each model's predictions.
    """

    predicted: pa.Table
    chosen: Rows
    sample: pa.Table

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.predicted.num_rows)


def eval_rows(
    models: Sequence[Measurable],
    examples: Path,
    manifest: ExamplesManifest,
    options: Evaluate,
    engine: Beam,
) -> EvalRows:
    """Return the rows, predicted by every model.

    Raises SettingsError for a column to group by that the examples do not have, DataError for
    predictions that are none.
    """
    target, count = Target.of(manifest), manifest.rows_of(SPLIT)
    columns = [target.label, *_grouped_by(options, manifest)]
    if engine.work != "all":
        return rows_here(models, read_split(examples, SPLIT), columns, target)
    from components.core.beam_engine import scratch_file
    from components.evaluate_models.on_beam import predict_on_beam

    with scratch_file(engine, "predictions") as result:
        predicted = predict_on_beam(models, examples, columns, engine, result)
    chosen = chosen_rows(count)
    return EvalRows(predicted, chosen, take_rows(examples, manifest, SPLIT, chosen))


def rows_here(
    models: Sequence[Measurable],
    table: pa.Table,
    columns: Sequence[str],
    target: Target,
) -> EvalRows:
    """Return a table's rows, predicted in this process."""
    predicted = predict(models, table, columns, target).table(table.num_rows)
    chosen = chosen_rows(table.num_rows)
    return EvalRows(predicted, chosen, table.take(chosen))


def _grouped_by(options: Evaluate, manifest: ExamplesManifest) -> list[str]:
    """Return the columns of slices and of groups; SettingsError for one that is not there."""
    wanted = {
        "evaluate.slices": [name for cross in options.slices for name in cross],
        "evaluate.sensitive": list(options.sensitive),
    }
    for setting, names in wanted.items():
        for name in names:
            require_column(name, manifest.columns, setting)
    return [name for names in wanted.values() for name in names]
