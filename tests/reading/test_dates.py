"""A bad date is told with its file, its column, the first row and how many there are."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tried_examples import tries
from written_tables import WRITERS, opened, rows_of

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.csv_stream import BLOCK_BYTES
from components.reading.dates import LOCAL, ZONED, are_dates, require_dates
from components.reading.origins import Origin
from components.reading.tables import open_table

SECRET = "geheim"
ROWS = 2 * BLOCK_BYTES // 100
BAD = {10: SECRET, ROWS - 5: "2013-02-29", ROWS - 1: "31.12.2013"}
DATES = pa.array([BAD.get(n, f"2013-01-{n % 28 + 1:02d} 05:30:00") for n in range(ROWS)])
TABLE = pa.table({"f": ["x" * 100] * ROWS, "a": DATES})


@st.composite
def almost_dates(draw: st.DrawFn) -> str:
    def number(most: int) -> str:
        return f"{draw(st.integers(0, most)):02d}"

    text = draw(st.sampled_from(["2013", "2012", "1900", "2000", "0000", "9999", "213"]))
    text += f"-{number(13)}-{number(32)}" + draw(st.sampled_from(["", "", " ", "T", "t", "x"]))
    text += draw(st.sampled_from(["", f"{number(25)}", f"{number(25)}:{number(61)}"]))
    text += draw(st.sampled_from(["", f":{number(61)}", number(61), ":1"]))
    text += draw(st.sampled_from(["", "", ".", ".5", ".123456", ".1234567"]))
    zone = (
        f"{draw(st.sampled_from('+-'))}{number(25)}{draw(st.sampled_from(['', ':']))}{number(61)}"
    )
    return text + draw(st.sampled_from(["", "", "Z", "z", "+01", zone, " "]))


def reads(text: str, kind: pa.DataType) -> bool:
    try:
        pa.array([text]).cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


@tries(500)
@given(text=almost_dates())
@example("2013-01-01T10:30:00+0100")
@example("2012-02-29 10")
def test_a_date_is_what_pyarrow_reads_as_one(text: str) -> None:
    for kind, pattern in ((pa.timestamp("us"), LOCAL), (pa.timestamp("us", "UTC"), ZONED)):
        try:
            require_dates([pa.array([text])], "a", Origin("t"), [pattern])
        except DataError:
            assert not reads(text, kind)
        else:
            assert reads(text, kind)
    assert are_dates(pa.array([text, None])) == reads(text, pa.timestamp("us"))


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_column_that_the_settings_call_a_date(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    WRITERS[suffix](path, TABLE)
    with pytest.raises(DataError) as caught:
        rows_of(opened(path, types={"a": "timestamp"}))
    where = {"csv": "line 12", "jsonl": "line 11"}.get(suffix, "row 11")
    assert caught.value.message == (
        f"column a of {path} holds 3 values that are no dates, first in {where}"
    )
    assert SECRET not in f"{caught.value}{caught.value.remedy}"


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_column_that_is_text_because_of_its_bad_dates(tmp_path: Path, suffix: str) -> None:
    # What JSON tells apart, one file's times and another's text, is refused before.
    for name in "2" if suffix == "jsonl" else "12":
        WRITERS[suffix](tmp_path / f"{name}.{suffix}", TABLE if name == "2" else TABLE.slice(50, 9))
    table = opened(f"{tmp_path}/*.{suffix}")
    assert table.schema.field("a").type == pa.string()
    where = {"csv": "line 12", "jsonl": "line 11"}.get(suffix, "row 11")
    with pytest.raises(DataError, match=rf"2\.{suffix} holds 3 values .* first in {where}$"):
        table.require_dates("a")


def test_dates_with_a_zone_are_counted_among_their_like(tmp_path: Path) -> None:
    rows = ["2013-01-01T05:30:00Z"] * 9 + ["2013-01-01"]
    (tmp_path / "t.csv").write_text("\n".join(["a", *rows]))
    with pytest.raises(DataError, match=r"holds 1 value that is no date, first in line 11$"):
        opened(tmp_path / "t.csv").require_dates("a")


def test_a_column_of_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        connection.register("given", TABLE)
        connection.execute("CREATE TABLE t AS SELECT * FROM given")
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", f"duckdb:///{tmp_path}/d.duckdb")
    said = "column a of the query of shop holds 3 values that are no dates, first in row 11$"
    asked = Table(query="SELECT a FROM t", database="shop")
    with pytest.raises(DataError, match=said):
        open_table(asked).require_dates("a")
    with pytest.raises(DataError, match=said):
        rows_of(open_table(asked.model_copy(update={"types": {"a": "timestamp"}})))


def test_what_is_no_text_is_no_bad_date(tmp_path: Path) -> None:
    rows = pa.table({"a": [1], "b": ["2013-01-01"], "c": ["1"], "d": [None]})
    WRITERS["parquet"](tmp_path / "t.parquet", rows)
    table = opened(tmp_path / "t.parquet")

    def is_refused(column: str) -> bool:
        try:
            table.require_dates(column)
        except DataError:
            return True
        return False

    assert [column for column in "abcd" if is_refused(column)] == ["c"]
