"""Every gate of the settings on made-up rows: one that passes, one that does not, and its words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_examples import SMALL_SCHEMA, small_rows, write_examples

from components.core.artifacts import tree_digest
from components.core.errors import GateError, SettingsError
from components.core.outcome import Outcome
from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow
Make = Callable[..., ValidateSettings]
MONTHS = {
    ("train", "2013-01"): small_rows(200),
    ("train", "2013-02"): small_rows(200, 200),
    ("eval", "2013-03"): small_rows(200, 400),
}


def validate(settings: ValidateSettings, examples: Path) -> Outcome:
    """Run the step into folders beside the examples."""
    folders = {n: examples.parent / "out" / n for n in ("statistics", "validation")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return validate_examples(settings=settings, examples=examples, **folders)


def failing(settings: ValidateSettings, examples: Path) -> GateError:
    with pytest.raises(GateError) as caught:
        validate(settings, examples)
    return caught.value


def verdict(examples: Path) -> dict[str, Any]:
    path = examples.parent / "out" / "validation" / "validation.json"
    return dict(json.loads(path.read_text()))


@pytest.fixture
def months(tmp_path: Path) -> Callable[..., Path]:
    """Return examples of three months, with the rows of some shards exchanged."""

    def write(**changed: pa.Table) -> Path:
        named = {
            "jan": ("train", "2013-01"),
            "feb": ("train", "2013-02"),
            "mar": ("eval", "2013-03"),
        }
        shards = {**MONTHS, **{named[name]: rows for name, rows in changed.items()}}
        return write_examples(tmp_path / "examples", shards)

    return write


def test_all_gates_together_pass_and_are_recorded(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    settings = small_settings(
        drift={"kind": 0.1, "amount": 0.1},
        skew={"amount": 0.1},
        label_shift=0.05,
        duplicate_rows=0.0,
    )
    outcome = validate(settings, months())

    assert [(gate.name, gate.slice) for gate in outcome.gates] == [
        ("schema", "train"),
        ("schema", "eval"),
        ("minimum_rows", "train"),
        ("minimum_rows", "eval"),
        ("class_share:late", "train"),
        ("class_share:late", "eval"),
        ("leakage", "all splits"),
        ("drift:amount", "2013-03 against 2013-02"),
        ("drift:kind", "2013-03 against 2013-02"),
        ("skew:amount", "eval against train"),
        ("label_shift:late", "2013-03 against 2013-02"),
        ("duplicate_rows", "all splits"),
    ]
    assert all(gate.passed for gate in outcome.gates)
    assert outcome.facts["duplicate_share"] == 0.0
    assert outcome.facts["rows_by_split"] == {"train": 400, "eval": 200}


def test_new_text_passes_up_to_its_share_and_stops_beyond(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    kinds = ["secret" if n % 50 == 7 else "a" for n in range(200)]
    examples = months(mar=small_rows(200, 400, kind=kinds))

    error = failing(small_settings(new_values=0.01), examples)

    assert (
        "schema:kind:new_values in eval: expected one of 3 known values in all but a share of 0.01 "
        "of the rows, found others in 4 rows (rows 7, 57, 107, 157 of examples "
        "eval/2013-03, counted from 0)"
    ) in error.message
    assert "secret" not in error.message + json.dumps([error.gates, error.expected, error.actual])


def test_new_text_stops_a_run_however_many_texts_there_are(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    known = [f"k{n}" for n in range(1500)]
    values = " ".join(f'value: "{k}"' for k in known)
    schema = SMALL_SCHEMA.replace('value: "a" value: "b" value: "c"', values)
    kinds = [known[n % 1500] for n in range(3000)]
    strange = [*kinds[:-3], "new1", "new2", "new3"]
    shards = {"jan": small_rows(3000, kind=kinds), "feb": small_rows(3000, 3000, kind=kinds)}
    examples = months(**shards, mar=small_rows(3000, 6000, kind=strange))
    error = failing(small_settings(others={"schema": schema}), examples)
    assert "schema:kind:new_values in eval: expected one of 1500 known values" in error.message
    assert "found others in 3 rows" in error.message


def test_new_text_within_its_share_is_a_gate_that_passed(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    kinds = ["new" if n % 50 == 7 else "a" for n in range(200)]

    outcome = validate(small_settings(new_values=0.02), months(mar=small_rows(200, kind=kinds)))

    (gate,) = (gate for gate in outcome.gates if gate.name == "schema:kind:new_values")
    assert (gate.value, gate.threshold, gate.passed) == (0.02, 0.02, True)


def test_a_missing_value_is_shown_by_at_most_five_row_numbers_everywhere(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    amounts = [None if n % 10 == 3 else 1.0 for n in range(200)]
    examples = months(jan=small_rows(200, amount=amounts), feb=small_rows(200, 200, amount=amounts))

    error = failing(small_settings(), examples)

    words = "schema:amount:presence in train: expected a value in a share of 1 of the rows"
    assert (
        f"{words}, found 0.9000 (rows 3, 13, 23, 33, 43 of examples train/2013-01" in error.message
    )
    (failed,) = verdict(examples)["failed"]
    assert (failed["gate"], failed["slice"]) == ("schema:amount:presence", "train")
    assert failed["rows"][0] == {"split": "train", "span": "2013-01", "row": 3}
    assert len(failed["rows"]) == 5


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            'name: "amount" type: FLOAT presence { min_count: 1 }',
            "schema:amount:presence in eval: expected a value in 1 row or more, found 0 with one",
        ),
        (
            'name: "amount" type: FLOAT presence { min_fraction: 0.0 min_count: 300 }',
            "schema:amount:presence in eval: expected a value in 300 rows or more, found 0 with",
        ),
    ],
)
def test_a_column_that_is_empty_is_told_in_our_own_words(
    small_settings: Make, months: Callable[..., Path], said: str, words: str
) -> None:
    schema = SMALL_SCHEMA.replace(
        'name: "amount" type: FLOAT presence { min_fraction: 1.0 min_count: 1 }', said
    )
    assert schema != SMALL_SCHEMA
    examples = months(mar=small_rows(200, 400, amount=[None] * 200))

    error = failing(small_settings({"schema": schema}), examples)

    assert words in error.message
    assert "ropped" not in error.message


NOT_PRESENT = "schema:amount:presence in eval: expected a value in"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "presence { min_fraction: 1.0 }",
            f"{NOT_PRESENT} a share of 1 of the rows, found 0.9700",
        ),
        (
            "presence { min_fraction: 0.98 min_count: 1 }",
            f"{NOT_PRESENT} a share of 0.98 of the rows, found 0.9700",
        ),
        (
            "presence { min_count: 195 }",
            f"{NOT_PRESENT} 195 rows or more, found 194 with one",
        ),
        (
            "shape { dim { size: 1 } }",
            "schema:amount:shape in eval: expected a value in a share of 1 of the rows, found 0.97",
        ),
    ],
)
def test_a_number_that_is_none_is_missing_as_one_that_is_not_there(
    small_settings: Make, months: Callable[..., Path], said: str, words: str
) -> None:
    whole = 'name: "amount" type: FLOAT presence { min_fraction: 1.0 min_count: 1 }'
    schema = SMALL_SCHEMA.replace(whole, f'name: "amount" type: FLOAT {said}')
    amounts = [None if n == 57 else float("nan") if n % 40 == 7 else 1.0 for n in range(200)]
    examples = months(mar=small_rows(200, 400, amount=amounts))

    error = failing(small_settings({"schema": schema}), examples)

    assert words in error.message
    assert "(rows 7, 47, 57, 87, 127 of examples eval/2013-03, " in error.message
    assert sum(not gate["passed"] for gate in error.gates) == 1


def test_numbers_that_are_none_pass_where_enough_others_are_there(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    amounts = [float("nan") if n >= 14 else float(n) for n in range(200)]
    examples = months(mar=small_rows(200, 400, amount=amounts))
    for presence in ("min_fraction: 0.07 min_count: 14", ""):
        schema = SMALL_SCHEMA.replace("min_fraction: 1.0 min_count: 1", presence, 1)

        outcome = validate(small_settings({"schema": schema}), examples)

        assert all(gate.passed for gate in outcome.gates)
        assert outcome.facts["anomalies"] == 0
        shutil.rmtree(examples.parent / "out")


@pytest.mark.parametrize("severity", ["warning", "ignore"])
def test_numbers_that_are_none_can_be_let_pass(
    small_settings: Make, months: Callable[..., Path], severity: str
) -> None:
    amounts = [float("nan")] * 199
    for last, kind in ((1.0, "LOW_FRACTION_PRESENT"), (float("nan"), "NOT_PRESENT")):
        examples = months(mar=small_rows(200, 400, amount=[*amounts, last]))

        settings = small_settings(severities={f"FEATURE_TYPE_{kind}": severity})
        outcome = validate(settings, examples)

        assert not any("presence" in gate.name for gate in outcome.gates)
        (anomaly,) = verdict(examples)["anomalies"]
        assert (anomaly["type"], anomaly["severity"]) == (f"FEATURE_TYPE_{kind}", severity.upper())
        shutil.rmtree(examples.parent / "out")


@pytest.mark.parametrize(
    ("said", "bad", "words"),
    [
        (
            "shape { dim { size: 1 } }",
            None,
            "schema:amount:shape in eval: expected a value in a share of 1 of the rows, found 0.98",
        ),
        (
            "float_domain { disallow_nan: true }",
            float("nan"),
            "schema:amount:nan in eval: expected finite numbers, found others in 4 rows",
        ),
        (
            "float_domain { disallow_inf: true }",
            float("inf"),
            "schema:amount:infinity in eval: expected finite numbers, found others in 4 rows",
        ),
    ],
)
def test_a_missing_value_of_a_shape_and_what_is_no_finite_number_stop_by_rows(
    small_settings: Make, months: Callable[..., Path], said: str, bad: float | None, words: str
) -> None:
    schema = SMALL_SCHEMA.replace(
        'name: "amount" type: FLOAT presence { min_fraction: 1.0 min_count: 1 }',
        f'name: "amount" type: FLOAT {said}',
    )
    amounts = [bad if n % 50 == 7 else 1.0 for n in range(200)]
    examples = months(mar=small_rows(200, 400, amount=amounts))

    error = failing(small_settings({"schema": schema}), examples)

    assert words in error.message
    assert "(rows 7, 57, 107, 157 of examples eval/2013-03, " in error.message


@pytest.mark.parametrize("infinite", [float("inf"), float("-inf")])
def test_an_infinite_number_stops_a_run_unless_the_settings_let_it_pass(
    small_settings: Make, months: Callable[..., Path], infinite: float
) -> None:
    amounts = [infinite if n in (3, 90) else float(n) for n in range(200)]
    examples = months(mar=small_rows(200, 400, amount=amounts))

    error = failing(small_settings(), examples)

    words = "schema:amount:infinity in eval: expected finite numbers, found others in 2 rows"
    assert f"{words} (rows 3, 90 of examples eval/2013-03, counted from 0)" in error.message
    assert error.facts["anomalies"] == 1

    for severity, listed in (("warning", ["FLOAT_TYPE_HAS_INF"]), ("ignore", [])):
        shutil.rmtree(examples.parent / "out")
        outcome = validate(small_settings(severities={"FLOAT_TYPE_HAS_INF": severity}), examples)
        assert not any("infinity" in gate.name for gate in outcome.gates)
        assert [anomaly["type"] for anomaly in verdict(examples)["anomalies"]] == listed
        assert outcome.facts["anomalies"] == len(listed)


def test_a_number_outside_its_range_of_0_to_1_is_counted(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    schema = SMALL_SCHEMA.replace('"number" type: INT', '"number" type: INT bool_domain { }')
    flags = [{8: 2, 9: -1}.get(n, n % 2) for n in range(200)]
    rows = {n: small_rows(200, s, number=flags) for n, s in (("jan", 0), ("feb", 200))}
    examples = months(**rows, mar=small_rows(200, 400, number=[n % 2 for n in range(200)]))

    error = failing(small_settings({"schema": schema}), examples)

    words = "schema:number:range in train: expected 0 or 1, found others in 4 rows"
    first, second = (f"rows 8, 9 of examples train/2013-0{month}" for month in (1, 2))
    assert f"{words} ({first}, {second}, counted from 0)" in error.message


@pytest.mark.parametrize(
    ("domain", "usual", "bad", "ends"),
    [
        ("min: 0 max: 250", 7, 2**63 - 1, "0 to 250"),
        ("max: 250", 7, 2**63 - 1, "-inf to 250"),
        ("min: 0", 7, -(2**63), "0 to inf"),
        ("max: 9007199254740992", 7, 2**53 + 1, "-inf to 9007199254740992"),
        ("min: 9007199254740993", 2**53 + 1, 2**53, "9007199254740993 to inf"),
    ],
)
def test_a_whole_number_beyond_its_range_stops_however_large_it_is(
    small_settings: Make,
    months: Callable[..., Path],
    domain: str,
    usual: int,
    bad: int,
    ends: str,
) -> None:
    schema = SMALL_SCHEMA.replace(
        '"number" type: INT', f'"number" type: INT int_domain {{ {domain} }}'
    )
    fine = {n: small_rows(200, s, number=[usual] * 200) for n, s in (("jan", 0), ("feb", 200))}
    numbers = [bad if n in (3, 90) else usual for n in range(200)]
    examples = months(**fine, mar=small_rows(200, 400, number=numbers))

    error = failing(small_settings({"schema": schema}), examples)

    words = f"schema:number:range in eval: expected values from {ends}, found others in 2 rows"
    assert f"{words} (rows 3, 90 of examples eval/2013-03, counted from 0)" in error.message
    assert [gate["name"] for gate in error.gates if not gate["passed"]] == ["schema:number:range"]


def test_whole_numbers_at_the_very_end_of_their_range_pass(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    schema = SMALL_SCHEMA.replace(
        '"number" type: INT', '"number" type: INT int_domain { min: 9007199254740993 }'
    )
    starts = {"jan": 0, "feb": 200, "mar": 400}
    least = [2**53 + 1 + n for n in range(200)]
    examples = months(**{n: small_rows(200, s, number=least) for n, s in starts.items()})

    outcome = validate(small_settings({"schema": schema}), examples)

    assert all(gate.passed for gate in outcome.gates)
    assert verdict(examples)["anomalies"] == []


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_a_gate_on_a_range_counts_the_rows_beyond_each_end_that_is_an_error(
    small_settings: Make, months: Callable[..., Path], severity: str
) -> None:
    schema = SMALL_SCHEMA.replace(
        '"number" type: INT', '"number" type: INT int_domain { min: 0 max: 9 }'
    )
    fine = {n: small_rows(200, s, number=[1] * 200) for n, s in (("jan", 0), ("feb", 200))}
    numbers = [{3: -1, 9: 10, 90: -2}.get(n, 1) for n in range(200)]
    examples = months(**fine, mar=small_rows(200, 400, number=numbers))
    settings = small_settings({"schema": schema}, severities={"INT_TYPE_BIG_INT": severity})

    error = failing(settings, examples)

    rows = "3 rows (rows 3, 9, 90" if severity == "error" else "2 rows (rows 3, 90"
    assert f"expected values from 0 to 9, found others in {rows} of examples" in error.message
    listed = {(item["type"], item["severity"]) for item in verdict(examples)["anomalies"]}
    assert listed == {
        ("INT_TYPE_SMALL_INT", "ERROR"),
        ("INT_TYPE_BIG_INT", severity.upper()),
    }


TYPE = "schema:amount:type in eval: expected type"


@pytest.mark.parametrize(
    ("amounts", "said", "words"),
    [
        (
            ["abc" if n in (3, 90) else f"{n}.5" for n in range(200)],
            "FLOAT",
            f"{TYPE} FLOAT, found string, with what is no number",
        ),
        (
            [1.5 if n in (3, 90) else float(n) for n in range(200)],
            "INT",
            f"{TYPE} INT, found float64, with what is no whole number",
        ),
    ],
)
def test_values_of_another_type_are_counted_and_the_first_rows_shown(
    small_settings: Make, tmp_path: Path, amounts: list[Any], said: str, words: str
) -> None:
    def rows(values: list[Any], start: int) -> pa.Table:
        made = small_rows(200, start)
        return made.set_column(0, "amount", pa.array(values))

    plain = [type(amounts[0])(n) for n in range(200)]
    shards = {("train", "2013-01"): rows(plain, 0), ("eval", "2013-02"): rows(amounts, 200)}
    schema = SMALL_SCHEMA.replace('"amount" type: FLOAT', f'"amount" type: {said}')
    settings = small_settings({"schema": schema})

    error = failing(settings, write_examples(tmp_path / "examples", shards))

    assert (
        f"{words} in 2 rows (rows 3, 90 of examples eval/2013-02, counted from 0)" in error.message
    )
    found = "string" if said == "FLOAT" else "float64"
    assert (
        f"schema:amount:type in train: expected type {said}, found {found}, by no row here: "
        "by rows of another split, or by the source's `types`"
    ) in error.message
    assert "abc" not in error.message + json.dumps([error.gates, error.expected, error.actual])


def test_a_severity_of_the_settings_wins_over_tfdvs(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    def wider(rows: pa.Table) -> pa.Table:
        return rows.append_column("surprise", rows["number"])

    examples = months(
        **{n: wider(rows) for n, rows in zip(("jan", "feb", "mar"), MONTHS.values(), strict=True)}
    )

    outcome = validate(small_settings(severities={"SCHEMA_NEW_COLUMN": "warning"}), examples)

    assert not any("surprise" in gate.name for gate in outcome.gates)
    listed = verdict(examples)["anomalies"]
    assert {(a["feature"], a["severity"], a["type"]) for a in listed} == {
        ("surprise", "WARNING", "SCHEMA_NEW_COLUMN")
    }


def test_a_severity_of_no_type_is_refused_before_anything_is_computed(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    examples = months()
    with pytest.raises(
        SettingsError, match=r"SCHEMA_NEW_COLUMNS .* did you mean SCHEMA_NEW_COLUMN"
    ):
        validate(small_settings(severities={"SCHEMA_NEW_COLUMNS": "error"}), examples)
    assert not any((examples.parent / "out" / "statistics").iterdir())


def test_a_warning_can_be_made_an_error(small_settings: Make, months: Callable[..., Path]) -> None:
    schema = SMALL_SCHEMA + 'feature { name: "gone" type: INT presence { min_count: 1 } }\n'
    passing = {"SCHEMA_MISSING_COLUMN": "ignore"}
    examples = months()
    outcome = validate(small_settings({"schema": schema}, severities=passing), examples)
    assert all(gate.passed for gate in outcome.gates)
    assert {a["severity"] for a in verdict(examples)["anomalies"]} == {"IGNORE"}


def test_drift_and_skew_work_where_every_span_is_in_both_splits(
    small_settings: Make, tmp_path: Path
) -> None:
    old, new = ["a", "b"] * 100, ["b", "b", "b", "a"] * 50
    shards = {
        ("train", "2013-01"): small_rows(200, kind=old),
        ("eval", "2013-01"): small_rows(200, 200, kind=old),
        ("train", "2013-02"): small_rows(200, 400, kind=new),
        ("eval", "2013-02"): small_rows(200, 600, kind=new),
    }
    examples = write_examples(tmp_path / "examples", shards)

    error = failing(small_settings(drift={"kind": 0.2}, skew={"kind": 0.01}), examples)

    (gate,) = (gate for gate in error.gates if not gate["passed"])
    assert (gate["name"], gate["slice"]) == ("drift:kind", "2013-02 against 2013-01")
    assert gate["value"] == pytest.approx(0.25)
    assert gate["n"] == 400


def test_skew_names_the_feature_and_both_splits(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    amounts = [float(n % 10) + 30 for n in range(200)]

    error = failing(
        small_settings(skew={"amount": 0.3, "kind": 0.3}),
        months(mar=small_rows(200, 400, amount=amounts)),
    )

    assert "1 of " in error.message
    assert "skew:amount in eval against train: expected a jensen_shannon_div" in error.message


def test_a_shift_of_labels_between_the_last_spans_stops(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    late = [int(n % 2 == 0) for n in range(200)]

    error = failing(small_settings(label_shift=0.2), months(mar=small_rows(200, 400, late=late)))

    assert (
        "label_shift:late in 2013-03 against 2013-02: expected a difference of at most 0.2, "
        "found 0.2500"
    ) in error.message


def test_with_one_span_labels_shift_between_the_splits(
    small_settings: Make, tmp_path: Path
) -> None:
    late = [int(n % 2 == 0) for n in range(200)]
    shards = {("train", "all"): small_rows(200), ("eval", "all"): small_rows(200, 200, late=late)}

    error = failing(small_settings(label_shift=0.2), write_examples(tmp_path / "examples", shards))

    assert "label_shift:late in eval against train" in error.message


def test_a_number_that_is_missing_from_the_data_is_no_drift_but_a_missing_column(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    asked = 'feature { name: "gone" type: FLOAT presence { min_count: 1 } }'
    settings = small_settings(
        {"schema": SMALL_SCHEMA + asked}, drift={"gone": 0.1}, skew={"gone": 0.1}
    )

    error = failing(settings, months())

    for gate in ("drift:gone in 2013-03 against 2013-02", "skew:gone in eval against train"):
        assert f"{gate}: expected a column of this name, there is none" in error.message
    gates = {gate["name"]: gate for gate in error.gates if not gate["passed"]}
    assert (gates["drift:gone"]["metric"], gates["drift:gone"]["value"]) == ("columns", 0)
    assert "schema:gone:missing_column" in gates


def test_a_column_without_a_value_in_the_last_span_is_told_as_such(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    schema = SMALL_SCHEMA.replace("FLOAT presence { min_fraction: 1.0 min_count: 1 }", "FLOAT")
    settings = small_settings({"schema": schema}, drift={"amount": 0.1})

    error = failing(settings, months(mar=small_rows(200, 400, amount=[None] * 200)))

    words = (
        "expected a jensen_shannon_divergence of at most 0.1, found no value on one of the sides"
    )
    assert f"drift:amount in 2013-03 against 2013-02: {words}" in error.message


def test_drift_of_one_span_is_a_wrong_setting(small_settings: Make, tmp_path: Path) -> None:
    shards = {("train", "all"): small_rows(200), ("eval", "all"): small_rows(200, 200)}
    examples = write_examples(tmp_path / "examples", shards)

    with pytest.raises(SettingsError, match="one span"):
        validate(small_settings(drift={"kind": 0.1}), examples)


def test_repeated_rows_are_a_fact_and_where_asked_a_gate(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    twice = pa.concat_tables([small_rows(190, 400), small_rows(10, 400)])
    examples = months(mar=twice)

    outcome = validate(small_settings(), examples)

    assert outcome.facts["duplicate_rows"] == 10
    assert outcome.facts["duplicate_share"] == pytest.approx(10 / 600)
    assert verdict(examples)["duplicates"]["rows"] == 10
    assert "duplicate_rows" not in {gate.name for gate in outcome.gates}


def test_more_repeated_rows_than_allowed_stop(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    twice = pa.concat_tables([small_rows(190, 400), small_rows(10, 400)])

    error = failing(small_settings(duplicate_rows=0.01), months(mar=twice))

    assert "found 0.0167 (rows 190, 191, 192, 193, 194 of examples eval/2013-03" in error.message


def test_a_date_kept_of_a_column_that_is_leakage_is_leakage(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    source = {
        "table": {"location": "rows.csv"},
        "target": {"name": "late", "column": "delay", "above": 15},
        "leakage": ["arrived"],
        "dates": ["arrived"],
    }
    parts = ["hour", "weekday"]
    transform = {"features": {"when": {"kind": "date", "column": "arrived", "parts": parts}}}

    error = failing(small_settings({"source": source, "transform": transform}), months())

    assert "leakage:arrived_day,arrived_second" in error.message


def test_a_declared_feature_of_another_column_that_is_leakage_is_found(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    transform = {"features": {"harmless": {"kind": "zscore", "column": "delay"}}}

    error = failing(small_settings({"transform": transform}), months())

    assert "leakage:delay" in error.message


def test_the_same_examples_give_the_same_bytes(
    small_settings: Make, months: Callable[..., Path], tmp_path: Path
) -> None:
    examples = months(mar=pa.concat_tables([small_rows(190, 400), small_rows(10, 400)]))
    settings = small_settings(drift={"kind": 0.5}, duplicate_rows=0.5)
    digests = set()
    for place in ("one", "two"):
        folders = {n: tmp_path / place / n for n in ("statistics", "validation")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        validate_examples(settings=settings, examples=examples, **folders)
        digests.add(tuple(tree_digest(folder) for folder in folders.values()))
    assert len(digests) == 1


def test_a_feature_of_a_column_that_may_be_missing_and_is_is_a_wrong_setting(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    schema = SMALL_SCHEMA + 'feature { name: "gone" type: INT presence { min_count: 1 } }\n'
    others = {"schema": schema, "transform": {"features": {"gone": {"kind": "zscore"}}}}
    examples = months()
    with pytest.raises(SettingsError, match=r"transform\.features\.gone: gone is not a column"):
        validate(small_settings(others, severities={"SCHEMA_MISSING_COLUMN": "warning"}), examples)
    assert not any((examples.parent / "out" / "statistics").iterdir())


def test_a_split_without_rows_passes_no_gate_on_its_rows_and_is_no_crash(
    small_settings: Make, months: Callable[..., Path]
) -> None:
    checks = {"drift": {"amount": 0.1}, "skew": {"kind": 0.1}, "label_shift": 0.1}

    error = failing(small_settings(**checks), months(mar=small_rows(0)))

    assert [gate["name"] for gate in error.gates if not gate["passed"]] == [
        "minimum_rows",
        "class_share:late",
        "drift:amount",
        "skew:kind",
        "label_shift:late",
    ]
