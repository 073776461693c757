"""A connection that breaks is the platform's fault, and is tried again; a damaged file is not."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi
from breaking_proxy import Proxy, breaking
from fake_gcs import serving
from local_postgresql import PASSWORD, execute
from pyarrow import csv
from test_reading_formats import PACKERS
from test_reading_places import ARCHIVES
from written_tables import WRITERS, opened, rows_of

from components.core.data_settings import Table
from components.core.errors import DataError, PlatformError
from components.reading import places
from components.reading.tables import open_table

pytestmark = pytest.mark.slow  # servers are started, and clients try again

ROWS = pa.table({"a": np.random.default_rng(3).random(200_000)})
BYTES = 100_000  # less than a file has


def plain(suffix: str) -> Callable[[Path], tuple[str, bytes]]:
    def write(folder: Path) -> tuple[str, bytes]:
        WRITERS[suffix](folder / "t", ROWS)
        return f"t.{suffix}", (folder / "t").read_bytes()

    return write


def packed(packer: str) -> Callable[[Path], tuple[str, bytes]]:
    def write(folder: Path) -> tuple[str, bytes]:
        WRITERS["csv"](folder / "t", ROWS)
        return f"t.csv.{packer}", PACKERS[packer]((folder / "t").read_bytes())

    return write


def archived(name: str) -> Callable[[Path], tuple[str, bytes]]:
    def write(folder: Path) -> tuple[str, bytes]:
        WRITERS["csv"](folder / "t", ROWS)
        ARCHIVES[name](folder / name, **{"a.csv": (folder / "t").read_bytes()})
        return f"{name.partition('.')[2][:3]}://a.csv::{name}", (folder / name).read_bytes()

    return write


FILES = {
    **{suffix: plain(suffix) for suffix in WRITERS},
    **{packer: packed(packer) for packer in ("gz", "zip")},
}
MEMBERS = {name: archived(name) for name in ("t.zip", "t.tar", "t.tar.gz")}


def on_s3(location: str) -> str:
    archive, separator, name = location.rpartition("::")
    return f"{archive}{separator}s3://shop/{name}"


@pytest.fixture
def proxy(s3: Any, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What stands between a reader and the fake S3."""
    with breaking(s3_server) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.address)
        yield between


@pytest.mark.parametrize("kind", FILES)
def test_a_connection_that_breaks_while_a_file_is_read(
    s3: Any, proxy: Proxy, tmp_path: Path, kind: str
) -> None:
    name, data = FILES[kind](tmp_path)
    s3.put_object(Bucket="shop", Key=name, Body=data)
    table = opened(f"s3://shop/{name}")
    assert rows_of(table).num_rows == ROWS.num_rows
    proxy.break_after(BYTES)
    with pytest.raises(PlatformError, match=f"s3://shop/{name} cannot be reached, or the conn"):
        rows_of(table)


@pytest.mark.parametrize("kind", ["csv", *MEMBERS])
def test_a_connection_that_breaks_while_a_file_is_opened(
    s3: Any, proxy: Proxy, tmp_path: Path, kind: str
) -> None:
    location, data = (FILES | MEMBERS)[kind](tmp_path)
    s3.put_object(Bucket="shop", Key=location.rpartition("::")[2], Body=data)
    proxy.break_after(BYTES)
    with pytest.raises(PlatformError, match="cannot be reached, or the connection broke"):
        opened(on_s3(location))


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_connection_that_breaks_while_an_archive_is_read(
    s3: Any, proxy: Proxy, tmp_path: Path, kind: str
) -> None:
    location, data = MEMBERS[kind](tmp_path)
    s3.put_object(Bucket="shop", Key=kind, Body=data)
    table = opened(on_s3(location))
    proxy.break_after(BYTES)
    if kind == "t.tar.gz":  # unpacked when it was opened
        assert rows_of(table).num_rows == ROWS.num_rows
    else:
        with pytest.raises(PlatformError, match="cannot be reached, or the connection broke"):
            rows_of(table)


@pytest.mark.parametrize("kind", ["gz", "parquet", "arrow", "t.zip", "t.tar"])
def test_a_file_on_s3_that_is_cut_short_is_the_datas_fault(
    s3: Any, tmp_path: Path, kind: str
) -> None:
    location, data = (FILES | MEMBERS)[kind](tmp_path)
    cut = data[: len(data) // 2]
    s3.put_object(Bucket="shop", Key=location.rpartition("::")[2], Body=cut)
    with pytest.raises(DataError):
        rows_of(opened(on_s3(location)))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_connection_to_gs_that_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(places, "_GCS_SECONDS", 2)
    WRITERS[name[2:]](tmp_path / name, ROWS)
    with serving({name: (tmp_path / name).read_bytes()}) as server, breaking(server) as between:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", between.address)
        table = opened(f"gs://shop/{name}")
        between.break_after(BYTES)
        with pytest.raises(PlatformError, match=f"gs://shop/{name} cannot be reached, or the conn"):
            rows_of(table)


GIVE_UP = """
import sys
from components.core.data_settings import Table
from components.reading.tables import open_table
table = open_table(Table(location="gs://shop/" + sys.argv[1]))
for _ in range(100):
    rows = table.batches()
    next(rows)
    rows.close()
"""


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_reader_that_gives_up_leaves_what_is_read_ahead_alone(tmp_path: Path, name: str) -> None:
    """A process of its own: what it is saved from is a crash of Google's library."""
    rows = pa.table({"a": np.random.default_rng(3).random(1_000_000)})
    csv.write_csv(rows, tmp_path / "t.csv")
    data = (tmp_path / "t.csv").read_bytes()
    with serving({name: gzip.compress(data, 1) if name.endswith("gz") else data}) as server:
        environment = {**os.environ, "STORAGE_EMULATOR_HOST": server}
        done = subprocess.run([sys.executable, "-c", GIVE_UP, name], env=environment)
    assert done.returncode == 0


def test_a_postgresql_that_ends_the_connection_while_rows_come(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(postgresql, "CREATE TABLE many AS SELECT i, repeat('x', 500) AS t "
            "FROM generate_series(1, 300000) i")  # fmt: skip
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", postgresql)
    rows = open_table(Table(query="SELECT * FROM many", database="shop")).batches()
    next(rows)
    execute(
        postgresql,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%FROM many%' "
        "AND pid <> pg_backend_pid()",
    )
    with pytest.raises(PlatformError, match="database shop cannot be reached, or sto") as caught:
        list(rows)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_a_row_that_postgresql_cannot_make_is_not_the_connections_fault(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", postgresql)
    statement = "SELECT 1 / (150000 - i) AS a FROM generate_series(1, 200000) i"
    with pytest.raises(DataError, match="a row could not be made or fetched"):
        rows_of(open_table(Table(query=statement, database="shop")))


def test_a_postgresql_that_stops_a_statement_may_be_asked_again(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own limit ends a statement that waits for another's lock."""
    execute(postgresql, "CREATE TABLE locked (a int)")
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", f"{postgresql}?options=-cstatement_timeout%3D100")
    with (
        closing(dbapi.connect(postgresql)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(PlatformError, match="cannot be reached, or stopped the query"):
            open_table(Table(query="SELECT a FROM locked", database="shop"))
