"""Queries: a real PostgreSQL and a DuckDB file, streamed, read-only, and never quoted."""

from __future__ import annotations

import hashlib
import io
import traceback
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from answering import answering
from local_postgresql import PASSWORD, execute
from pyarrow import ipc
from written_tables import rows_of

from components.core.data_settings import Table
from components.core.errors import DataError, PlatformError, SettingsError
from components.core.sources import SOURCES_VARIABLE
from components.reading.databases import variable_of
from components.reading.queries import one_select
from components.reading.tables import open_table

pytestmark = pytest.mark.slow  # a server is started

CREATE = """
    CREATE TABLE sales AS SELECT
      i::int AS id, (i % 7)::smallint AS small, i::bigint AS big,
      (i * 0.25)::numeric(12, 2) AS money,
      (i * 0.5)::real AS single, i * 0.5::double precision AS ratio, i % 2 = 0 AS even,
      DATE '2013-01-01' + (i % 365)::int AS day, TIMESTAMP '2013-01-01 05:30:00' AS time,
      TIMESTAMPTZ '2013-01-01 05:30:00+05' AS zoned, 'ü' || i AS text,
      CASE WHEN i % 3 = 0 THEN 'v' || i END AS sparse, CASE WHEN i % 3 > 0 THEN i END AS gaps
    FROM {numbers}
"""  # fmt: skip
ROWS = 150_000
ALL = "SELECT * FROM sales ORDER BY id"
KINDS = {
    "id": "int64", "small": "int64", "big": "int64", "money": "double", "single": "double",
    "ratio": "double", "even": "int64", "day": "timestamp[s]", "time": "timestamp[us]",
    "zoned": "timestamp[us, tz=UTC]", "text": "string", "sparse": "string", "gaps": "int64",
}  # fmt: skip


@pytest.fixture(scope="session")
def shop(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of one table in both databases."""
    execute(postgresql, CREATE.format(numbers=f"generate_series(1, {ROWS}) i"))
    execute(postgresql, "CREATE TABLE nothing (a int)")
    path = tmp_path_factory.mktemp("duckdb") / "shop.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(CREATE.format(numbers=f"range(1, {ROWS + 1}) t(i)"))
        connection.execute("CREATE TABLE nothing (a int)")
    return {"postgresql": postgresql, "duckdb": f"duckdb:///{path}"}


@pytest.fixture(params=["postgresql", "duckdb"])
def database(
    request: pytest.FixtureRequest, shop: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", shop[request.param])
    return str(request.param)


def query(statement: str = ALL, **settings: Any) -> Table:
    return Table(query=statement, database="shop", **settings)


def test_the_types_of_a_database_become_the_four(database: str) -> None:
    table = open_table(query())
    assert {field.name: str(field.type) for field in table.schema} == KINDS
    (third,) = rows_of(table).slice(2, 1).to_pylist()
    assert (third["money"], third["even"], third["text"]) == (0.75, 0, "ü3")
    assert (str(third["day"]), str(third["time"])) == ("2013-01-04 00:00:00", "2013-01-01 05:30:00")
    assert str(third["zoned"]) == "2013-01-01 00:30:00+00:00"
    assert (third["sparse"], third["gaps"]) == ("v3", None)


def test_rows_come_in_even_batches_and_in_the_order_of_the_query(database: str) -> None:
    table = open_table(query("SELECT id FROM sales ORDER BY id DESC"))
    pieces = list(table.batches())
    assert [piece.rows.num_rows for piece in pieces] == [65_536, 65_536, ROWS - 2 * 65_536]
    assert pieces[0].rows["id"][0].as_py() == ROWS
    assert pieces[0].span is None


def test_both_databases_give_the_same_rows_and_the_same_digest(
    shop: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, files = [], []
    for address in shop.values():
        monkeypatch.setenv("TANDEM_DATABASE_SHOP", address)
        table = open_table(query())
        found.append(rows_of(table))
        files.append(table.files())
    assert found[0] == found[1]
    assert files[0] == files[1]


def test_the_digest_is_that_of_the_arrow_stream_of_all_columns(database: str) -> None:
    table = open_table(query("SELECT id, text FROM sales ORDER BY id"))
    assert table.files() == ()
    rows = rows_of(table, ["text"])
    assert rows.column_names == ["text"]
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as stream:
        values = rows_of(table).to_pylist()
        for start in range(0, ROWS, 65_536):
            part = values[start : start + 65_536]
            stream.write_batch(pa.RecordBatch.from_pylist(part, schema=table.schema))
    (file,) = table.files()
    assert file.location == "the query of shop"
    assert (file.sha256, file.bytes) == (hashlib.sha256(sink.getvalue()).hexdigest(), sink.tell())


def test_a_query_can_be_read_twice_and_given_up(database: str) -> None:
    table = open_table(query())
    begun = table.batches()
    next(begun)
    begun.close()  # type: ignore[attr-defined]
    assert rows_of(table) == rows_of(table)


def test_rows_other_than_those_pinned_are_an_error_at_their_end(database: str) -> None:
    table = open_table(query())
    rows_of(table)
    (file,) = table.files()
    rows_of(open_table(query(sha256=file.sha256)))
    other = open_table(query("SELECT * FROM sales WHERE id > 1 ORDER BY id", sha256=file.sha256))
    with pytest.raises(DataError, match="gives other rows than the run was to read"):
        rows_of(other)
    assert other.files() == ()


def test_text_of_a_database_without_an_encoding_is_utf_8_or_told(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locale = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    execute(postgresql, f"CREATE DATABASE plain ENCODING 'SQL_ASCII' {locale}")
    monkeypatch.setenv(variable_of("shop"), postgresql.rpartition("/")[0] + "/plain")
    assert rows_of(open_table(query("SELECT 'ü' AS a")))["a"].to_pylist() == ["ü"]
    message = "column a of the query of shop holds text that is not UTF-8, first in row 2"
    with pytest.raises(DataError, match=message):
        rows_of(open_table(query("SELECT a FROM (VALUES ('x'), (chr(228))) v(a)")))


def test_types_of_the_settings_win_in_a_query_too(database: str) -> None:
    table = open_table(query("SELECT id, text FROM sales", types={"id": "string"}))
    assert rows_of(table)["id"].type == pa.string()
    with pytest.raises(DataError, match="column text of the query of shop holds what is no int64"):
        rows_of(open_table(query(types={"text": "int64"})))


@pytest.mark.parametrize(
    ("statement", "error", "message"),
    [
        ("SELECT * FROM nothing", DataError, "the query of shop has no rows"),
        ("SELECT * FROM nosuch", DataError, "the query of shop failed"),
        ("SELECT 'geheim'::int AS a", DataError, "the query of shop failed"),
        ("SELECT text::int AS a FROM sales", DataError, "the query of shop failed"),
        ("SELECT 1 AS a, 2 AS a", DataError, "more than one column a"),
        ("SELECT TIME '10:00' AS a", DataError, "column a of the query of shop is time64"),
        ("SELECT ARRAY[1] AS a", DataError, "column a of the query of shop is list"),
        ("SELECT 'x'::bytea AS a", DataError, "column a of the query of shop is binary"),
        ("DELETE FROM sales", SettingsError, "is not one SELECT statement"),
        ("SELECT 1; DELETE FROM sales", SettingsError, "is not one SELECT statement"),
        ("WITH x AS (DELETE FROM sales RETURNING *) SELECT * FROM x", DataError, "failed"),
    ],
)
def test_a_query_that_gives_no_table_is_refused_and_changes_nothing(
    database: str, shop: dict[str, str], statement: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        rows_of(open_table(query(statement)))
    said = "".join(traceback.format_exception(caught.value, chain=True))
    for secret in (PASSWORD, "127.0.0.1", "ü1", ".duckdb"):
        assert secret not in said
    assert rows_of(open_table(query("SELECT count(*) AS n FROM sales")))["n"].to_pylist() == [ROWS]


def test_a_postgresql_that_cannot_be_reached_or_refuses_is_told_apart(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", f"postgresql://tandem:{PASSWORD}@127.0.0.1:9/x")
    with pytest.raises(PlatformError, match="database shop cannot be reached") as caught:
        open_table(query())
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    wrong = postgresql.replace(f":{PASSWORD}@", ":other@")
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", wrong)
    with pytest.raises((PlatformError, DataError)) as caught:
        open_table(query())
    assert "other" not in "".join(traceback.format_exception(caught.value))


def test_a_duckdb_file_is_named_like_other_files(
    shop: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shop["duckdb"].removeprefix("duckdb:///"))
    monkeypatch.setenv(SOURCES_VARIABLE, str(path.parent))
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", f"duckdb:///{path.name}")
    assert rows_of(open_table(query("SELECT count(*) AS n FROM sales")))["n"].to_pylist() == [ROWS]
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "duckdb:///nosuch.duckdb")
    with pytest.raises(SettingsError, match="the file of database shop is missing"):
        open_table(query())
    assert not (path.parent / "nosuch.duckdb").exists()


def test_a_duckdb_in_memory_reads_files_and_nothing_from_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "duckdb:///:memory:")
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a\n1\n")
    table = open_table(query("SELECT a::int AS a FROM read_csv('t.csv')"))
    assert rows_of(table)["a"].to_pylist() == [1]
    with pytest.raises(DataError, match="the query of shop failed"):
        open_table(query("SELECT * FROM 'https://127.0.0.1:9/t.parquet'"))


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("SELECT gehiem FROM sales", "it names a column that is not there"),
        ("SELECT * FROM nowhere", "it names a table or a function that is not there"),
        ("SELECT 'geheim'::int AS a", "a value does not fit what the statement makes of it"),
        ("SELECT FROM WHERE geheim", "the statement is no SQL that DuckDB reads"),
        ("SELECT 9223372036854775807 + 1::bigint AS a", "a number leaves the range of its type"),
    ],
)
def test_what_duckdb_refuses_is_told_without_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, statement: str, cause: str
) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute("CREATE TABLE sales AS SELECT 1 AS a")
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", f"duckdb:///{tmp_path / 'shop.duckdb'}")
    with pytest.raises(DataError, match=f"the query of shop failed: {cause}") as caught:
        rows_of(open_table(query(statement)))
    assert "geh" not in caught.value.message


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What a proxy on the loopback, which all addresses lead to, is asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        do_HEAD = do_CONNECT = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HOME", str(tmp_path))
        yield paths


def test_a_query_fetches_no_extension_of_duckdb(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "duckdb:///:memory:")
    with pytest.raises(DataError, match="the query of shop failed"):
        open_table(query("SELECT * FROM 'http://127.0.0.1:9/t.parquet'"))
    assert asked == []


@pytest.mark.parametrize("where", ["file", "memory"])
def test_a_duckdb_is_opened_with_what_it_must_not_do(
    shop: dict[str, str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    address = shop["duckdb"] if where == "file" else "duckdb:///:memory:"
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", address)
    names = ["autoinstall_known_extensions", "autoload_known_extensions"]
    names += ["enable_external_access"] if where == "file" else []
    settings = ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    found = rows_of(open_table(query(f"SELECT {settings}"))).to_pylist()
    assert found == [dict.fromkeys(names, 0)]


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM read_text('/proc/self/environ')", "SELECT * FROM read_csv('/etc/passwd')"],
)
def test_a_duckdb_file_reaches_no_other_file(
    shop: dict[str, str], monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", shop["duckdb"])
    with pytest.raises(DataError, match="the query of shop failed"):
        open_table(query(statement))


@pytest.mark.parametrize("address", ["", "mysql://x/y", "x.duckdb"])
def test_a_database_without_an_address_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", address)
    with pytest.raises(SettingsError) as caught:
        open_table(query())
    assert "TANDEM_DATABASE_SHOP" in f"{caught.value.message} {caught.value.remedy}"
    assert variable_of("my-shop.eu") == "TANDEM_DATABASE_MY_SHOP_EU"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ';' AS a -- ; DELETE",
        "/* ; */ WITH x AS (SELECT 1) SELECT * FROM x;",
        '(SELECT 1 AS "a;b")',
        "SELECT $tag$ ; $tag$ AS a",
    ],
)
def test_a_semicolon_that_ends_nothing_is_allowed(statement: str) -> None:
    assert one_select(statement, "t") == statement.removesuffix(";")
