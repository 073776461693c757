"""The step on real flights: what TFT fitted, what was written, and the ONNX form's agreement."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transform_run import FEATURES, Run

from components.core.artifacts import tree_digest
from components.core.canonical import sha256_file
from components.core.data_settings import Source, Transform
from components.core.errors import DataError, IntegrityError
from components.core.examples import ExamplesManifest, read_split
from components.core.features import FeatureSpec, load_split
from components.core.raw_inputs import raw_inputs
from components.transform_features.application import SavedTransform, Transformed
from components.transform_features.declared import DeclaredFeatures, declare
from components.transform_features.fitted import FittedTransform
from components.transform_features.parity import OnnxTransform, edge_rows, require_same

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def declared(source: dict[str, Any], examples: Path) -> DeclaredFeatures:
    return declare(
        Transform.model_validate({"features": FEATURES}),
        Source.model_validate(source),
        ExamplesManifest.read(examples),
    )


@pytest.fixture(scope="module")
def fitted(flights: Run) -> FittedTransform:
    path = flights.transform_graph / "preprocessing.json"
    return FittedTransform.model_validate_json(path.read_text())


@pytest.fixture(scope="module")
def saved(flights: Run) -> SavedTransform:
    return SavedTransform(flights.transform_graph)


def column(flights: Run, name: str, split: str = "train") -> np.ndarray[Any, Any]:
    spec = FeatureSpec.read(flights.features)
    return load_split(flights.features, split).dense[:, spec.dense.index(name)]


def test_every_row_is_transformed_in_its_place(flights: Run) -> None:
    spec = FeatureSpec.read(flights.features)

    assert spec.rows == {"train": 26_398, "eval": 23_611}
    for split in ("train", "eval"):
        expected = read_split(flights.examples, split, ["late"])["late"].to_numpy()
        np.testing.assert_array_equal(load_split(flights.features, split).label, expected)


def test_a_z_score_has_mean_zero_and_deviation_one_where_there_is_a_value(flights: Run) -> None:
    pressure = read_split(flights.examples, "train", ["weather_pressure"])["weather_pressure"]
    known = np.asarray(pressure.is_valid())
    scores = column(flights, "weather_pressure")

    assert 0 < known.sum() < len(known)
    assert abs(scores[known].mean()) < 1e-5 and abs(scores[known].std() - 1) < 1e-5
    assert (scores[~known] == 0).all()


def test_fitted_values_are_those_of_the_training_split(
    flights: Run, fitted: FittedTransform
) -> None:
    rows = read_split(flights.examples, "train", ["distance", "weather_pressure"])
    by_name = {c.name: c for c in fitted.dense}
    values = {
        "weather_pressure": rows["weather_pressure"].drop_null().to_numpy(),
        "distance": np.log1p(rows["distance"].to_numpy()),
    }

    for name, known in values.items():
        known = known.astype(np.float32).astype(np.float64) if name != "distance" else known
        assert by_name[name].mean == pytest.approx(known.mean(), rel=1e-9)
        assert by_name[name].standard_deviation == pytest.approx(known.std(), rel=1e-6)


def test_a_constant_column_stays_unscaled(flights: Run, fitted: FittedTransform) -> None:
    (year,) = (c for c in fitted.dense if c.name == "year")

    assert year.standard_deviation == 0.0 and year.divisor == 1.0
    assert (column(flights, "year") == 0).all()


def test_an_hour_lies_on_a_circle(flights: Run) -> None:
    hours = read_split(flights.examples, "eval", ["hour"])["hour"].to_numpy()

    angle = 2 * np.pi * hours / 24
    np.testing.assert_allclose(column(flights, "hour_sin", "eval"), np.sin(angle), atol=1e-6)
    np.testing.assert_allclose(column(flights, "hour_cos", "eval"), np.cos(angle), atol=1e-6)


def test_a_missing_direction_lies_in_the_middle_of_the_circle(flights: Run) -> None:
    known = np.asarray(
        read_split(flights.examples, "train", ["weather_wind_dir"])["weather_wind_dir"].is_valid()
    )

    assert not known.all()
    assert (column(flights, "weather_wind_dir_cos")[~known] == 0).all()


@pytest.mark.parametrize("name", ["origin", "plane_model", "flight"])
def test_ids_go_by_frequency_and_everything_else_has_the_last_one(
    flights: Run, fitted: FittedTransform, name: str
) -> None:
    (feature,) = (c for c in fitted.ids if c.name == name)
    texts = raw_inputs(read_split(flights.examples, "train", [name]), {name: "string"})[name]
    counts = Counter(text for text in texts if text)
    # By descending frequency; equal ones by descending text.
    order = sorted(counts, key=lambda text: (counts[text], text.encode()), reverse=True)

    assert list(feature.vocabulary) == order[: feature.size]
    assert feature.size == min(len(order), FEATURES[name].get("top_k", 1000))
    place = [c.name for c in fitted.ids].index(name)
    ids = load_split(flights.features, "train").ids[:, place]
    number = {text: i for i, text in enumerate(feature.vocabulary)}
    np.testing.assert_array_equal(ids, [number.get(text, feature.size) for text in texts])


def test_the_onnx_form_gives_the_features_of_every_evaluation_row(
    flights: Run, declared: DeclaredFeatures, fitted: FittedTransform
) -> None:
    raw = raw_inputs(read_split(flights.examples, "eval"), declared.inputs)

    carried = OnnxTransform(flights.transform_graph / "preprocessing.onnx").apply(raw)

    arrays = load_split(flights.features, "eval")
    np.testing.assert_array_equal(carried.ids, arrays.ids)
    np.testing.assert_allclose(carried.dense, arrays.dense, atol=1e-5, rtol=1e-5)
    assert flights.outcome.facts["onnx_max_abs_difference"] < 1e-6
    assert flights.outcome.facts["onnx_compared_rows"] == len(arrays.label)
    edges = len(next(iter(edge_rows(fitted).values())))
    assert flights.outcome.facts["onnx_compared_edge_rows"] == edges > 0


def test_edge_rows_hold_what_data_may_never_hold(
    flights: Run, saved: SavedTransform, fitted: FittedTransform
) -> None:
    edges = edge_rows(fitted)
    made = saved.apply(edges)
    carried = OnnxTransform(flights.transform_graph / "preprocessing.onnx").apply(edges)

    for values in edges.values():
        if values.dtype == object:
            assert "" in values and "never seen before" in values
        else:
            assert np.isnan(values).any() and np.isinf(values).any()
    assert not np.isnan(made.dense).any() and not np.isnan(carried.dense).any()
    require_same(made, carried, fitted)


number = st.floats(width=32)
text = st.one_of(st.sampled_from(["JFK", "EWR", "", "1545"]), st.text(max_size=5))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(number, number, text, text), min_size=1, max_size=8))
def test_both_forms_agree_on_any_row_and_a_row_does_not_depend_on_its_batch(
    flights: Run,
    saved: SavedTransform,
    declared: DeclaredFeatures,
    fitted: FittedTransform,
    rows: list[tuple[float, float, str, str]],
) -> None:
    raw = {}
    for place, (name, kind) in enumerate(declared.inputs.items()):
        values = [row[(2 if kind == "string" else 0) + place % 2] for row in rows]
        raw[name] = np.array(values, dtype=object if kind == "string" else np.float32)
    first = {name: values[:1] for name, values in raw.items()}

    together = saved.apply(raw)
    require_same(
        together, OnnxTransform(flights.transform_graph / "preprocessing.onnx").apply(raw), fitted
    )

    alone = saved.apply(first)
    require_same(Transformed(together.dense[:1], together.ids[:1]), alone, fitted)


@pytest.mark.parametrize("what", ["dense", "ids"])
def test_a_difference_between_the_forms_is_an_integrity_error(
    saved: SavedTransform, fitted: FittedTransform, what: str
) -> None:
    made = saved.apply(edge_rows(fitted))
    dense, ids = made.dense.copy(), made.ids.copy()
    (dense if what == "dense" else ids)[3, 1] += 1

    with pytest.raises(IntegrityError, match="in 1 rows"):
        require_same(made, Transformed(dense, ids), fitted)


def test_equal_examples_give_equal_features_whatever_the_order_of_the_settings(
    flights: Run, transform: Callable[..., Run], tmp_path: Path
) -> None:
    again = transform(
        tmp_path / "again", flights.examples, features=dict(reversed(FEATURES.items()))
    )

    for name in ("preprocessing.json", "preprocessing.onnx"):
        assert sha256_file(again.transform_graph / name) == sha256_file(
            flights.transform_graph / name
        )
    assert tree_digest(again.features) == tree_digest(flights.features)


def test_numbers_alone_and_texts_alone_can_be_transformed(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    numbers = transform(tmp_path / "n", examples, features={"hour": {"kind": "zscore"}})
    texts = transform(tmp_path / "t", examples, features={"origin": {"kind": "vocabulary"}})

    assert load_split(numbers.features, "eval").ids.shape == (23_611, 0)
    assert load_split(texts.features, "eval").dense.shape == (23_611, 0)


def test_a_feature_without_a_single_value_is_refused(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    emptied = tmp_path / "emptied"
    shutil.copytree(examples, emptied)
    (shard,) = ExamplesManifest.read(emptied).shards_of("train")
    rows = pq.read_table(emptied / shard.path, partitioning=None)
    place = rows.column_names.index("plane_model")
    nothing = pa.nulls(rows.num_rows, pa.string())
    pq.write_table(rows.set_column(place, "plane_model", nothing), emptied / shard.path)

    with pytest.raises(DataError, match="feature plane_model has no value"):
        transform(tmp_path / "run", emptied)


def test_the_facts_name_no_value_of_a_row(flights: Run, fitted: FittedTransform) -> None:
    facts = json.dumps(dict(flights.outcome.facts))

    for feature in fitted.ids:
        assert not any(f'"{word}"' in facts for word in feature.vocabulary)
