"""Statistics do not depend on how the rows are cut into shards and row groups: generated tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from statistics_comparison import assert_same
from tried_examples import tries

from components.core.data_settings import Beam
from components.core.errors import DataError
from components.core.examples import ExamplesManifest, Shard

pytestmark = pytest.mark.slow
SPLITS, SPANS = ("train", "eval"), ("2024-01", "2024-02", "2024-03")
SCHEMA = pa.schema(
    [
        ("count", pa.int64()),
        ("flag", pa.int64()),
        ("nothing", pa.float64()),
        ("size", pa.float64()),
        ("text", pa.string()),
    ]
)
SIZES = st.one_of(
    st.floats(min_value=-1e100, max_value=1e100),
    st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf")]),
)
ROWS = st.fixed_dictionaries(
    {
        "count": st.none() | st.integers(min_value=-(2**63), max_value=2**63 - 1),
        "flag": st.integers(min_value=0, max_value=1),
        "nothing": st.none(),
        "size": st.none() | SIZES,
        "text": st.none() | st.sampled_from(["", "a", "b", "é", "日本"]) | st.text(max_size=5),
    }
)
GROUPS = st.lists(
    st.tuples(st.sampled_from(SPANS), st.sampled_from(SPLITS), st.lists(ROWS, max_size=12)),
    min_size=1,
    max_size=12,
)
FULL = {"count": -3, "flag": 1, "nothing": None, "size": 2.5, "text": ""}
EMPTY: dict[str, Any] = dict.fromkeys(FULL) | {"flag": 0}


@given(GROUPS)
@example([("2024-01", "train", [])])
@example([("2024-01", "train", [FULL])])
@example([("2024-01", "train", [EMPTY]), ("2024-01", "eval", [EMPTY])])
@example([("2024-02", "train", [FULL | {"size": float("inf")}]), ("2024-02", "train", [FULL])])
@example([("2024-02", "eval", [FULL | {"size": float("nan")}]), ("2024-01", "eval", [EMPTY])])
@tries(80)
def test_any_cut_gives_what_tfdv_gives_for_all_rows_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[tuple[str, str, list[dict[str, Any]]]],
) -> None:
    from components.validate_examples.statistics import compute_all

    folder = tmp_path_factory.mktemp("examples")
    manifest, rows_of = _write(folder, groups)
    computed = compute_all(folder, manifest, Beam())
    found = {**computed.splits, **computed.spans}
    assert set(found) == set(rows_of)
    for name, rows in rows_of.items():
        assert_same(found[name], _whole(rows), rows)


@pytest.mark.parametrize("rows", [[FULL, EMPTY], []], ids=["one split", "no rows"])
def test_a_split_without_rows_has_statistics_on_beam_too(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    from components.validate_examples.statistics import compute_all

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    manifest, rows_of = _write(tmp_path, [("2024-01", "train", rows)])
    on_beam = Beam(work="all", options={"temp_location": str(scratch)})
    computed = compute_all(tmp_path, manifest, on_beam)
    here = compute_all(tmp_path, manifest, Beam())
    assert_same(here.splits["train"], computed.splits["train"], rows_of["train"])
    assert_same(here.splits["eval"], computed.splits["eval"], SCHEMA.empty_table())
    assert_same(here.spans["2024-01"], computed.spans["2024-01"], rows_of["2024-01"])
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("beam", [Beam(), Beam(work="all")], ids=["by row group", "on Beam"])
def test_all_texts_of_a_column_are_listed_where_that_is_asked(tmp_path: Path, beam: Beam) -> None:
    from components.validate_examples.statistics import compute_all

    rows = [FULL | {"text": f"t{number}"} for number in range(1200)]
    manifest, _ = _write(tmp_path, [("2024-01", "train", rows)])
    for listed, expected in ((None, 1200), (1000, 1000)):
        computed = compute_all(tmp_path, manifest, beam, listed)
        for statistics in (computed.splits["train"], computed.spans["2024-01"]):
            (texts,) = (f for f in statistics.datasets[0].features if f.path.step[0] == "text")
            assert len(texts.string_stats.rank_histogram.buckets) == expected
            assert texts.string_stats.unique == 1200


@pytest.mark.parametrize("beam", [Beam(), Beam(work="all")], ids=["by row group", "on Beam"])
def test_a_shard_that_is_not_what_the_manifest_says_is_named(tmp_path: Path, beam: Beam) -> None:
    from components.validate_examples.statistics import compute_all

    manifest, _ = _write(tmp_path, [("2024-01", "train", [FULL])])
    shard = tmp_path / manifest.shards[0].path
    pq.write_table(pq.read_table(shard).drop_columns(["size"]), shard)
    with pytest.raises(DataError, match=r"shard .*2024-01.parquet"):
        compute_all(tmp_path, manifest, beam)
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"shard .*2024-01.parquet"):
        compute_all(tmp_path, manifest, beam)


def _whole(rows: pa.Table) -> Any:
    """Return TFDV's statistics of one record batch, whose lists are made here in another way."""
    from tensorflow_data_validation.statistics import stats_impl

    columns = [
        pa.array([None if v is None else [v] for v in rows[name].to_pylist()], pa.list_(kind))
        for name, kind in zip(rows.column_names, rows.schema.types, strict=True)
    ]
    return stats_impl.generate_statistics_in_memory(
        pa.RecordBatch.from_arrays(columns, rows.column_names)
    )


def _write(
    folder: Path, groups: list[tuple[str, str, list[dict[str, Any]]]]
) -> tuple[ExamplesManifest, dict[str, pa.Table]]:
    """Write each shard with its row groups; return the manifest and the rows by split and span."""
    tables: dict[tuple[str, str], list[pa.Table]] = {}
    for span, split, rows in groups:
        tables.setdefault((span, split), []).append(pa.Table.from_pylist(rows, SCHEMA))
    shards = []
    for (span, split), parts in sorted(tables.items()):
        path = folder / f"Split-{split}" / f"{span}.parquet"
        path.parent.mkdir(exist_ok=True)
        with pq.ParquetWriter(path, SCHEMA) as writer:
            for part in parts:
                if part.num_rows:
                    writer.write_table(part)
        rows_in = sum(part.num_rows for part in parts)
        shards.append(_shard(path.relative_to(folder), split, span, rows_in))
    return _manifest(shards), _rows_of(tables)


def _rows_of(tables: dict[tuple[str, str], list[pa.Table]]) -> dict[str, pa.Table]:
    found = {
        name: [part for key, parts in sorted(tables.items()) if name in key for part in parts]
        for name in (*SPLITS, *{span for span, _ in tables})
    }
    return {
        name: pa.concat_tables(parts) if parts else SCHEMA.empty_table()
        for name, parts in found.items()
    }


def _shard(path: Path, split: str, span: str, rows: int) -> Shard:
    return Shard.model_validate(
        {"path": str(path), "split": split, "span": span, "rows": rows}
        | {"bytes": 1, "sha256": "0" * 64}
    )


def _manifest(shards: list[Shard]) -> ExamplesManifest:
    kinds = {"int64": "int64", "double": "float64", "string": "string"}
    rows = sum(shard.rows for shard in shards)
    return ExamplesManifest.model_validate(
        {
            "columns": {field.name: kinds[str(field.type)] for field in SCHEMA},
            "label": "flag",
            "splits": {n: [s.span for s in shards if s.split == n] for n in SPLITS},
            "shards": shards,
            "source": {"files": [], "rows": rows},
            "dropped": [],
            "rows": rows,
            "card_sha256": "0" * 64,
        }
    )


@pytest.mark.parametrize("group", [200_000, 3_000, 700])
def test_quantiles_stay_within_the_bound_however_often_sketches_are_merged(
    tmp_path: Path, group: int
) -> None:
    from components.validate_examples.statistics import compute_all

    random = np.random.default_rng(7)
    rows = 200_000
    rising = np.sort(random.lognormal(sigma=3.0, size=rows))  # each row group has its own range
    table = pa.table(
        {
            "count": random.integers(-50, 1000, rows),
            "flag": random.integers(0, 2, rows),
            "nothing": pa.nulls(rows, pa.float64()),
            "size": rising,
            "text": pa.array(random.integers(0, 900, rows)).cast(pa.string()),
        }
    )
    (tmp_path / "Split-train").mkdir()
    shards = []
    for span, part in zip(SPANS[:2], (table.slice(0, 90_000), table.slice(90_000)), strict=True):
        path = Path("Split-train") / f"{span}.parquet"
        pq.write_table(part, tmp_path / path, row_group_size=group)
        shards.append(_shard(path, "train", span, part.num_rows))
    computed = compute_all(tmp_path, _manifest(shards), Beam())
    assert_same(computed.splits["train"], _whole_batch(table), table)


def _whole_batch(rows: pa.Table) -> Any:
    from tensorflow_data_validation.statistics import stats_impl

    from components.validate_examples.statistics_partial import list_batch

    return stats_impl.generate_statistics_in_memory(list_batch(rows))


@given(
    values=st.lists(
        st.integers(min_value=0, max_value=10).map(float) | SIZES.filter(lambda x: not np.isnan(x)),
        min_size=1,
        max_size=60,
    ),
    repeats=st.integers(min_value=1, max_value=40),
)
@example(values=[0.0, 5.0, 10.0], repeats=40)  # a value that many rows have, on a bound
@example(values=[1e308, -1e308], repeats=1)
@example(values=[float("inf"), float("-inf")], repeats=2)
@example(values=[0.0], repeats=1)
@tries(200)
def test_the_equal_width_histogram_is_that_of_tfdv_to_the_last_bit(
    values: list[float], repeats: int
) -> None:
    from tensorflow_data_validation.utils.quantiles_util import generate_equi_width_histogram
    from tfx_bsl.sketches import QuantilesSketch

    from components.validate_examples.statistics_numbers import equal_width_histogram

    sketch = QuantilesSketch(0.01, 1 << 32, 1)
    sketch.AddValues(pa.array(values * repeats, pa.float64()))
    quantiles, counts = (
        part.flatten().to_numpy(zero_copy_only=False)
        for part in sketch.GetQuantilesAndCumulativeWeights(1000)
    )
    finite = [value for value in values if np.isfinite(value)]
    arguments = (
        quantiles,
        counts,
        min(finite, default=float("inf")),
        max(finite, default=float("-inf")),
        10,
        repeats * values.count(float("inf")),
    )
    expected = generate_equi_width_histogram(*arguments)
    assert equal_width_histogram(*arguments).SerializeToString() == expected.SerializeToString()
