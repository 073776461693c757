"""JSON lines: what is written in them is read or told, by its line, as it stands in the file."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tried_examples import tries
from written_tables import opened, read

from components.core.errors import DataError, SettingsError
from components.reading.json_lines import BLOCK_BYTES

ODD = 2**53 + 1
FAULTS = {
    '{{"a": "{}"}}': "column a has a string in {} and a number before",
    '{{"a": 1, "a": "{}"}}': "no table of JSON lines: {} has column a more than once",
    '{{"a": {}}}': "no table of JSON lines: {} is no JSON object",
    "{}": "no table of JSON lines: {} is no JSON object",
    '{{"a": 9223372036854775808, "{}": 1}}': "a of .* an integer beyond int64, first in {}$",
    '{{"a": -1e400, "{}": 1}}': "column a of .* holds a number beyond float64, first in {}$",
}


@tries(150)
@given(
    fault=st.sampled_from(sorted(FAULTS)),
    rows=st.lists(st.tuples(st.sampled_from(["", "{e}", " {e}{e}"]), st.booleans()), max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
    late=st.booleans(),
)
def test_a_fault_is_told_by_the_line_that_an_editor_shows(
    tmp_path_factory: pytest.TempPathFactory,
    fault: str,
    rows: list[tuple[str, bool]],
    end: str,
    late: bool,
) -> None:
    path = tmp_path_factory.mktemp("lines") / "t.jsonl"
    filler = f'{{"a": 1, "b": "é{"x" * 9_000}"}}{end}{end}' * (BLOCK_BYTES // 9_000 * late)
    above = (
        filler
        + f'{{"a": 1}}{end}'
        + "".join(
            before.format(e=end) + f'{{"a":{end if broken else ""} 2}}{end}'
            for before, broken in rows
        )
    )
    text = above + fault.format("geheim") + end + f'{end}{{"a": 3}}{end}'
    path.write_bytes(text.encode())
    where = f"line {above.count(end) + 1}"
    with pytest.raises(DataError, match=FAULTS[fault].format(where)) as caught:
        opened(path)
    assert "geheim" not in f"{caught.value}{caught.value.remedy}"


@pytest.mark.parametrize("number", ["1e400", "17976931348623159e292"])
def test_a_number_beyond_float64_is_told_with_what_to_do(tmp_path: Path, number: str) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"a": 1, "b": 0.5}}\n{{"a": 2, "b": {number}}}\n')
    with pytest.raises(DataError) as caught:
        opened(tmp_path / "t.jsonl")
    assert caught.value.message == (
        f"column b of {tmp_path}/t.jsonl holds a number beyond float64, first in line 2"
    )
    assert caught.value.remedy == "write it as text, or correct it"


KEYS = {"é": r"\u00E9", "a/b": r"a\/b", "a\tb": r"a\tb", 'q"': r"q\"", "😀": r"\ud83d\uDE00"}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("plain_first", [True, False])
def test_a_key_written_with_escapes_hides_no_number(
    tmp_path: Path, key: str, plain_first: bool
) -> None:
    plain, escaped = json.dumps(key, ensure_ascii=False), f'"{KEYS[key]}"'
    lines = [f"{{{plain}: 0.5}}\n", f"{{{escaped}: {ODD}}}\n"]
    (tmp_path / "t.jsonl").write_text("".join(lines if plain_first else lines[::-1]))
    with pytest.raises(DataError, match=rf"beyond 2\*\*53 .* first in line {1 + plain_first}$"):
        opened(tmp_path / "t.jsonl")
    (tmp_path / "t.jsonl").write_text(lines[1])
    assert read(tmp_path / "t.jsonl")[key].to_pylist() == [ODD]


def test_a_text_that_is_like_a_key_and_a_number_is_a_text(tmp_path: Path) -> None:
    text = f'{{"b": "\\"a\\": {ODD}, ", "a": 1e17}}\n{{"a": 0.5}}\n'
    (tmp_path / "t.jsonl").write_text(text)
    assert read(tmp_path / "t.jsonl")["a"].to_pylist() == [1e17, 0.5]


def test_a_column_of_the_settings_is_there_only_where_it_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"b": "a"}\n')
    with pytest.raises(SettingsError, match=r"names column a, which .* does not have"):
        opened(tmp_path / "t.jsonl", types={"a": "float64"})
    (tmp_path / "t.jsonl").write_text('{"b": "x", "\\u0061": null}\n')
    assert read(tmp_path / "t.jsonl", types={"a": "string"})["a"].to_pylist() == [None]


LOCAL, ZONED = "2013-01-01T10:00:00", "2013-01-01T10:00:00+02:00"
UTC = datetime.datetime(2013, 1, 1, 8, tzinfo=datetime.UTC)


@pytest.mark.parametrize("filler", [0, BLOCK_BYTES // 1000])
def test_times_with_a_zone_and_without_are_not_one_column_of_times(
    tmp_path: Path, filler: int
) -> None:
    def write(*times: str) -> Path:
        between = f'{{"b": "{"x" * 1000}"}}\n' * filler
        (tmp_path / "t.jsonl").write_text(between.join(f'{{"a": "{time}"}}\n' for time in times))
        return tmp_path / "t.jsonl"

    mixed = read(write(LOCAL, ZONED))["a"].drop_null()
    assert mixed.to_pylist() == [LOCAL, ZONED]
    zoned = read(write(ZONED, "2013-01-01T08:00:00Z"))["a"].drop_null()
    assert zoned.to_pylist() == [UTC, UTC]
    assert read(write(LOCAL, LOCAL))["a"].type == pa.timestamp("s")
    with pytest.raises(
        DataError, match=r"column a of .* holds 1 value that is no date, first in l"
    ):
        opened(write(LOCAL, ZONED)).require_dates("a")


def test_times_of_one_zone_in_one_file_and_of_none_in_another_are_refused(tmp_path: Path) -> None:
    for name, time in {"1": LOCAL, "2": ZONED}.items():
        (tmp_path / f"{name}.jsonl").write_text(f'{{"a": "{time}"}}\n')
    with pytest.raises(DataError, match=r"column a is timestamp\[s, tz=UTC\] in .*/2.jsonl"):
        opened(f"{tmp_path}/*.jsonl")


def test_a_column_that_the_settings_call_a_date_has_no_zone(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"a": "{LOCAL}.5"}}\n\n{{"a": "{ZONED}"}}\n')
    with pytest.raises(DataError, match=r"holds 1 value that is no date, first in line 3$"):
        read(tmp_path / "t.jsonl", types={"a": "timestamp"})
