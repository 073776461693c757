"""Whatever the data: nothing differs from the schema inferred from it, nor after an update."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from schema_of_rows import window_of
from tried_examples import tries

from components.core.data_settings import Checks
from components.validate_examples.schema import parse_schema

pytestmark = pytest.mark.slow
ROWS = 12
COLUMNS = {
    "whole": (
        pa.int64(),
        st.integers(-3, 2**40) | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1]),
    ),
    "flag": (pa.int64(), st.integers(0, 1)),
    "number": (pa.float64(), st.floats(-1e6, 1e6) | st.sampled_from([math.inf, math.nan])),
    "text": (pa.string(), st.text("aé[]", max_size=2)),
}
Splits = dict[str, dict[str, tuple[str, list[object]]]]


@st.composite
def splits(draw: st.DrawFn) -> Splits:
    """Return two splits with the same columns, each of one kind, whatever its name was before."""
    kinds = {
        name: draw(st.sampled_from(sorted(COLUMNS)))
        for name in draw(st.sets(st.sampled_from("abcd"), min_size=1))
    }
    return {
        split: {
            name: (
                kind,
                draw(st.lists(st.none() | COLUMNS[kind][1], min_size=ROWS, max_size=ROWS)),
            )
            for name, kind in kinds.items()
        }
        for split in ("train", "eval")
    }


def _data(tables: Splits, listed: int | None = None) -> Any:
    made = {
        split: pa.table({n: pa.array(values, COLUMNS[k][0]) for n, (k, values) in columns.items()})
        for split, columns in tables.items()
    }
    return window_of({"eval": next(iter(made.values())).slice(0, 0)} | made, "a", listed)


@tries(60, suppress_health_check=[HealthCheck.too_slow])
@given(splits(), splits())
def test_nothing_differs_after_infer_and_after_update(before: Splits, after: Splits) -> None:
    from pipelines.schema_life import change
    from pipelines.schema_life.difference import differences
    from pipelines.schema_text import change as change_text
    from pipelines.schema_text import write

    old, new = _data(before), _data(after)
    for ranges in (False, True):
        schema = change.infer(old)
        if ranges:
            schema = change.with_ranges(schema, old)
        assert _but_infinite(differences(old, schema, Checks(), "training")) == []
        found = differences(new, schema, Checks(), "training")
        names = {difference.feature for difference in found}
        updated = change.update(schema, new, found)
        assert _but_infinite(differences(new, updated, Checks(), "training")) == []
        text = change_text(write(schema, "kept"), updated)
        assert _but_infinite(differences(new, parse_schema(text), Checks(), "training")) == []
        untouched = [f for f in schema.feature if f.name not in names]
        assert all(f in updated.feature for f in untouched)


def _but_infinite(found: list[Any]) -> list[Any]:
    """Return the differences save infinite numbers, which no schema lets pass."""
    return [difference for difference in found if difference.what != "infinity"]


@pytest.mark.parametrize("rows", [0, 3])
def test_a_column_without_a_value_in_one_split_may_be_missing_and_is_asked_about_still(
    rows: int,
) -> None:
    from pipelines.schema_life import change
    from pipelines.schema_life.difference import differences

    full: Splits = {"train": {"t": ("text", ["a"] * 3)}, "eval": {"t": ("text", ["a"] * 3)}}
    half: Splits = {"train": {"t": ("text", ["a"] * 3)}, "eval": {"t": ("text", [None] * rows)}}
    data, old = _data(half), change.infer(_data(full))
    for made in (change.infer(data), change.update(old, data, differences(data, old, Checks()))):
        assert "DEPRECATED" not in str(made)
        assert made.feature[0].presence.min_count == int(rows == 0)
        assert differences(data, made, Checks()) == []
        strange: Splits = {"train": {"t": ("text", ["x"])}, "eval": {"t": ("text", ["a"])}}
        assert [one.what for one in differences(_data(strange), made, Checks())] == ["new_values"]


@pytest.mark.parametrize("listed", [None, 1000])
@pytest.mark.parametrize("distinct", [90, 500, 5000])
def test_many_new_values_are_one_difference_and_one_update(
    distinct: int, listed: int | None
) -> None:
    """Where the statistics do not list all texts, the update leaves no domain with holes."""
    from pipelines.schema_life import change
    from pipelines.schema_life.difference import differences

    few = {"train": {"t": ("text", ["a", "b"] * 50)}}
    many = {"train": {"t": ("text", [f"v{n}" for n in range(distinct)] * 2)}}
    schema = change.infer(_data(few))
    new = _data(many, listed)
    is_all = listed is None or distinct <= listed
    (found,) = differences(new, schema, Checks())
    said = f"{distinct if is_all else 'at least 1000'} new values in 100 % of the rows"
    assert found.data_says == said
    assert found.stops
    updated = change.update(schema, new, [found])
    values = [len(domain.value) for domain in updated.string_domain]
    assert values == ([distinct + 2] if is_all else [])
    assert updated.feature[0].domain == ("t" if is_all else "")
    assert differences(new, updated, Checks()) == []


def test_one_rare_text_among_thousands_is_a_difference() -> None:
    from pipelines.schema_life.difference import differences

    known = [f"v{n}" for n in range(2000)]
    domain = " ".join(f'value: "{text}"' for text in known)
    schema = parse_schema(f'feature {{ name: "t" type: BYTES string_domain {{ {domain} }} }}')
    tables: Splits = {"train": {"t": ("text", [*known * 2, "0"])}}
    for listed, least, shown in ((1000, "at least ", ()), (None, "", ("0",))):
        (found,) = differences(_data(tables, listed), schema, Checks())
        assert (found.what, found.values) == ("new_values", shown)
        assert found.data_says.startswith(f"{least}1 new value in ")
