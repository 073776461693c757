"""`tandem schema`: inferred for new data, reviewed against other data, updated, and no more."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from computed_statistics import compute_statistics

from pipelines.cli import main
from pipelines.cli.parser import build_parser
from pipelines.schema_life.review import print_differences

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "shop.pbtxt"
Write = Callable[[dict[str, Any]], Path]
slow = pytest.mark.slow


@pytest.fixture
def shop(values: dict[str, Any], write_settings: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small use case that has no schema yet."""
    folder = write_settings(values).parent
    (folder / "shop.pbtxt").unlink()
    monkeypatch.setenv("TANDEM_SOURCES", "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return folder


def _other_rows(folder: Path) -> None:
    """Change the rows: a new airport, longer ways, a missing value, another type, a new column."""
    lines = (folder / "rows.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows):
        row[2] = "Secretville" if number % 2 else row[2]
        row[3] = "" if number == 7 else f"{int(row[3]) + 500}.5"
        row.append("x")
    header = f"{lines[0]},extra"
    (folder / "rows.csv").write_text("\n".join([header, *map(",".join, rows)]) + "\n")


@pytest.mark.parametrize("command", ["infer", "review", "update"])
def test_every_schema_command_has_help_with_an_example_that_parses(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", command, "--help"]) == 0
    example = capsys.readouterr().out.partition("example:\n")[2].split()
    assert build_parser().parse_args(example[1:]).command == f"pipelines.cli.schema:{command}"


def test_review_without_a_schema_names_how_to_get_one(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", "review", str(shop)]) == 2
    said = capsys.readouterr().err
    assert f"error: there is no schema {shop / 'shop.pbtxt'} yet" in said
    assert f"schema infer {shop}" in said


def test_a_schema_that_does_not_parse_is_refused_by_file_and_line(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "shop.pbtxt").write_text('feature {\n  name: "distance"\n  type: NUMBER\n}\n')
    for command in (["schema", "review"], ["schema", "update", "--all", "--yes"], ["plan"]):
        assert main([*command, str(shop)]) == 2
        assert f"error: {shop / 'shop.pbtxt'}, line 3: " in capsys.readouterr().err


def test_infer_writes_over_nothing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "shop.pbtxt").write_text("# mine\n")
    assert main(["schema", "infer", str(shop)]) == 2
    assert "--force" in capsys.readouterr().err
    assert (shop / "shop.pbtxt").read_text() == "# mine\n"


def test_an_update_says_what_it_needs_before_it_reads_anything(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    for arguments, words in (
        ([], "update which features?"),
        (["--all", "--feature", "origin"], "update which features?"),
        (["--all"], "nobody is there to confirm"),
    ):
        assert main(["schema", "update", str(shop), *arguments]) == 2
        assert words in capsys.readouterr().err


@slow
def test_infer_works_before_there_is_a_schema_and_writes_the_golden_file(shop: Path) -> None:
    assert main(["schema", "infer", str(shop)]) == 0
    assert (shop / "shop.pbtxt").read_text() == GOLDEN.read_text()
    assert not list(shop.glob(".shop.pbtxt*"))
    assert main(["schema", "infer", str(shop), "--force", "--ranges"]) == 0
    assert "int_domain { min: 100 max: 139 }" in (shop / "shop.pbtxt").read_text()


@slow
@pytest.mark.parametrize(
    ("low", "high"), [(100, 2**63 - 1), (-(2**63), 2**53 + 1), (2**53 + 1, 2**53 + 3)]
)
def test_inferred_ranges_are_the_numbers_of_the_data_to_the_last_digit(
    shop: Path, low: int, high: int
) -> None:
    lines = (shop / "rows.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows):
        row[3] = str(high if number % 7 == 0 else low)
    (shop / "rows.csv").write_text("\n".join([lines[0], *map(",".join, rows)]) + "\n")
    assert main(["schema", "infer", str(shop), "--ranges"]) == 0
    assert f"int_domain {{ min: {low} max: {high} }}" in (shop / "shop.pbtxt").read_text()


@slow
def test_the_inferred_schema_differs_in_nothing_with_and_without_the_label(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    for environment in ([], ["--environment", "training"], ["--environment", "serving"]):
        capsys.readouterr()
        assert main(["schema", "review", str(shop), *environment]) == 0
        assert capsys.readouterr().out.endswith("2013-01 to 2013-03: nothing differs\n")


@slow
def test_a_review_says_every_difference_and_no_value(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    _other_rows(shop)
    capsys.readouterr()
    assert main(["schema", "review", str(shop), "--json"]) == 3
    plain = capsys.readouterr()
    found = json.loads(plain.out)["differences"]
    assert {(one["feature"], one["what"]) for one in found} == {
        ("distance", "presence"),
        ("distance", "shape"),
        ("distance", "type"),
        ("extra", "new_column"),
        ("origin", "new_values"),
    }
    domain = next(one for one in found if one["what"] == "new_values")
    assert domain["schema_says"] == "2 values"
    assert domain["data_says"] == "1 new value in 50 % of the rows"
    assert domain["splits"] == ["train", "eval"]
    assert domain["stops_a_run"]
    assert main(["schema", "review", str(shop)]) == 3
    lines = capsys.readouterr()
    assert "distance: type: schema INT; data FLOAT (train, eval): a run stops" in lines.out
    assert "distance: presence: schema in 100 % of the rows or more" in lines.out
    assert "Secretville" not in plain.out + plain.err + lines.out + lines.err


@slow
def test_a_review_sees_every_text_of_a_domain(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's statistics list 1,000 texts; here the one that is new is the rarest of 1,500."""
    known = [f"a{number}" for number in range(1500)]
    rows = [(month, text) for month in (1, 2, 3) for text in (*known, "a0")]
    lines = [f"2013,{month},{text},1,{20 if text == 'a0' else 0},9" for month, text in rows]
    header = (shop / "rows.csv").read_text().partition("\n")[0]
    (shop / "rows.csv").write_text("\n".join([header, *lines, "2013,3,0,1,20,9"]) + "\n")
    names = " ".join(f'value: "{text}"' for text in known)
    schema = GOLDEN.read_text().replace('value: "JFK"', names)
    (shop / "shop.pbtxt").write_text(schema)
    main(["schema", "review", str(shop), "--json"])
    answer = json.loads(capsys.readouterr().out)
    found = [one for one in answer["differences"] if one["what"] == "new_values"]
    assert [(one["feature"], one["splits"]) for one in found] == [("origin", ["eval"])]
    assert found[0]["data_says"].startswith("1 new value in 0.06")


@slow
def test_differences_that_let_a_run_go_on_end_with_0(
    shop: Path, capsys: pytest.CaptureFixture[str], values: dict[str, Any], write_settings: Write
) -> None:
    main(["schema", "infer", str(shop)])
    schema = (shop / "shop.pbtxt").read_text()
    values["checks"] = {"new_values": 0.5, "severities": {"SCHEMA_NEW_COLUMN": "warning"}}
    write_settings(values)
    (shop / "shop.pbtxt").write_text(schema)
    rows = (shop / "rows.csv").read_text().splitlines()
    lines = [line.replace(",LGA,", ",Secretville,") + ",1" for line in rows[1:]]
    (shop / "rows.csv").write_text("\n".join([f"{rows[0]},extra", *lines]) + "\n")
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 0
    assert "2 differences, 0 would stop a run" in capsys.readouterr().out


@slow
def test_a_review_refuses_what_a_run_refuses_of_the_checks_and_the_schema(
    shop: Path, capsys: pytest.CaptureFixture[str], values: dict[str, Any], write_settings: Write
) -> None:
    main(["schema", "infer", str(shop)])
    path = shop / "shop.pbtxt"
    schema = path.read_text()
    served = "type: INT skew_comparator { jensen_shannon_divergence { threshold: 0.1 } }"
    path.write_text(schema.replace("type: INT", served, 1))
    assert main(["schema", "review", str(shop)]) == 2
    assert "skew_comparator of distance compares with rows" in capsys.readouterr().err
    values["checks"] = {"severities": {"SCHEMA_NEW_COLUMNS": "warning"}}
    write_settings(values)
    path.write_text(schema)
    assert main(["schema", "review", str(shop)]) == 2
    assert "did you mean SCHEMA_NEW_COLUMN?" in capsys.readouterr().err


@slow
def test_after_an_update_of_all_nothing_differs_and_the_comments_are_there(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    path = shop / "shop.pbtxt"
    path.write_text(f"# Read by a person.\n{path.read_text()}")
    before = path.read_text()
    _other_rows(shop)
    capsys.readouterr()
    assert main(["schema", "update", str(shop), "--feature", "origin", "--yes"]) == 0
    assert "changed origin; differences left: 4" in capsys.readouterr().out
    assert path.read_text() == before.replace(
        'value: "LGA"\n', 'value: "LGA"\n  value: "Secretville"\n'
    )
    assert main(["schema", "update", str(shop), "--all", "--yes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["changed"] == ["distance", "extra"]
    assert answer["differences_left"] == []
    after = path.read_text()
    assert after.startswith("# Read by a person.\n# What an example of shop may hold")
    assert 'name: "distance"\n  type: FLOAT' in after
    assert after.index('name: "distance"') < after.index('"extra"') < after.index('"late"')
    assert 'not_in_environment: "serving"' in after
    assert main(["schema", "review", str(shop)]) == 0


@slow
def test_an_update_of_what_does_not_differ_says_so_and_changes_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    path = shop / "shop.pbtxt"
    before = path.read_bytes()
    capsys.readouterr()
    update = ["schema", "update", str(shop), "--yes", "--feature"]
    assert main([*update, "origin"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path} against 120 rows of 2013-01 to 2013-03: nothing differs",
        "data and schema say the same of origin: nothing to change there",
    ]
    assert main([*update, "orign"]) == 2
    said = capsys.readouterr().err
    assert "neither data nor schema have orign; did you mean origin?" in said
    assert "data and schema differ in: nothing" in said
    assert path.read_bytes() == before


@slow
def test_an_update_that_is_not_confirmed_changes_nothing(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    before = (shop / "shop.pbtxt").read_bytes()
    _other_rows(shop)
    answers = _Terminal("n\n")
    monkeypatch.setattr(sys, "stdin", answers)
    assert main(["schema", "update", str(shop), "--all"]) == 0
    assert capsys.readouterr().out.endswith("nothing was changed\n")
    assert (shop / "shop.pbtxt").read_bytes() == before
    monkeypatch.setattr(sys, "stdin", _Terminal("y\n"))
    assert main(["schema", "update", str(shop), "--all"]) == 0
    assert (shop / "shop.pbtxt").read_bytes() != before


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@slow
def test_a_column_that_is_gone_is_asked_for_no_more(
    shop: Path, capsys: pytest.CaptureFixture[str], values: dict[str, Any], write_settings: Write
) -> None:
    main(["schema", "infer", str(shop)])
    schema = (shop / "shop.pbtxt").read_text()
    values["source"]["leave_out"] = ["distance"]
    values["transform"]["features"].pop("distance")
    write_settings(values)
    (shop / "shop.pbtxt").write_text(schema)
    capsys.readouterr()
    assert main(["schema", "review", str(shop)]) == 3
    said = capsys.readouterr().out
    assert "distance: missing_column: schema INT; data no such column" in said
    assert main(["schema", "update", str(shop), "--all", "--yes"]) == 0
    assert "lifecycle_stage: DEPRECATED" in (shop / "shop.pbtxt").read_text()
    assert main(["schema", "review", str(shop)]) == 0


@slow
def test_an_environment_that_the_schema_does_not_know_is_refused(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "infer", str(shop)])
    path = shop / "shop.pbtxt"
    path.write_text(path.read_text().replace('default_environment: "serving"\n', ""))
    assert main(["schema", "review", str(shop), "--environment", "serving"]) == 2
    assert "does not know the environment serving" in capsys.readouterr().err


@slow
def test_of_many_new_values_ten_are_shown() -> None:
    import pyarrow as pa

    from components.validate_examples.schema import parse_schema
    from pipelines.schema_life.words import Seen, new_values

    rows = pa.table({"origin": pa.array([f"new{number:02}" for number in range(30)] * 4)})
    (statistics,) = compute_statistics(rows, "train").datasets[0].features
    schema = parse_schema('feature { name: "origin" type: BYTES string_domain { value: "a" } }')
    found = new_values(schema.feature[0], Seen(statistics, 120, at_fault=120), schema)
    assert (found.number, found.exact, found.share, len(found.shown)) == (30, True, 1.0, 10)


@slow
def test_a_terminal_shows_new_values_and_reads_none_as_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipelines.schema_life.difference import Difference

    names = tuple(f"[red]new\x1b{number:02}" for number in range(10))
    said = "30 new values in 100 % of the rows"
    found = [Difference("[b]origin", "new_values", "1 value", said, True, ("train",), True, names)]
    monkeypatch.setenv("COLUMNS", "400")
    screen = _Terminal()
    print_differences(found, "shop", screen)
    said = screen.getvalue()
    assert said.count("[red]new\\x1b") == 10
    assert "30 new values" in said
    assert "[b]origin" in said


def test_the_helper_that_holds_tensorflow_back_shows_what_went_wrong(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from pipelines.loading import loading_quietly

    with loading_quietly():
        os.write(2, b"a greeting\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), loading_quietly():
        os.write(2, b"why it failed\n")
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"
