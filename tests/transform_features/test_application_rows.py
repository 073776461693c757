"""Raw rows come in batches of one size, in the order of the examples, whatever their shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tried_examples import tries

from components.core.errors import DataError
from components.core.examples import ExamplesManifest, InputType, read_split
from components.core.raw_inputs import raw_inputs
from components.transform_features.rows import iter_rows, require_values

INPUTS: dict[str, InputType] = {"hour": "float32", "origin": "string", "weather_temp": "float32"}


@pytest.fixture(scope="module")
def both_in_train(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows, both shards in the training split, so that batches cross from one to one."""
    manifest = ExamplesManifest.read(examples)
    folder = tmp_path_factory.mktemp("both")
    shards = []
    for shard in manifest.shards:
        path = f"Split-train/{shard.span}.parquet"
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes((examples / shard.path).read_bytes())
        shards.append(shard.model_copy(update={"path": path, "split": "train"}))
    manifest.model_copy(update={"shards": tuple(shards)}).write(folder)
    return folder


@tries(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at_once=st.integers(700, 60_000))
def test_batches_are_of_one_size_and_lose_no_row(both_in_train: Path, at_once: int) -> None:
    manifest = ExamplesManifest.read(both_in_train)
    whole = read_split(both_in_train, "train")

    found = list(iter_rows(both_in_train, manifest, "train", INPUTS, at_once))

    sizes = [len(rows.label) for rows in found]
    assert set(sizes[:-1]) <= {at_once} and 0 < sizes[-1] <= at_once
    labels = np.concatenate([rows.label for rows in found])
    np.testing.assert_array_equal(labels, whole[manifest.label].to_numpy())
    for name, values in raw_inputs(whole, INPUTS).items():
        joined = np.concatenate([rows.raw[name] for rows in found])
        np.testing.assert_array_equal(joined, values)


def test_a_split_without_rows_has_no_batch(both_in_train: Path) -> None:
    manifest = ExamplesManifest.read(both_in_train)

    assert list(iter_rows(both_in_train, manifest, "eval", INPUTS)) == []


def test_columns_with_a_value_somewhere_are_enough(both_in_train: Path, examples: Path) -> None:
    require_values(both_in_train, ExamplesManifest.read(both_in_train), INPUTS)

    empty = ExamplesManifest.read(both_in_train).model_copy(update={"shards": ()})
    with pytest.raises(DataError, match="feature hour has no value"):
        require_values(examples, empty, INPUTS)
