"""Anomalies beyond the usual ones: their rows, or in words that no row alone is at fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from computed_statistics import compute_statistics
from hypothesis import example, given
from hypothesis import strategies as st
from small_examples import SMALL_SCHEMA, small_rows, write_examples
from tried_examples import tries

from components.core.errors import GateError
from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow
KIND = 'name: "kind" type: BYTES domain: "kind" presence { min_fraction: 1.0 min_count: 1 }'
AMOUNT = 'name: "amount" type: FLOAT presence { min_fraction: 1.0 min_count: 1 }'
NUMBER = 'name: "number" type: INT presence { min_fraction: 1.0 min_count: 1 }'
ROWS = "(rows 3, 90 of examples eval/2013-02, counted from 0)"


@pytest.fixture
def failing(
    small_settings: Callable[..., ValidateSettings], tmp_path: Path
) -> Callable[..., GateError]:
    """Return what stops a run where a part of the schema and some columns are others."""

    def run(before: str, after: str, **columns: list[Any]) -> GateError:
        train = {name: [values[0]] * 200 for name, values in columns.items()}
        shards = {
            ("train", "2013-01"): small_rows(200, **train),
            ("eval", "2013-02"): small_rows(200, 200, **columns),
        }
        assert before in SMALL_SCHEMA
        made = small_settings({"schema": SMALL_SCHEMA.replace(before, after)})
        folders = {name: tmp_path / name for name in ("statistics", "validation")}
        for folder in folders.values():
            folder.mkdir()
        with pytest.raises(GateError) as caught:
            examples = write_examples(tmp_path / "examples", shards)
            validate_examples(settings=made, examples=examples, **folders)
        return caught.value

    return run


def but_two(usual: Any, strange: Any) -> list[Any]:
    return [strange if n in (3, 90) else usual for n in range(200)]


@pytest.mark.parametrize(
    ("domain", "usual", "strange", "words"),
    [
        (
            "int_domain { min: 0 }",
            "7",
            "seven",
            "schema:kind:int_type_not_int_string in eval: expected texts of whole numbers, found",
        ),
        (
            "float_domain { min: 0 }",
            "7.5",
            "x",
            "schema:kind:float_type_string_not_float in eval: expected texts of numbers, found",
        ),
        (
            'bool_domain { true_value: "yes" false_value: "no" }',
            "yes",
            "maybe",
            "schema:kind:bool_type_unexpected_string in eval: expected one of 2 known values, "
            "found",
        ),
        (
            "int_domain { min: 0 max: 9 }",
            "7",
            " 10",
            "schema:kind:range in eval: expected values from 0 to 9, found",
        ),
        (
            "float_domain { min: 0 max: 9 }",
            "+7.5",
            "-1e3",
            "schema:kind:range in eval: expected values from 0 to 9, found",
        ),
        (
            "float_domain { disallow_nan: true }",
            "7.5",
            "nan",
            "schema:kind:nan in eval: expected finite numbers, found",
        ),
    ],
)
def test_texts_that_are_not_what_their_domain_says_are_counted_and_the_first_shown(
    failing: Callable[..., GateError], domain: str, usual: str, strange: str, words: str
) -> None:
    after = f'name: "kind" type: BYTES {domain}'
    error = failing(KIND, after, kind=but_two(usual, strange))
    assert f"{words} others in 2 rows {ROWS}" in error.message
    assert [gate["slice"] for gate in error.gates if not gate["passed"]] == ["eval"]
    assert not {"seven", "maybe"}.intersection(error.message.split())


def test_a_number_that_is_neither_0_nor_1_is_counted_though_it_lies_between(
    failing: Callable[..., GateError],
) -> None:
    after = 'name: "amount" type: FLOAT bool_domain { }'
    error = failing(AMOUNT, after, amount=[*but_two(1.0, 0.5)[:-1], float("nan")])
    words = f"schema:amount:range in eval: expected 0 or 1, found others in 2 rows {ROWS}"
    assert words in error.message


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("value_count { min: 2 max: 3 }", "2 to 3 values in a row"),
        ("value_count { min: 0 max: 0 }", "0 to 0 values in a row"),
        ("shape { dim { size: 2 } }", "shape [2]"),
    ],
)
def test_where_another_number_of_values_is_asked_for_every_row_with_one_is_at_fault(
    failing: Callable[..., GateError], asked: str, words: str
) -> None:
    error = failing(NUMBER, f'name: "number" type: INT {asked}', number=[None, *range(199)])
    said = f"schema:number:shape in eval: expected {words}, found one value in 199 rows"
    assert f"{said} (rows 1, 2, 3, 4, 5 of examples eval/2013-02" in error.message


COLUMN = "it is about the column as a whole, so no row is shown"
SCHEMA = "it is about the schema itself, so no row is shown"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            KIND,
            'name: "kind" type: BYTES unique_constraints { min: 9 max: 10 }',
            f"TFDV's FEATURE_TYPE_LOW_UNIQUE: low number of unique values; {COLUMN}",
        ),
        (
            NUMBER,
            'name: "number" type: INT float_domain { min: 0 }',
            "TFDV's DOMAIN_INVALID_FOR_TYPE: the domain does not match the type; " + SCHEMA,
        ),
        (
            'string_domain { name: "kind"',
            'dataset_constraints { min_examples_count: 1000 } string_domain { name: "kind"',
            "TFDV's DATASET_LOW_NUM_EXAMPLES: low num examples in dataset; it is about the split "
            "as a whole, so no row is shown",
        ),
        (
            NUMBER,
            'name: "number" type: BYTES',
            "schema:number:type in eval: expected type BYTES, found int64, in every row",
        ),
    ],
)
def test_what_no_row_alone_is_at_fault_for_says_what_it_is_about(
    failing: Callable[..., GateError], before: str, after: str, words: str
) -> None:
    error = failing(before, after)
    assert words in error.message
    assert "counted from 0" not in error.message


TEXTS = st.from_regex(r" ?[+-]?[0-9]{0,3}\.?[0-9]{0,2}([eE][+-]?[0-9])?[x_]? ?", fullmatch=True)


@tries(150)
@given(text=TEXTS | st.sampled_from(["nan", "-Inf", "infinity", "0x1F", "1e", "", "é", "1e400"]))
@example("+7")
@example("007")
@example("1.")
@example(" 5 ")
@example("+-5")
def test_a_text_is_a_number_where_tfdv_reads_one(text: str) -> None:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    from components.validate_examples.anomalies import find_anomalies
    from components.validate_examples.broken_texts import broken_texts
    from components.validate_examples.schema import parse_schema

    statistics = compute_statistics(pa.table({"t": [text] * 3}), "train")
    rows = pa.chunked_array([[text, None]])
    for domain in ("int_domain { min: 2 max: 40 }", "float_domain { min: 2 disallow_nan: true }"):
        schema = parse_schema(f'feature {{ name: "t" type: BYTES {domain} }}')
        anomalies = find_anomalies(statistics, schema).anomaly_info
        found = {reason.type for info in anomalies.values() for reason in info.reason}
        for kind in (kind for kind in KINDS if kind.startswith(domain[:3].upper())):
            mask = broken_texts(kind, schema.feature[0], schema)
            assert mask is not None
            first, second = mask(rows).to_pylist()
            assert not second
            assert bool(first) == (anomalies_pb2.AnomalyInfo.Type.Value(kind) in found), kind


KINDS = (
    "INT_TYPE_NOT_INT_STRING",
    "INT_TYPE_SMALL_INT",
    "INT_TYPE_BIG_INT",
    "FLOAT_TYPE_STRING_NOT_FLOAT",
    "FLOAT_TYPE_SMALL_FLOAT",
    "FLOAT_TYPE_HAS_NAN",
)
