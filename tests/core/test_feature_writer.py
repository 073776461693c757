"""A split written batch by batch is the file that is written at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tried_examples import tries

from components.core.errors import IntegrityError
from components.core.feature_writer import SplitWriter
from components.core.features import FeatureArrays, FeatureSpec, IdFeature, load_split, write_split


def arrays(rows: int, dense: int, ids: int) -> FeatureArrays:
    random = np.random.default_rng(rows)
    return FeatureArrays(
        dense=random.normal(size=(rows, dense)).astype(np.float32),
        ids=random.integers(0, 1000, (rows, ids)).astype(np.int32),
        label=random.integers(0, 2, rows).astype(np.float32),
    )


def write(folder: Path, whole: FeatureArrays, counts: Sequence[int], rows: int) -> None:
    widths = {"dense": whole.dense.shape[1], "ids": whole.ids.shape[1]}
    with SplitWriter(folder, "train", rows=rows, **widths) as writer:
        start = 0
        for count in counts:
            part = slice(start, start + count)
            writer.write(FeatureArrays(whole.dense[part], whole.ids[part], whole.label[part]))
            start += count


@tries(50)
@given(
    counts=st.lists(st.integers(0, 40), max_size=6),
    dense=st.integers(0, 5),
    ids=st.integers(0, 3),
)
def test_batches_of_any_size_give_the_bytes_of_the_whole(
    counts: list[int], dense: int, ids: int
) -> None:
    whole = arrays(sum(counts), dense, ids)
    with TemporaryDirectory() as name:
        at_once, by_batch = Path(name, "at_once"), Path(name, "by_batch")
        at_once.mkdir()
        by_batch.mkdir()
        write_split(at_once, "train", whole)
        write(by_batch, whole, counts, whole.rows)

        written = (by_batch / "train.arrow").read_bytes()
        assert written == (at_once / "train.arrow").read_bytes()


def test_what_was_written_in_batches_is_mapped_as_one_array(tmp_path: Path) -> None:
    whole = arrays(1000, 3, 2)
    write(tmp_path, whole, [1, 600, 399], 1000)
    spec = FeatureSpec(
        dense=("a", "b", "c"),
        ids=(IdFeature(name="d", size=999), IdFeature(name="e", size=999)),
        label="late",
        rows={"train": 1000},
    )
    spec.write(tmp_path)

    loaded = load_split(tmp_path, "train")

    np.testing.assert_array_equal(loaded.dense, whole.dense)
    np.testing.assert_array_equal(loaded.ids, whole.ids)
    np.testing.assert_array_equal(loaded.label, whole.label)
    assert not loaded.dense.flags.owndata and not loaded.dense.flags.writeable


@pytest.mark.parametrize("counts", [[10, 20], [10, 31], [41]])
def test_a_row_too_few_or_too_many_is_an_integrity_error(tmp_path: Path, counts: list[int]) -> None:
    with pytest.raises(IntegrityError, match=rf"made {sum(counts)} rows of 40 in split train"):
        write(tmp_path, arrays(50, 2, 1), counts, 40)


def test_columns_of_unequal_length_are_an_integrity_error(tmp_path: Path) -> None:
    whole = arrays(10, 2, 1)
    with (
        pytest.raises(IntegrityError),
        SplitWriter(tmp_path, "train", rows=10, dense=2, ids=1) as writer,
    ):
        writer.write(FeatureArrays(whole.dense, whole.ids[:9], whole.label))
