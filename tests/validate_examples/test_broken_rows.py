"""The rows that make a column of another type are those that a reader finds to be of another."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tried_examples import tries

from components.core.data_settings import Table
from components.reading.tables import open_table
from components.validate_examples.broken_rows import of_another_type

TEXTS = st.from_regex(r" ?[+-]?0{0,2}[0-9]{0,3}\.?[0-9]{0,2}([eE]-?[0-9])?[x,]? ?", fullmatch=True)


def is_broken(text: str, wanted: int) -> bool:
    mask = of_another_type(wanted, "string")
    assert mask is not None
    return bool(mask(pa.chunked_array([[text]]))[0].as_py())


@tries(300)
@given(text=TEXTS | st.sampled_from(["nan", "Inf", "-inf", "abc", "0x1F", "007", "1_0"]))
@example("+7")
@example("-0")
@example("1.")
def test_a_text_is_a_number_where_a_csv_column_of_it_is_one(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("texts") / "t.csv"
    path.write_text(f'a,b\n"{text}",x\n')
    kind = open_table(Table(location=str(path), null_values=())).schema.field("a").type
    assert is_broken(text, schema_pb2.INT) == (not pa.types.is_integer(kind))
    assert is_broken(text, schema_pb2.FLOAT) == (
        not (pa.types.is_integer(kind) or pa.types.is_floating(kind))
    )


def test_a_fraction_and_an_infinity_are_no_whole_numbers() -> None:
    mask = of_another_type(schema_pb2.INT, "float64")
    assert mask is not None
    rows = pa.chunked_array([[1.0, 1.5, None, float("inf"), -2.0]])
    assert mask(rows).to_pylist() == [False, True, None, True, False]


@pytest.mark.parametrize(
    ("wanted", "column"),
    [(schema_pb2.BYTES, "int64"), (schema_pb2.FLOAT, "int64"), (schema_pb2.INT, "int64")],
)
def test_where_every_row_is_of_another_type_none_is_pointed_at(wanted: int, column: str) -> None:
    assert of_another_type(wanted, column) is None
