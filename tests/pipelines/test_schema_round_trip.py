"""Whatever the data: nothing differs from the schema inferred from it, nor after an update."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyarrow as pa
import pytest
from computed_statistics import compute_statistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.core.data_settings import Checks
from components.validate_examples.schema import parse_schema

pytestmark = pytest.mark.slow
ROWS = 12
COLUMNS = {
    "whole": (pa.int64(), st.integers(-3, 2**40)),
    "flag": (pa.int64(), st.integers(0, 1)),
    "number": (pa.float64(), st.floats(-1e6, 1e6) | st.just(math.inf)),
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


def _statistics(tables: Splits, listed: int | None = None) -> Mapping[str, object]:
    return {
        split: compute_statistics(
            pa.table({n: pa.array(values, COLUMNS[k][0]) for n, (k, values) in columns.items()}),
            split,
            listed,
        )
        for split, columns in tables.items()
    }


def _whole_ranges(tables: Splits) -> dict[str, tuple[int, int]]:
    found: dict[str, list[int]] = {}
    for columns in tables.values():
        for name, (_, values) in columns.items():
            found.setdefault(name, []).extend(v for v in values if isinstance(v, int))
    return {name: (min(values), max(values)) for name, values in found.items() if values}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(splits(), splits())
def test_nothing_differs_after_infer_and_after_update(before: Splits, after: Splits) -> None:
    from pipelines.schema_life import change
    from pipelines.schema_life.difference import differences
    from pipelines.schema_text import change as change_text
    from pipelines.schema_text import write

    old, new = _statistics(before), _statistics(after)
    for ranges in (False, True):
        schema = change.infer(list(old.values()), "a")
        if ranges:
            schema = change.with_ranges(schema, list(old.values()), _whole_ranges(before))
        assert differences(old, schema, Checks(), "training") == []
        found = differences(new, schema, Checks(), "training")
        names = {difference.feature for difference in found}
        updated = change.update(schema, list(new.values()), found, names)
        assert differences(new, updated, Checks(), "training") == []
        text = change_text(write(schema, "kept"), updated)
        assert differences(new, parse_schema(text), Checks(), "training") == []
        untouched = [f for f in schema.feature if f.name not in names]
        assert all(f in updated.feature for f in untouched)


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
    schema = change.infer(list(_statistics(few).values()), "")
    new = _statistics(many, listed)
    is_all = listed is None or distinct <= listed
    (found,) = differences(new, schema, Checks())
    share = "100" if is_all else "20"
    said = f"{distinct if is_all else 'at least 1000'} new values in {share} % of the rows"
    assert found.data_says == said
    assert found.stops
    updated = change.update(schema, list(new.values()), [found], {"t"})
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
    assert differences(_statistics(tables, 1000), schema, Checks()) == []
    (found,) = differences(_statistics(tables), schema, Checks())
    assert (found.what, found.values) == ("domain", ("0",))
    assert found.data_says.startswith("1 new value in ")
