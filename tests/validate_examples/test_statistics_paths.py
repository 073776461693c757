"""Statistics by row group, TFDV's own of the whole in memory, and both on Beam say the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from statistics_comparison import assert_same, features_of

from components.core.artifacts import tree_digest
from components.core.data_settings import Beam
from components.core.errors import IntegrityError
from components.core.examples import ExamplesManifest, read_shards

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ROW_GROUP = 6000


def _damage(rows: pa.Table) -> pa.Table:
    """Give one row in ten an airline that the schema does not know, and another no origin."""
    carriers, origins = (rows[name].to_pylist() for name in ("carrier", "origin"))
    carriers[::10] = ["??"] * len(carriers[::10])
    origins[5::10] = [None] * len(origins[5::10])
    for name, values in (("carrier", carriers), ("origin", origins)):
        index = rows.column_names.index(name)
        rows = rows.set_column(index, name, pa.array(values, pa.string()))
    return rows


@pytest.fixture(scope="module", params=["as they are", "damaged"])
def cut(
    request: pytest.FixtureRequest, flights_examples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return two months of flights, in row groups of which each shard has several."""
    folder = tmp_path_factory.mktemp("cut") / "examples"
    shutil.copytree(flights_examples, folder)
    for shard in ExamplesManifest.read(folder).shards:
        rows = pq.read_table(folder / shard.path, partitioning=None)
        if request.param == "damaged":
            rows = _damage(rows)
        pq.write_table(rows, folder / shard.path, row_group_size=ROW_GROUP)
    return folder


@pytest.fixture(scope="module")
def rows_of(cut: Path) -> dict[str, pa.Table]:
    manifest = ExamplesManifest.read(cut)
    rows = {n: read_shards(cut, manifest, manifest.shards_of(n)) for n in manifest.splits}
    for span in {shard.span for shard in manifest.shards}:
        shards = [shard for shard in manifest.shards if shard.span == span]
        rows[span] = read_shards(cut, manifest, shards)
    return rows


@pytest.fixture(scope="module")
def by_row_group(cut: Path) -> dict[str, Any]:
    return _compute(cut, Beam())


@pytest.fixture(scope="module")
def on_beam(cut: Path) -> dict[str, Any]:
    return _compute(cut, Beam(work="all"))


def _compute(examples: Path, beam: Beam) -> dict[str, Any]:
    from components.validate_examples.statistics import compute_all

    computed = compute_all(examples, ExamplesManifest.read(examples), beam)
    return {**computed.splits, **computed.spans}


@pytest.fixture(scope="module")
def whole(rows_of: dict[str, pa.Table]) -> dict[str, Any]:
    """Return what TFDV computes in memory, with all rows in one record batch."""
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.statistics import stats_impl

    from components.validate_examples.statistics_partial import list_batch

    assert tfdv.StatsOptions().epsilon == 0.01
    return {
        name: stats_impl.generate_statistics_in_memory(list_batch(rows))
        for name, rows in rows_of.items()
    }


@pytest.fixture(scope="module")
def tfdv_on_beam(rows_of: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what TFDV's own Beam transform computes, with nothing of ours in it."""
    import apache_beam as beam
    import tensorflow_data_validation as tfdv
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    folder = tmp_path_factory.mktemp("tfdv")
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        for name, rows in rows_of.items():
            path = str(folder / f"{name}.parquet")
            pq.write_table(rows, path, row_group_size=ROW_GROUP)
            groups = [(path, number) for number in range(-(-rows.num_rows // ROW_GROUP))]
            _ = (
                pipeline
                | f"{name}Groups" >> beam.Create(groups, reshuffle=False)
                | f"{name}Rows" >> beam.MapTuple(_read_row_group)
                | f"{name}Statistics" >> tfdv.GenerateStatistics()
                | f"{name}Write" >> tfdv.WriteStatisticsToBinaryFile(str(folder / name))
            )
    return {name: tfdv.load_stats_binary(str(folder / name)) for name in rows_of}


def _read_row_group(path: str, number: int) -> pa.RecordBatch:
    from components.validate_examples.statistics_partial import list_batch

    return list_batch(pq.ParquetFile(path).read_row_group(number))


def test_the_shards_have_several_row_groups(cut: Path) -> None:
    for shard in ExamplesManifest.read(cut).shards:
        assert pq.ParquetFile(cut / shard.path).num_row_groups >= 4


def test_row_groups_and_the_whole_in_memory_give_the_same(
    by_row_group: dict[str, Any], whole: dict[str, Any], rows_of: dict[str, pa.Table]
) -> None:
    assert set(by_row_group) == set(rows_of)
    for name, rows in rows_of.items():
        assert_same(by_row_group[name], whole[name], rows, texts_exact=False)


def test_row_groups_and_tfdv_on_beam_give_the_same_with_every_text_counted(
    by_row_group: dict[str, Any], tfdv_on_beam: dict[str, Any], rows_of: dict[str, pa.Table]
) -> None:
    for name, rows in rows_of.items():
        assert_same(by_row_group[name], tfdv_on_beam[name], rows)
    assert features_of(by_row_group["train"])["tailnum"].string_stats.unique > 2000


def test_row_groups_and_our_beam_path_give_the_same(
    by_row_group: dict[str, Any], on_beam: dict[str, Any], rows_of: dict[str, pa.Table]
) -> None:
    assert list(by_row_group) == list(on_beam)
    for name, rows in rows_of.items():
        assert by_row_group[name].datasets[0].name == on_beam[name].datasets[0].name == name
        assert_same(by_row_group[name], on_beam[name], rows)


def test_every_path_gives_the_same_anomalies(
    request: pytest.FixtureRequest,
    by_row_group: dict[str, Any],
    on_beam: dict[str, Any],
    whole: dict[str, Any],
    tfdv_on_beam: dict[str, Any],
) -> None:
    import tensorflow_data_validation as tfdv

    schema = tfdv.load_schema_text(str(ROOT / "schemas" / "datasets" / "flights.pbtxt"))
    damaged = request.node.callspec.params["cut"] == "damaged"
    for name in by_row_group:
        found = [
            tfdv.validate_statistics(statistics[name], schema)
            for statistics in (by_row_group, on_beam, whole, tfdv_on_beam)
        ]
        assert {"carrier", "origin"} <= set(found[0].anomaly_info) or not damaged
        for other in found[1:]:
            assert dict(other.anomaly_info) == dict(found[0].anomaly_info)


@pytest.mark.parametrize("beam", [Beam(), Beam(work="all")], ids=["by row group", "on Beam"])
def test_rows_that_the_manifest_does_not_name_are_found(cut: Path, beam: Beam) -> None:
    from components.validate_examples.statistics import compute_all

    manifest = ExamplesManifest.read(cut)
    first, *others = manifest.shards
    fewer = first.model_copy(update={"rows": first.rows - 1})
    wrong = manifest.model_copy(update={"shards": (fewer, *others)})
    with pytest.raises(IntegrityError, match=f"TFDV counted {first.rows} of {first.rows - 1} rows"):
        compute_all(cut, wrong, beam)


def test_the_same_examples_give_the_same_files(cut: Path, tmp_path: Path) -> None:
    from components.validate_examples.statistics import Statistics, compute_all, write_all

    manifest = ExamplesManifest.read(cut)
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        write_all(tmp_path / name, compute_all(cut, manifest, Beam()))
    assert tree_digest(tmp_path / "once") == tree_digest(tmp_path / "again")
    files = {str(path.relative_to(tmp_path / "once")) for path in tmp_path.glob("once/*/*")}
    spans = {shard.span for shard in manifest.shards}
    assert files == {
        *(f"Split-{split}/FeatureStats.pb" for split in manifest.splits),
        *(f"Span-{span}/FeatureStats.pb" for span in spans),
    }
    read = Statistics.FromString((tmp_path / "once/Split-eval/FeatureStats.pb").read_bytes())
    assert read.datasets[0].num_examples == manifest.rows_of("eval")
