"""Rows of files: the types that a model asks for, and errors by column and row, without a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.errors import DataError
from components.reading.model_rows import rows_of

INPUTS = {"distance": "float32", "carrier": "string"}


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            ["hour,carrier,distance", "1,UA,5", "2,AA,far"],
            "column distance holds no number in row 3",
        ),
        (["distance,carrier", "5,UA", "far"], "row 3 has 1 columns instead of 2"),
        (["distance,carrier", "5,UA", "far,UA,3"], "row 3 has 3 columns instead of 2"),
        (["distance,hour", "5,UA"], "it has no column carrier"),
    ],
)
def test_what_is_wrong_is_said_by_column_and_row_without_a_value(
    tmp_path: Path, lines: list[str], cause: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError) as caught:
        list(rows_of(file, INPUTS))
    assert caught.value.message == f"{file} cannot be read as rows of this model: {cause}"
    assert "far" not in caught.value.message


def test_a_wrong_value_far_down_is_told_by_its_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("distance,carrier\n" + "5,UA\n" * 400_000 + "far,UA\n")
    with pytest.raises(DataError, match="column distance holds no number in row 400002"):
        list(rows_of(file, INPUTS))


def test_text_that_is_not_utf_8_is_told_by_its_column_and_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"distance,carrier\n5,UA\n5,\xff\n")
    with pytest.raises(DataError, match="column carrier holds no text in row 3"):
        list(rows_of(file, INPUTS))
