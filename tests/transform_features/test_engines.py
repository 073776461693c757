"""The same features whatever the engine, and every row once and in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_service import local_job_service
from transform_run import FEATURES, Run
from tried_examples import tries

from components.core.errors import IntegrityError
from components.core.examples import ExamplesManifest
from components.core.features import load_split
from components.transform_features.parts import Parts
from components.transform_features.rows import RawRows

NO_ROWS = RawRows({}, np.empty(0, np.float32))


def require_same_features(first: Run, second: Run) -> None:
    for split in ("train", "eval"):
        expected, actual = load_split(first.features, split), load_split(second.features, split)
        np.testing.assert_allclose(actual.dense, expected.dense, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(actual.ids, expected.ids)
        np.testing.assert_array_equal(actual.label, expected.label)
    texts = [(run.transform_graph / "preprocessing.json").read_text() for run in (first, second)]
    assert json.loads(texts[0])["ids"] == json.loads(texts[1])["ids"]


@pytest.mark.slow
def test_application_on_beam_gives_the_features_of_application_here(
    flights: Run, transform: Callable[..., Run], tmp_path: Path
) -> None:
    on_beam = transform(tmp_path / "run", flights.examples, beam={"work": "all"})

    require_same_features(flights, on_beam)
    assert on_beam.outcome.facts["onnx_compared_rows"] == 23_611
    assert {path.name for path in on_beam.features.iterdir()} == {
        "train.arrow", "eval.arrow", "features.json"
    }  # fmt: skip
    assert not list(on_beam.transform_graph.glob(".*"))


@pytest.mark.slow
def test_a_portable_runner_with_worker_processes_gives_the_same_features(
    flights: Run, transform: Callable[..., Run], tmp_path: Path
) -> None:
    with local_job_service(tmp_path) as options:
        beam = {"runner": "PortableRunner", "work": "all", "options": options}
        ported = transform(tmp_path / "run", flights.examples, beam=beam)

    require_same_features(flights, ported)
    log = (tmp_path / "service.log").read_text()
    assert "Completed job" in log and "Python sdk harness" in log


@pytest.mark.slow
def test_numbers_alone_and_texts_alone_go_through_beam(
    transform: Callable[..., Run], examples: Path, tmp_path: Path
) -> None:
    for name, width in (("distance", (1, 0)), ("origin", (0, 1))):
        made = transform(
            tmp_path / name, examples, features={name: FEATURES[name]}, beam={"work": "all"}
        )
        arrays = load_split(made.features, "eval")
        assert arrays.dense.shape == (23_611, width[0]) and arrays.ids.shape == (23_611, width[1])


def manifest(rows: int) -> Any:
    """An examples manifest that says only how many rows there are."""

    class Counted(ExamplesManifest):
        def rows_of(self, split: str) -> int:
            return rows if split == "train" else 0

    return Counted.model_construct()


def write_parts(folder: Path, parts: dict[int, int]) -> Path:
    """Write parts by first row and length, whose features are the number of the row."""
    (folder / "eval").mkdir()
    (folder / "train").mkdir()
    for first, length in parts.items():
        numbers = np.arange(first, first + length)
        columns = {
            "dense": pa.array([[n, n / 2] for n in numbers.tolist()], pa.list_(pa.float32())),
            "ids": pa.array([[n] for n in numbers.tolist()], pa.list_(pa.int64())),
        }
        batch = pa.record_batch(columns)
        with pa.ipc.new_file(str(folder / "train" / f"{first:015d}.arrow"), batch.schema) as out:
            out.write_batch(batch)
    return folder


@tries(25)
@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=8), data=st.data())
def test_parts_are_put_in_order(lengths: list[int], data: st.DataObject) -> None:
    firsts = np.cumsum([0, *lengths[:-1]]).tolist()
    parts = dict(data.draw(st.permutations(list(zip(firsts, lengths, strict=True)))))
    with TemporaryDirectory() as folder:
        found = Parts(write_parts(Path(folder), parts), manifest(sum(lengths)))
        made = found.make("train", NO_ROWS)

    np.testing.assert_array_equal(made.ids[:, 0], np.arange(sum(lengths)))
    np.testing.assert_array_equal(made.dense[:, 1], np.arange(sum(lengths)) / 2)


@pytest.mark.parametrize(
    "parts",
    [
        {0: 5},  # the end is missing
        {5: 5},  # the beginning is missing
        {0: 4, 5: 5},  # a gap
        {0: 6, 5: 5},  # an overlap
        {0: 5, 5: 6},  # a row too many
    ],
)
def test_a_row_that_the_engine_lost_or_repeated_is_an_integrity_error(
    tmp_path: Path, parts: dict[int, int]
) -> None:
    with pytest.raises(IntegrityError, match="every row of split train once"):
        Parts(write_parts(tmp_path, parts), manifest(10))
