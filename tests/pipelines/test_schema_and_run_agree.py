"""A review of rows and a run on them go by the same facts: NaN, infinities, whole numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_of_rows import examples_of, failing_gates, schema_of, stopping_differences
from tried_examples import tries

from pipelines.cli import main

pytestmark = pytest.mark.slow
Write = Callable[[dict[str, Any]], Path]
BIG = 2**53


@pytest.fixture
def shop(values: dict[str, Any], write_settings: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small use case that has no schema yet."""
    values["checks"] = {"minimum_rows": 1}
    folder = write_settings(values).parent
    (folder / "shop.pbtxt").unlink()
    monkeypatch.setenv("TANDEM_SOURCES", "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return folder


def write_distances(folder: Path, change: Mapping[int, object], others: object) -> None:
    """Give the rows these distances, by their number in the file."""
    header, *lines = (folder / "rows.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for number, row in enumerate(rows):
        row[3] = str(change.get(number, others))
    (folder / "rows.csv").write_text("\n".join([header, *map(",".join, rows)]) + "\n")


def test_a_run_on_the_rows_that_a_schema_was_inferred_from_meets_it_though_some_are_nan(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_distances(shop, {3: "nan", 100: "nan"}, "1.5")
    assert main(["schema", "infer", str(shop)]) == 0
    assert (
        'name: "distance"\n  type: FLOAT\n  presence { min_count: 1 }'
        in (shop / "shop.pbtxt").read_text()
    )
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 0
    assert "nothing differs" in capsys.readouterr().out


def test_nan_is_missing_in_a_review_and_an_update_lets_it_be(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    path = shop / "shop.pbtxt"
    path.write_text(
        path.read_text().replace('"distance"\n  type: INT', '"distance"\n  type: FLOAT')
    )
    write_distances(shop, {3: "nan", 4: "", 100: "nan"}, "1.5")
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 3
    said = capsys.readouterr().out
    assert "distance: presence: schema in 100 % of the rows or more" in said
    assert "data missing in 2 of 80 rows (train): a run stops" in said
    assert "data missing in 1 of 40 rows (eval): a run stops" in said
    assert main(["schema", "update", str(shop), "--all", "--yes"]) == 0
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 0


def test_infinities_are_a_difference_that_stops_and_no_schema_lets_pass(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_distances(shop, {3: "inf", 4: "-inf", 100: "inf"}, "1.5")
    line = "distance: infinity: schema finite numbers; data an infinite number in 2 of 80 rows"
    assert main(["schema", "infer", str(shop)]) == 0
    said = capsys.readouterr().out
    assert f"{line} (train): a run stops" in said
    assert "what no schema lets pass in these rows: 2 differences, 2 would stop a run" in said
    assert main(["schema", "review", str(shop)]) == 3
    assert f"{line} (train): a run stops" in capsys.readouterr().out
    before = (shop / "shop.pbtxt").read_text()
    assert main(["schema", "update", str(shop), "--all", "--yes"]) == 0
    assert capsys.readouterr().out.endswith("no schema lets this pass: nothing was changed\n")
    assert (shop / "shop.pbtxt").read_text() == before


@pytest.mark.parametrize(
    ("domain", "extreme", "said", "becomes"),
    [
        (
            f"max: {BIG}",
            BIG + 1,
            f"schema any to {BIG}; data 7 to {BIG + 1}",
            f"int_domain {{ max: {BIG + 1} }}",
        ),
        (
            f"min: -{BIG} max: 9",
            -BIG - 1,
            f"schema -{BIG} to 9; data -{BIG + 1} to 7",
            f"int_domain {{ min: -{BIG + 1} max: 9 }}",
        ),
        (
            "min: 0 max: 9",
            2**63 - 1,
            f"schema 0 to 9; data 7 to {2**63 - 1}",
            f"int_domain {{ min: 0 max: {2**63 - 1} }}",
        ),
    ],
)
def test_whole_numbers_are_reviewed_and_updated_to_the_last_digit(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    domain: str,
    extreme: int,
    said: str,
    becomes: str,
) -> None:
    main(["schema", "infer", str(shop)])
    path, named = shop / "shop.pbtxt", '"distance"\n  type: INT'
    path.write_text(path.read_text().replace(named, f"{named} int_domain {{ {domain} }}"))
    write_distances(shop, {3: extreme, 100: extreme}, 7)
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 3
    assert f"distance: range: {said} (train, eval): a run stops" in capsys.readouterr().out
    assert main(["schema", "update", str(shop), "--all", "--yes"]) == 0
    assert becomes in path.read_text()
    assert main(["schema", "review", str(shop)]) == 0


def test_a_number_that_only_as_a_double_is_out_of_its_range_is_no_difference(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_distances(shop, {3: BIG + 3}, BIG + 1)
    assert main(["schema", "infer", str(shop), "--ranges"]) == 0
    before = (shop / "shop.pbtxt").read_text()
    assert f"int_domain {{ min: {BIG + 1} max: {BIG + 3} }}" in before
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 0
    assert main(["schema", "update", str(shop), "--all", "--yes"]) == 0
    assert (shop / "shop.pbtxt").read_text() == before


KINDS = {
    "amount": (st.sampled_from([None, 0.5, math.nan, math.inf, -3.25]), pa.float64()),
    "count": (st.sampled_from([None, 0, 1, BIG, BIG + 1, -(2**63), 2**63 - 1]), pa.int64()),
    "flag": (st.sampled_from([0, 1]), pa.int64()),
    "kind": (st.sampled_from([None, "a", "b", "c", ""]), pa.string()),
}
ROWS = st.integers(5, 12)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, pa.Table]:
    """Return both splits, of four columns."""

    def table() -> pa.Table:
        rows = draw(ROWS)
        values = {n: draw(st.lists(k, min_size=rows, max_size=rows)) for n, (k, _) in KINDS.items()}
        return pa.table({name: pa.array(values[name], kind) for name, (_, kind) in KINDS.items()})

    return {split: table() for split in ("train", "eval")}


@tries(25)
@given(first=splits(), second=splits())
def test_what_a_review_says_would_stop_a_run_is_what_stops_it(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, pa.Table],
    second: dict[str, pa.Table],
) -> None:
    folder = tmp_path_factory.mktemp("agree")
    old, new = examples_of(folder / "old", first), examples_of(folder / "new", second)
    schema = schema_of(old)
    stopped = failing_gates(old, schema)
    assert stopped == {gate for gate in stopped if gate.endswith(":infinity")}
    assert failing_gates(new, schema) == stopping_differences(new, schema)
