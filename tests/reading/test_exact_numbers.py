"""No reader rounds a whole number without a word: it is refused, or kept or rounded as told."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from local_postgresql import execute
from written_tables import WRITERS, csv_bytes, opened, read, rows_of

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.csv_stream import BLOCK_BYTES
from components.reading.exact_numbers import first_lost
from components.reading.json_lines import BLOCK_BYTES as JSON_BYTES
from components.reading.tables import open_table

ODD = 2**53 + 1  # the first whole number that no float64 is
EXACT = 2**60
LOST = r"holds a number beyond 2\*\*53 that is no float64, first in"


def is_kept(text: str) -> bool:
    """Say the same by exact arithmetic: the reference."""
    value = Fraction(text)
    if abs(value) < 2**53:
        return True
    beyond = "." not in text and not -(2**63) <= value < 2**63
    return Fraction(float(text)) == value and not beyond


@settings(deadline=None)
@given(
    whole=st.integers(-(2**70), 2**70) | st.integers(2**53 - 9, 2**53 + 9) | st.integers(0, 10**75),
    fraction=st.sampled_from(["", ".", ".0", ".000", ".5", ".25"]),
    zeros=st.sampled_from(["", "000"]),
)
@example(2**63 - 1, "", "")
@example(2**63, "", "")
@example(-(2**63), "", "")
@example(2**64, ".0", "")
def test_a_number_is_lost_where_exact_arithmetic_says_so(
    whole: int, fraction: str, zeros: str
) -> None:
    text = f"{'-' if whole < 0 else ''}{zeros}{abs(whole)}{fraction}"
    lost = first_lost(pa.array(["0.1", None, "1e300", text]))
    assert (lost is None) == is_kept(text)
    assert lost is None or lost.place == 3


BEYOND_INT64 = "holds an integer beyond int64, first in"


@pytest.mark.parametrize(("suffix", "first"), [("csv", "line 2"), ("jsonl", "line 1")])
@pytest.mark.parametrize("fine", [2**63 - 1, ODD])
@pytest.mark.parametrize("between", [0, 2 * BLOCK_BYTES // 100])
def test_an_integer_beyond_int64_is_told_and_not_the_fine_ones_before_it(
    tmp_path: Path, suffix: str, first: str, fine: int, between: int
) -> None:
    if suffix == "jsonl" and between:
        between = 2 * JSON_BYTES // 100
    path = tmp_path / f"t.{suffix}"
    values = [1, fine, *[0] * between, 2**63, fine]
    with path.open("w") as file:
        if suffix == "csv":
            file.write("f,a\n")
        line = "{},{}\n" if suffix == "csv" else '{{"f": "{}", "a": {}}}\n'
        file.writelines(line.format("x" * 100, value) for value in values)
    word, row = first.split()
    where = f"{word} {int(row) + between + 2}"
    with pytest.raises(DataError, match=rf"column a of .* {BEYOND_INT64} {where}$"):
        opened(path)


def test_a_decimal_beyond_int64_is_told_before_smaller_ones(tmp_path: Path) -> None:
    numbers = pa.array([Decimal(ODD), Decimal(2**63)], pa.decimal128(38, 0))
    WRITERS["parquet"](tmp_path / "t.parquet", pa.table({"a": numbers}))
    with pytest.raises(DataError, match=f"{BEYOND_INT64} row 2$"):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    "value", ["1e400", "-1.5E+309", " .5e310", "+1.e400", "17976931348623159e292"]
)
@pytest.mark.parametrize("before", [0, 2 * BLOCK_BYTES // 100])
def test_a_number_beyond_float64_is_no_infinity(tmp_path: Path, value: str, before: int) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(csv_bytes(["f", "a"], *[["x" * 100, 1]] * before, ["", 1e308], ["", value]))
    with pytest.raises(DataError) as caught:
        opened(path)
    assert caught.value.message == (
        f"column a of {path} holds a number beyond float64, first in line {before + 3}"
    )
    assert caught.value.remedy == "set source.*.types.a to string, or correct it"
    assert read(path, types={"a": "string"})["a"][-1].as_py() == value


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e308", "1e-400", "17976931348623157e292"])
def test_an_infinity_that_is_written_and_a_number_that_is_held_are_read(
    tmp_path: Path, value: str
) -> None:
    (tmp_path / "t.csv").write_bytes(csv_bytes(["a"], [0.5], [value]))
    assert read(tmp_path / "t.csv")["a"].to_pylist() == [0.5, float(value)]


def test_digits_that_no_decimal_holds_are_lost() -> None:
    assert first_lost(pa.array(["1" * 76 + ".5"])) is not None


def refused(location: Path | str, where: str, value: int, **types: str) -> str:
    """Return the remedy of the error that names column a of a file and the row or line."""
    with pytest.raises(DataError, match=rf"column a of .* {LOST} {where}$") as caught:
        rows_of(opened(location, types=types))
    assert str(value) not in f"{caught.value}{caught.value.remedy}"
    return caught.value.remedy


@pytest.mark.parametrize("rows_before", [0, 2 * BLOCK_BYTES // 100])
@pytest.mark.parametrize("odd_first", [True, False])
def test_a_csv_column_of_whole_numbers_and_fractions(
    tmp_path: Path, rows_before: int, odd_first: bool
) -> None:
    path = tmp_path / "t.csv"
    filler = [["x" * 100, 1]] * rows_before
    rows = [["", ODD], *filler, ["", 0.5]] if odd_first else [*filler, ["", 0.5], ["", ODD]]
    path.write_bytes(csv_bytes(["f", "a"], *rows))
    remedy = refused(path, f"line {2 if odd_first else rows_before + 3}", ODD)
    assert remedy == "set source.*.types.a to string, or to float64 to round it"
    assert str(ODD) in read(path, types={"a": "string"})["a"].to_pylist()
    assert float(ODD) in read(path, types={"a": "float64"})["a"].to_pylist()
    path.write_bytes(path.read_bytes().replace(b"%d" % ODD, b"%d" % EXACT))
    assert EXACT in read(path)["a"].to_pylist()


WHERE = {"csv": "line 3", "jsonl": "line 2"}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow", "tfrecord"])
@pytest.mark.parametrize("names", ["12", "21"])
def test_whole_numbers_in_one_file_and_fractions_in_another(
    tmp_path: Path, suffix: str, names: str
) -> None:
    whole, fractions = (tmp_path / f"{name}.{suffix}" for name in names)
    WRITERS[suffix](whole, pa.table({"a": [1, ODD]}))
    WRITERS[suffix](fractions, pa.table({"a": [0.5, 1.5]}))
    refused(f"{tmp_path}/*.{suffix}", WHERE.get(suffix, "row 2"), ODD)
    found = read(f"{tmp_path}/*.{suffix}", types={"a": "float64"})["a"].to_pylist()
    assert sorted(found) == [0.5, 1.0, 1.5, float(ODD)]
    WRITERS[suffix](whole, pa.table({"a": [1, EXACT]}))
    assert EXACT in read(f"{tmp_path}/*.{suffix}")["a"].to_pylist()


@pytest.mark.parametrize("key", ["a", "ü"])
@pytest.mark.parametrize("blocks", [0, 1])
def test_json_lines_of_whole_numbers_and_fractions(tmp_path: Path, key: str, blocks: int) -> None:
    path = tmp_path / "t.jsonl"
    line = '{"%s": 1, "f": "%s"}\n'
    filler = line % (key, "x" * 1000) * (blocks * JSON_BYTES // 1000)
    escaped = key.encode("ascii", "backslashreplace").decode().replace("\\xfc", "\\u00fc")
    for name in {key, escaped}:
        path.write_text(f'{{"{name}": 1}}\n{{"{name}": {ODD}}}\n{filler}{{"{key}": 0.5}}\n')
        with pytest.raises(DataError, match=rf"column {key} of .* {LOST} line 2$") as caught:
            rows_of(opened(path))
        assert "to float64 to round it, or write it as text" in caught.value.remedy
    if key == "a":
        assert read(path, types={"a": "float64"})["a"][1].as_py() == float(ODD)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("column", ["loan amount", "ü"])
def test_a_column_that_no_settings_can_name_is_to_be_renamed(
    tmp_path: Path, suffix: str, column: str
) -> None:
    WRITERS[suffix](tmp_path / f"t.{suffix}", pa.table({column: [0.5, 1e300]}))
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(path.read_bytes().replace(b"1e+300", b"%d" % ODD))
    with pytest.raises(DataError, match=f"column {column} of ") as caught:
        opened(path)
    assert caught.value.remedy.startswith("rename the column, as settings cannot name it, and set")


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "ipc"])
@pytest.mark.parametrize("kind", [pa.decimal128(38, 0), pa.decimal128(38, 2), pa.decimal256(76, 2)])
def test_stored_decimals(tmp_path: Path, suffix: str, kind: pa.DataType) -> None:
    path = tmp_path / f"t.{suffix}"
    WRITERS[suffix](path, pa.table({"a": pa.array([Decimal(1), None, Decimal(ODD)], kind)}))
    refused(path, "row 3", ODD)
    assert read(path, types={"a": "int64"})["a"].to_pylist() == [1, None, ODD]
    assert read(path, types={"a": "string"})["a"][2].as_py().partition(".")[0] == str(ODD)
    assert read(path, types={"a": "float64"})["a"][2].as_py() == float(ODD)
    WRITERS[suffix](path, pa.table({"a": pa.array([Decimal(EXACT)], kind)}))
    assert read(path)["a"].to_pylist() == [EXACT]


@pytest.mark.parametrize("kind", [pa.decimal128(20, -2), pa.decimal256(40, -3)])
def test_a_decimal_of_hundreds_is_told_by_its_digits(tmp_path: Path, kind: pa.DataType) -> None:
    odd = (2**53 + 1) * 1000
    WRITERS["arrow"](tmp_path / "t.arrow", pa.table({"a": pa.array([Decimal(odd)], kind)}))
    refused(tmp_path / "t.arrow", "row 1", odd)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    digits=st.lists(st.integers(-(10**18) + 1, 10**18 - 1), min_size=20, max_size=20),
    scale=st.integers(0, 18),
    dictionary=st.booleans(),
)
@example([9740618] * 20, 2, False)
def test_a_stored_decimal_becomes_the_nearest_float64(
    tmp_path: Path, digits: list[int], scale: int, dictionary: bool
) -> None:
    written = [Decimal(number).scaleb(-scale) for number in digits if abs(number) < 2**53]
    column = pa.array(written, pa.decimal128(18, scale))
    stored = column.dictionary_encode() if dictionary and len(column) else column
    WRITERS["arrow"](tmp_path / "t.arrow", pa.table({"a": stored, "b": range(len(column))}))
    if written:
        found = read(tmp_path / "t.arrow")["a"].to_pylist()
        assert found == [float(number) for number in written]


def test_a_decimal_of_a_database_becomes_the_nearest_float64(database: str) -> None:
    assert ask("SELECT 97406.18::numeric(9, 2) AS a") == [97406.18]


def test_the_settings_may_round_stored_integers(tmp_path: Path) -> None:
    WRITERS["parquet"](tmp_path / "t.parquet", pa.table({"a": [ODD]}))
    assert read(tmp_path / "t.parquet")["a"].to_pylist() == [ODD]
    assert read(tmp_path / "t.parquet", types={"a": "float64"})["a"].to_pylist() == [float(ODD)]


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """A database with a table of two numbers whose sum no float64 is."""
    statements = ("CREATE TABLE n (a bigint)", "INSERT INTO n VALUES (9007199254740991), (2)")
    if request.param == "duckdb":
        address = f"duckdb:///{tmp_path}/n.duckdb"
        with duckdb.connect(f"{tmp_path}/n.duckdb") as connection:
            for statement in statements:
                connection.execute(statement)
    else:
        address = request.getfixturevalue("postgresql")
        execute(address, "DROP TABLE IF EXISTS n", *statements)
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", address)
    return str(request.param)


def ask(statement: str, **types: Any) -> list[Any]:
    table = open_table(Table(query=statement, database="shop", types=types))
    return list(rows_of(table)["a"].to_pylist())


def test_sums_of_a_database(database: str) -> None:
    total = "SELECT sum(a) AS a FROM n"
    with pytest.raises(DataError, match=rf"column a of the query of shop {LOST} row 1$") as caught:
        ask(total)
    assert str(ODD) not in f"{caught.value}{caught.value.remedy}"
    assert ask(total, a="int64") == [ODD]
    assert ask(total, a="string") == [str(ODD)]
    assert ask(total, a="float64") == [float(ODD)]
    assert ask("SELECT sum(a) - 1 AS a FROM n") == [ODD - 1]
    assert ask("SELECT 5.00::numeric(9, 2) AS a", a="int64") == [5]
    assert ask("SELECT 5.25::numeric(9, 2) AS a") == [5.25]
    with pytest.raises(DataError, match="column a of the query of shop holds what is no int64"):
        ask("SELECT 5.25::numeric(9, 2) AS a", a="int64")


def test_a_type_that_duckdb_gives_away_as_other_numbers_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "duckdb:///:memory:")
    with pytest.raises(DataError, match="column a of the query of shop is UHUGEINT") as caught:
        ask("SELECT 340282366920938463463374607431768211455::uhugeint AS a")
    assert "cast it in the query" in caught.value.remedy
