"""Features: what is written is mapped back as it was, and batches are the same for everyone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.canonical import sha256_file
from components.core.errors import DataError
from components.core.features import (
    FeatureArrays,
    FeatureSpec,
    IdFeature,
    batch_indices,
    load_split,
    write_split,
)


def made(rows: int, dense: int, ids: int, seed: int = 1) -> FeatureArrays:
    random = np.random.default_rng(seed)
    return FeatureArrays(
        dense=random.standard_normal((rows, dense)).astype(np.float32),
        ids=random.integers(0, 9, (rows, ids)).astype(np.int32),
        label=random.integers(0, 2, rows).astype(np.float32),
    )


def write(folder: Path, arrays: FeatureArrays) -> FeatureSpec:
    spec = FeatureSpec(
        dense=tuple(f"d{i}" for i in range(arrays.dense.shape[1])),
        ids=tuple(IdFeature(name=f"k{i}", size=8) for i in range(arrays.ids.shape[1])),
        label="late",
        rows={"train": arrays.rows, "eval": 0},
    )
    spec.write(folder)
    write_split(folder, "train", arrays)
    return spec


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(0, 4), st.integers(0, 4))
def test_a_split_is_read_as_it_was_written(rows: int, dense: int, ids: int) -> None:
    arrays = made(rows, dense, ids)
    with tempfile.TemporaryDirectory() as folder:
        spec = write(Path(folder), arrays)
        loaded = load_split(Path(folder), "train")

        assert FeatureSpec.read(Path(folder)) == spec
        np.testing.assert_array_equal(loaded.dense, arrays.dense)
        np.testing.assert_array_equal(loaded.ids, arrays.ids)
        np.testing.assert_array_equal(loaded.label, arrays.label)
        assert (loaded.dense.dtype, loaded.ids.dtype) == (np.float32, np.int32)


def test_loaded_arrays_are_views_that_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path, made(5, 2, 1))

    loaded = load_split(tmp_path, "train")

    for array in (loaded.dense, loaded.ids, loaded.label):
        assert not array.flags.writeable and not array.flags.owndata


def test_equal_arrays_give_equal_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, made(100, 3, 2))
        digests.append(sha256_file(folder / "train.arrow"))

    assert digests[0] == digests[1]


def test_an_embedding_needs_one_row_more_than_its_vocabulary() -> None:
    assert IdFeature(name="carrier", size=16).buckets == 17


def test_a_spec_that_names_other_rows_than_the_file_is_refused(tmp_path: Path) -> None:
    spec = write(tmp_path, made(5, 2, 1))
    spec.model_copy(update={"rows": {"train": 6, "eval": 0}}).write(tmp_path)

    with pytest.raises(DataError, match="has 5 rows, not the 6"):
        load_split(tmp_path, "train")


def test_a_spec_that_names_other_columns_than_the_file_is_refused(tmp_path: Path) -> None:
    spec = write(tmp_path, made(5, 2, 1))
    spec.model_copy(update={"dense": ("d0", "d1", "d2")}).write(tmp_path)

    with pytest.raises(DataError, match=r"train\.arrow"):
        load_split(tmp_path, "train")


@pytest.mark.parametrize("damage", [b"", b"ARROW1 and nothing more"])
def test_a_damaged_features_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path, made(5, 2, 1))
    (tmp_path / "train.arrow").write_bytes(damage)

    with pytest.raises(DataError, match="cannot be read"):
        load_split(tmp_path, "train")


def test_a_missing_split_is_refused(tmp_path: Path) -> None:
    write(tmp_path, made(5, 2, 1))

    with pytest.raises(DataError, match=r"eval\.arrow"):
        load_split(tmp_path, "eval")


def test_a_spec_of_another_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path, made(5, 2, 1))
    path = tmp_path / "features.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))

    with pytest.raises(DataError, match=r"features\.json"):
        FeatureSpec.read(tmp_path)


@settings(deadline=None)
@given(
    st.integers(0, 200),
    st.integers(1, 64),
    st.integers(0, 2**31 - 1),
    st.integers(0, 5),
    st.none() | st.integers(1, 300),
)
def test_an_epoch_holds_every_row_once(
    rows: int, size: int, seed: int, epoch: int, window: int | None
) -> None:
    parts = list(batch_indices(rows, size, seed, epoch, window))

    assert sorted(row for part in parts for row in part) == list(range(rows))
    assert all(len(part) == size for part in parts[:-1])


def test_the_order_depends_on_the_seed_and_the_epoch_only() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [int(row) for part in batch_indices(50, 7, seed, epoch) for row in part]

    assert order(13, 0) == order(13, 0)
    assert len({tuple(order(seed, epoch)) for seed in (13, 14) for epoch in (0, 1)}) == 4


def test_a_window_s_batches_lie_in_few_blocks_of_the_file_and_are_mixed() -> None:
    rows, window, size = 100_000, 6400, 640
    batches = [*batch_indices(rows, size, 13, 0, window)][:10]  # of the first window
    blocks = {int(row) // 100 for batch in batches for row in batch}
    assert len(blocks) == 64
    assert all(len({int(row) // 100 for row in batch}) > 50 for batch in batches)
