"""Predictions merged from batches, in memory and on Beam."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_bundles
from hypothesis import given
from hypothesis import strategies as st
from tried_examples import tries

from components.core.artifacts import read_json
from components.core.bundle import Bundle
from components.core.data_settings import Beam
from components.core.errors import DataError, IntegrityError
from components.core.examples import read_split
from components.evaluate_models.candidates import Measurable, open_candidate
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.fairness import fairness
from components.evaluate_models.predicted import PREDICTION, Predicted, predict, scores
from components.evaluate_models.slices import partitions
from components.evaluate_models.step import EvaluateSettings, evaluate_models
from components.evaluate_models.target import Target

ROWS = 120
COLUMNS = ("late", "origin", "hour")
TARGET = Target("late")


def _predicted_rows():
    rows = tiny_bundles.table(ROWS).select(COLUMNS)
    generator = np.random.default_rng(5)
    for name in ("pytorch", "tensorflow"):
        rows = rows.append_column(PREDICTION + name, pa.array(generator.random(ROWS)))
    return rows


def _evaluated(table):
    """Return every number of the metrics and of the fairness."""
    parts = partitions(table, [["origin"], ["origin", "hour"]], 5)
    labels = table["late"].to_numpy().astype(float)
    rows = Rows(labels, scores(table))
    fair = fairness(partitions(table, [["hour"]], 5)[1:], labels, list(rows.scores.values()), 1.96)
    return json.loads(json.dumps([*evaluate(rows, parts, 0.95, (0.5, 0.7)), fair]))


WHOLE = _predicted_rows()
EXPECTED = _evaluated(WHOLE)


def _merged(batches, draw):
    """Merge batches by a tree that hypothesis draws, from whichever two it likes."""
    parts = [Predicted((batch,)) for batch in batches]
    while len(parts) > 1:
        first = parts.pop(draw(st.integers(0, len(parts) - 1)))
        second = parts.pop(draw(st.integers(0, len(parts) - 1)))
        parts.append(Predicted.merged([first, second]))
    return parts[0]


@tries(25)
@given(st.data())
def test_merging_any_split_of_the_rows_in_any_order_gives_the_same_numbers(data):
    cuts = sorted(data.draw(st.lists(st.integers(0, ROWS), max_size=6)))
    bounds = list(zip([0, *cuts], [*cuts, ROWS], strict=True))
    batches = [(first, WHOLE.slice(first, last - first)) for first, last in bounds]
    merged = _merged(data.draw(st.permutations(batches)), data.draw)
    assert _evaluated(merged.table(ROWS)) == EXPECTED


@pytest.mark.parametrize(
    "batches",
    [[], [(0, 60)], [(0, 60), (60, 60), (60, 60)], [(0, 60), (61, 59)], [(0, 60), (60, 61)]],
    ids=["none", "lost", "twice", "shifted", "too many"],
)
def test_rows_that_are_lost_or_come_twice_are_refused(batches):
    pieces = [(first, pa.table({"late": np.zeros(rows)})) for first, rows in batches]
    with pytest.raises(IntegrityError, match="each once"):
        Predicted(tuple(pieces)).table(ROWS)


def test_a_batch_keeps_only_what_metrics_need(artifacts, rows):
    model = open_candidate("pytorch", artifacts["pytorch_model"])
    ((first, found),) = predict(
        [model], rows.slice(10, 5), ["late", "hour", "late"], TARGET, 10
    ).batches
    assert first == 10
    assert found.column_names == ["late", "hour", "prediction of pytorch"]
    assert np.array_equal(scores(found)["pytorch"], model.predictions(rows, TARGET)[10:15])


class _Scorer:
    """Gives a probability for each of three classes, whatever the row."""

    def predict(self, table):
        return np.random.default_rng(table.num_rows).dirichlet(np.ones(3), table.num_rows)


def test_a_probability_for_each_class_survives_batches_and_merging(artifacts, rows):
    bundle = open_candidate("pytorch", artifacts["pytorch_model"]).bundle
    model = Measurable("pytorch", bundle, "0" * 64, _Scorer())
    target = Target("hour", "multi_class", ("a", "b", "c"))
    parts = [
        predict([model], rows.slice(first, 7), ["hour"], target, first) for first in (14, 0, 7)
    ]
    found = scores(Predicted.merged(parts).table(21))["pytorch"]
    assert found.shape == (21, 3)
    assert np.array_equal(found[7:14], model.scorer.predict(rows.slice(0, 7)))
    with pytest.raises(DataError, match=r"shape \(7, 3\) for 7 rows"):
        predict([model], rows.slice(0, 7), ["hour"], TARGET)


def _in_row_groups(folder: Path, rows: pa.Table) -> Path:
    """Write examples whose eval shard has ten row groups."""
    tiny_bundles.write_examples(folder, rows)
    shard = folder / "Split-eval" / "2013-12.parquet"
    pq.write_table(rows, shard, row_group_size=-(-rows.num_rows // 10))
    return folder


@pytest.mark.slow
def test_on_beam_the_metrics_are_those_of_memory(artifacts, rows, tmp_path):
    from components.evaluate_models.on_beam import predict_on_beam

    examples = _in_row_groups(tmp_path / "examples", rows)
    bundles = {name: artifacts[f"{name}_model"] for name in ("pytorch", "tensorflow")}
    models = [open_candidate(name, folder) for name, folder in bundles.items()]
    on_beam = predict_on_beam(models, examples, COLUMNS, Beam(), str(tmp_path / "result.arrow"))
    in_memory = predict(models, read_split(examples, "eval"), COLUMNS, TARGET).table(rows.num_rows)
    assert on_beam["late"].num_chunks == 10
    _same(_evaluated(on_beam), _evaluated(in_memory))


def _same(one, two):
    """Compare numbers to 1e-6 at every depth, and everything else exactly."""
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        one, two = list(one.values()), list(two.values())
    if isinstance(one, list):
        assert len(one) == len(two)
        for first, second in zip(one, two, strict=True):
            _same(first, second)
    else:
        assert one == (pytest.approx(two, abs=1e-6) if isinstance(two, float) else two)


@pytest.mark.slow
def test_on_beam_a_bundle_that_is_another_now_is_refused(artifacts, tmp_path):
    from components.evaluate_models.on_beam import predict_on_beam

    model = replace(open_candidate("pytorch", artifacts["pytorch_model"]), sha256="0" * 64)
    result = str(tmp_path / "result.arrow")
    with pytest.raises(RuntimeError, match="a worker found another bundle of pytorch"):
        predict_on_beam([model], artifacts["examples"], COLUMNS, Beam(), result)


@pytest.mark.slow
def test_the_stage_measures_on_beam_what_it_measures_in_memory(artifacts, rows, tmp_path):
    examples = _in_row_groups(tmp_path / "examples", rows)
    champion = Bundle.open(artifacts["tensorflow_model"])
    settings = {
        "evaluate": {"slices": [["origin"]], "sensitive": ["hour"], "latency_runs": 10},
        "champion": {
            "version": "7",
            "bundle_sha256": champion.sha256,
            "path": str(champion.folder),
        },
    }
    found = []
    for beam in ({}, {"work": "all", "options": {"temp_location": str(tmp_path)}}):
        evaluation = tmp_path / f"evaluation-{len(found)}"
        evaluation.mkdir()
        given = {**artifacts, "examples": examples}
        parsed = EvaluateSettings.model_validate({**settings, "beam": beam})
        evaluate_models(settings=parsed, **given, evaluation=evaluation)
        found.append(read_json(evaluation / "evaluation.json"))
    _same(found[1], found[0])
    assert set(found[1]["models"]) == {"pytorch", "tensorflow", "champion"}
    assert found[1]["models"]["champion"]["robustness"]["rows"] == rows.num_rows
    assert not [*tmp_path.glob("predictions-*")]
