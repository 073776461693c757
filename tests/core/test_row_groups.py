"""Row groups name every row of a split once and in order, and look at every shard first."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.errors import DataError
from components.core.examples import ExamplesManifest, Shard, SourceRows
from components.core.row_groups import row_groups, take_rows

Sizes = list[tuple[str, int, int]]


def written(folder: Path, sizes: Sizes) -> ExamplesManifest:
    """Write shards of (split, rows, rows of a group); rows are numbered through."""
    shards, first = [], 0
    for number, (split, rows, of_group) in enumerate(sizes):
        path = folder / f"Split-{split}" / f"2026-{number + 1:02}.parquet"
        path.parent.mkdir(exist_ok=True)
        numbers = pa.array(range(first, first + rows), pa.int64())
        pq.write_table(pa.table({"label": numbers, "row": numbers}), path, row_group_size=of_group)
        first += rows
        shards.append(
            Shard.model_validate(
                {
                    "path": path.relative_to(folder).as_posix(),
                    "split": split,
                    "rows": rows,
                    "span": path.stem,
                    "bytes": path.stat().st_size,
                    "sha256": "0" * 64,
                }
            )
        )
    return ExamplesManifest(
        columns={"label": "int64", "row": "int64"},
        label="label",
        splits={},
        shards=tuple(shards),
        source=SourceRows(files=(), rows=first),
        dropped=(),
        rows=first,
        card_sha256="0" * 64,
    )


sizes = st.lists(
    st.tuples(st.sampled_from(["train", "eval"]), st.integers(0, 30), st.integers(1, 12)),
    max_size=6,
)


@given(sizes=sizes)
def test_every_row_of_a_split_is_in_one_row_group_at_its_position(sizes: Sizes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manifest = written(Path(folder), sizes)
        everything = row_groups(Path(folder), manifest)
        for split in ("train", "eval"):
            groups = row_groups(Path(folder), manifest, [split])
            assert [group for group in everything if group.split == split] == groups
            shards = manifest.shards_of(split)
            whole = [pq.read_table(Path(folder, s.path), partitioning=None) for s in shards]
            expected = [row for table in whole for row in table["row"].to_pylist()]
            found = []
            for group in groups:
                assert group.first == len(found)
                found += group.read(["row"])["row"].to_pylist()
            assert found == expected


@pytest.mark.parametrize(
    ("table", "cause"),
    [(None, "cannot be read"), (pa.table({"label": [1.5]}), "does not have the columns")],
)
def test_a_shard_that_is_not_what_its_manifest_says_is_refused_before_an_engine_starts(
    tmp_path: Path, table: pa.Table | None, cause: str
) -> None:
    manifest = written(tmp_path, [("train", 3, 2)])
    path = tmp_path / manifest.shards[0].path
    if table is None:
        path.write_bytes(b"PAR1")
    else:
        pq.write_table(table, path)
    with pytest.raises(DataError, match=cause):
        row_groups(tmp_path, manifest)


@given(st.sets(st.integers(0, 39), min_size=1))
def test_rows_are_taken_by_their_numbers_in_their_order(numbers: set[int]) -> None:
    wanted = np.array(sorted(numbers), dtype=np.intp)
    with tempfile.TemporaryDirectory() as name:
        manifest = written(Path(name), [("eval", 25, 7), ("eval", 15, 4)])
        found = take_rows(Path(name), manifest, "eval", wanted)
    assert found["row"].to_pylist() == wanted.tolist()


def test_a_row_group_that_holds_none_of_them_is_not_read(tmp_path: Path) -> None:
    manifest = written(tmp_path, [("eval", 25, 7), ("eval", 15, 4)])
    path = tmp_path / manifest.shards[1].path
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)  # its footer stays, its first rows do not
    path.write_bytes(content)
    found = take_rows(tmp_path, manifest, "eval", np.array([0, 24, 39], dtype=np.intp))
    assert found["row"].to_pylist() == [0, 24, 39]
    with pytest.raises(OSError):
        take_rows(tmp_path, manifest, "eval", np.array([25], dtype=np.intp))
