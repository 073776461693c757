"""What holds of every table: a row has its features in its place, whatever lies beside it.

One transform of every declared kind and one of a preprocessing_fn are fitted; the tables that they
are applied to are generated, and cut into shards and row groups in every way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from kinds_run import COLUMNS, EVERY_KIND, SOURCE, Kinds, made_rows
from transform_run import Run
from tried_examples import tries

from components.core.artifacts import read_json, tree_digest, write_json
from components.core.canonical import sha256_bytes
from components.core.errors import IntegrityError
from components.core.examples import ARROW_TYPES, ExamplesManifest, Shard, SourceRows
from components.core.features import FeatureSpec, load_split
from components.core.raw_inputs import raw_inputs
from components.core.sources import SOURCES_VARIABLE
from components.transform_features import rows as raw_rows
from components.transform_features.application import SavedTransform, Transformed
from components.transform_features.fitted_columns import VocabularyColumn
from components.transform_features.materialize import Agreement, Materializer
from components.transform_features.onnx_form import FILE_NAME, build
from components.transform_features.parity import require_same
from components.transform_features.recipe import Fitted
from components.transform_features.step import TransformSettings, transform_features

pytestmark = pytest.mark.slow
MODULE = "a_transform_of_any_row"
USERS = """
import tensorflow as tf
import tensorflow_transform as tft

def features(inputs):
    far = tf.where(tf.math.is_nan(inputs["distance"]), 0.0, inputs["distance"])
    return {
        "z": tft.scale_to_z_score(far),
        "range": tft.scale_to_0_1(inputs["hour"]),
        "as it is": inputs["weather_temp"],
        "port": tft.compute_and_apply_vocabulary(inputs["origin"], num_oov_buckets=1),
        "part": tft.bucketize(inputs["hour"], 4),
    }
"""
FUNCTION_COLUMNS: dict[str, Any] = {
    "distance": "float64",
    "hour": "int64",
    "late": "int64",
    "origin": "string",
    "weather_temp": "float64",
}


@dataclass(frozen=True)
class Made:
    """A fitted transform, and the columns of the examples that it takes."""

    columns: dict[str, Any]
    transform_graph: Path
    fitted: Fitted
    saved: SavedTransform

    def alone(self, table: pa.Table, number: int) -> Transformed:
        """Return the features of one row."""
        inputs = {column.name: column.dtype for column in self.fitted.inputs}
        return self.saved.apply(raw_inputs(table.slice(number, 1), inputs))


@pytest.fixture(scope="module")
def of_every_kind(kinds: Kinds) -> Made:
    graph = kinds.transform_graph
    return Made(COLUMNS, graph, kinds.fitted, SavedTransform(graph))


@pytest.fixture(scope="module")
def of_a_function(
    tmp_path_factory: pytest.TempPathFactory, transform: Callable[..., Run], examples: Path
) -> Iterator[Made]:
    from components.transform_features.function_fitted import FittedFunction

    folder = tmp_path_factory.mktemp("users")
    (folder / f"{MODULE}.py").write_text(USERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SOURCES_VARIABLE, str(folder))
        run = transform(folder / "run", examples, preprocessing_fn=f"{MODULE}:features")
    fitted = (run.transform_graph / "preprocessing.json").read_text()
    yield Made(
        FUNCTION_COLUMNS,
        run.transform_graph,
        FittedFunction.model_validate_json(fitted),
        SavedTransform(run.transform_graph),
    )


@pytest.fixture(scope="module", params=["of_every_kind", "of_a_function"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


numbers = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -1.5, 7.0, 1e300]))
counts = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 30))
texts = st.one_of(st.none(), st.sampled_from(["", "JFK", "x", "b", "a\nb", "\0"]), st.text())
VALUES = {"float64": numbers, "int64": counts, "string": texts}
sizes = st.lists(
    st.tuples(st.sampled_from(["train", "eval"]), st.integers(0, 7), st.integers(1, 3)), max_size=5
)


def tables(columns: dict[str, Any], rows: int) -> st.SearchStrategy[pa.Table]:
    """Give tables of any values; the label is the row's number, by which a row is known."""
    drawn = {
        name: st.lists(VALUES[kind], min_size=rows, max_size=rows)
        for name, kind in columns.items()
        if name != "late"
    }
    return st.fixed_dictionaries(drawn).map(
        lambda found: pa.table(
            {n: pa.array(v, ARROW_TYPES[columns[n]]) for n, v in found.items()}
            | {"late": pa.array(range(rows), pa.int64())}
        )
    )


def write_examples(
    folder: Path, table: pa.Table, columns: dict[str, Any], cuts: list[tuple[str, int, int]]
) -> ExamplesManifest:
    """Write a table in shards of (split, rows, rows of a row group), one after the other."""
    shards, first = [], 0
    for number, (split, rows, of_group) in enumerate(cuts):
        path = folder / f"Split-{split}" / f"2026-{number + 1:02}.parquet"
        path.parent.mkdir(exist_ok=True, parents=True)
        part = table.select(sorted(columns)).slice(first, rows)
        pq.write_table(part, path, row_group_size=of_group)
        first += rows
        values = {"path": path.relative_to(folder).as_posix(), "split": split, "span": path.stem}
        sizes = {"rows": rows, "bytes": path.stat().st_size, "sha256": "0" * 64}
        shards.append(Shard.model_validate(values | sizes))
    manifest = ExamplesManifest(
        columns=dict(sorted(columns.items())),
        label="late",
        splits={},
        shards=tuple(shards),
        source=SourceRows(files=(), rows=first),
        dropped=(),
        rows=first,
        card_sha256="0" * 64,
    )
    manifest.write(folder)
    return manifest


def write_features(made: Made, examples: Path, features: Path) -> Agreement:
    """Write the features as the stage does, and the spec that names their rows."""
    manifest = ExamplesManifest.read(examples)
    features.mkdir()
    agreement = Materializer(examples, manifest, made.fitted, made.transform_graph).write(
        features, made.saved
    )
    FeatureSpec(
        dense=tuple(column.name for column in made.fitted.dense),
        ids=made.fitted.id_features,
        label="late",
        rows={split: manifest.rows_of(split) for split in ("train", "eval")},
    ).write(features)
    return agreement


@tries(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), cuts=sizes, at_once=st.integers(1, 20))
def test_every_row_of_any_table_has_its_own_features_in_its_place(
    made: Made, data: st.DataObject, cuts: list[tuple[str, int, int]], at_once: int
) -> None:
    table = data.draw(tables(made.columns, sum(rows for _, rows, _ in cuts)))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_rows.iter_rows, "__defaults__", (at_once, None))  # tables are small
        examples, features = Path(folder, "examples"), Path(folder, "features")
        examples.mkdir()
        manifest = write_examples(examples, table, made.columns, cuts)
        agreement = write_features(made, examples, features)
        found = {split: load_split(features, split) for split in ("train", "eval")}

    labels = {split: arrays.label.astype(int).tolist() for split, arrays in found.items()}
    assert sorted(labels["train"] + labels["eval"]) == list(range(table.num_rows))
    assert all(numbers == sorted(numbers) for numbers in labels.values())
    assert agreement.rows == manifest.rows_of("eval") == len(labels["eval"])
    for split, arrays in found.items():
        for place, number in enumerate(labels[split]):
            alone = made.alone(table, number)
            row = Transformed(arrays.dense[place : place + 1], arrays.ids[place : place + 1])
            require_same(alone, row, made.fitted)


def with_other_places(kinds: Kinds, folder: Path, words: tuple[str, ...]) -> Path:
    """Write an ONNX form whose feature `place` looks texts up in other words."""
    ids = tuple(
        column.model_copy(update={"vocabulary": words}) if column.name == "place" else column
        for column in kinds.fitted.ids
    )
    folder.mkdir()
    other = build(kinds.fitted.model_copy(update={"ids": ids}))
    (folder / FILE_NAME).write_bytes(other.SerializeToString())
    return folder


def rows_at(kinds: Kinds, *places: str) -> pa.Table:
    """Return a row for each place, alike in everything else."""
    column = kinds.rows.column_names.index("place")
    row = kinds.rows.slice(100, 1).take([0] * len(places))
    return row.set_column(column, "place", pa.array(places))


def words_of(kinds: Kinds) -> tuple[str, ...]:
    (place,) = (column for column in kinds.fitted.ids if column.name == "place")
    assert isinstance(place, VocabularyColumn)
    return place.vocabulary


def test_one_row_on_which_the_forms_differ_is_found_wherever_it_lies(
    kinds: Kinds, of_every_kind: Made, tmp_path: Path
) -> None:
    first, *_, last = words = words_of(kinds)
    rows = 70_000  # more than a batch
    table = rows_at(kinds, *[first] * (rows - 1), last)
    write_examples(tmp_path, table, COLUMNS, [("eval", rows, 30_000)])
    graph = with_other_places(kinds, tmp_path / "graph", (*words[:-1], "another"))

    materializer = Materializer(tmp_path, ExamplesManifest.read(tmp_path), kinds.fitted, graph)
    with pytest.raises(IntegrityError, match="another id than TFT: place in 1 rows"):
        materializer.write(tmp_path, of_every_kind.saved)


def test_what_no_row_of_the_data_shows_is_found_on_edge_rows(
    kinds: Kinds, of_every_kind: Made, tmp_path: Path
) -> None:
    words = words_of(kinds)
    write_examples(tmp_path, rows_at(kinds, *words), COLUMNS, [("eval", len(words), 2)])
    graph = with_other_places(kinds, tmp_path / "graph", (*words, "never seen before"))

    materializer = Materializer(tmp_path, ExamplesManifest.read(tmp_path), kinds.fitted, graph)
    assert materializer.write(tmp_path, of_every_kind.saved).rows == len(words)
    with pytest.raises(IntegrityError, match="another id than TFT: place in"):
        materializer.prove_edges(of_every_kind.saved)


def run_step(examples: Path, folder: Path, beam: dict[str, Any]) -> Path:
    """Run the stage on the examples with every declared kind; return its folder."""
    values = {
        "transform": {"features": EVERY_KIND},
        "source": SOURCE.model_dump(mode="json"),
        "schema": "any",
        "beam": beam,
    }
    graph, features, validation = (folder / name for name in ("graph", "features", "validation"))
    for made in (graph, features, validation):
        made.mkdir(parents=True)
    verdict = {"examples_sha256": tree_digest(examples), "schema_sha256": sha256_bytes(b"any")}
    write_json(validation / "validation.json", verdict | {"passed": True})
    transform_features(
        settings=TransformSettings.model_validate(values),
        examples=examples,
        validation=validation,
        transform_graph=graph,
        features=features,
    )
    return folder


def test_every_kind_has_the_same_features_where_beam_does_all_the_work(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    cuts = [("train", 1500, 700), ("train", 1500, 400), ("eval", 1000, 300)]
    write_examples(examples, made_rows(), COLUMNS, cuts)

    here = run_step(examples, tmp_path / "here", {})
    on_beam = run_step(examples, tmp_path / "on_beam", {"work": "all"})

    for split, rows in (("train", 3000), ("eval", 1000)):
        expected, actual = (load_split(run / "features", split) for run in (here, on_beam))
        assert expected.rows == actual.rows == rows
        np.testing.assert_allclose(actual.dense, expected.dense, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(actual.ids, expected.ids)
        np.testing.assert_array_equal(actual.label, expected.label)
    fitted = [read_json(run / "graph" / "preprocessing.json") for run in (here, on_beam)]
    assert [c.get("vocabulary") for c in fitted[0]["ids"]] == [
        c.get("vocabulary") for c in fitted[1]["ids"]
    ]
