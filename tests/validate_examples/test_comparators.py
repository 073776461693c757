"""A schema's own thresholds on distances: held, overruled by the settings, or refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_examples import SMALL_SCHEMA, small_rows, write_examples

from components.core.data_settings import Checks
from components.core.errors import GateError, SettingsError
from components.core.outcome import Outcome
from components.validate_examples.comparators import comparators, with_comparators
from components.validate_examples.schema import parse_schema
from components.validate_examples.step import ValidateSettings, validate_examples
from pipelines.loaded_settings import load_settings

TEXT = "drift_comparator { infinity_norm { threshold: 0.25 } }"
NUMBERS = "drift_comparator { jensen_shannon_divergence { threshold: 0.125 } }"


def schema_with(**said: str) -> str:
    text = SMALL_SCHEMA
    for name, words in said.items():
        text = text.replace(f'name: "{name}" type', f'name: "{name}" {words} type')
    return text


def test_the_schema_limits_drift_where_the_settings_do_not_and_there_are_two_spans() -> None:
    schema = parse_schema(schema_with(kind=TEXT, amount=NUMBERS))
    checks = Checks(drift={"kind": 0.5, "number": 0.5})
    limits = {"amount": 0.125, "kind": 0.5, "number": 0.5}
    assert with_comparators(checks, schema, 2).drift == limits
    assert with_comparators(checks, schema, 1) == checks


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"amount": TEXT}, "asks for infinity_norm, where jensen_shannon_divergence is measured"),
        ({"kind": NUMBERS}, "asks for jensen_shannon_divergence, where infinity_norm is measured"),
        ({"kind": "drift_comparator { }"}, "drift_comparator of kind asks for nothing"),
        ({"kind": TEXT.replace("drift", "skew")}, "skew_comparator of kind compares with rows"),
    ],
)
def test_what_a_run_does_not_measure_is_refused_unless_the_settings_say_it(
    said: dict[str, str], words: str
) -> None:
    schema, (name,) = parse_schema(schema_with(**said)), said
    with pytest.raises(SettingsError, match=words) as caught:
        comparators(schema, Checks())
    assert f"{name}: ..." in caught.value.remedy
    assert comparators(schema, Checks(drift={name: 0.1}, skew={name: 0.1})) == {}


def test_a_comparator_of_numbers_of_rows_is_refused() -> None:
    said = "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 } }"
    with pytest.raises(SettingsError, match="num_examples_drift_comparator compares numbers"):
        comparators(parse_schema(SMALL_SCHEMA + said), Checks())


def test_a_feature_that_is_not_validated_sets_no_limit() -> None:
    planned = f"lifecycle_stage: PLANNED {TEXT}"
    assert comparators(parse_schema(schema_with(kind=planned)), Checks()) == {}


def test_a_comparator_that_cannot_be_held_is_refused_when_settings_load(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "pipelines" / "examples" / "mortgage"
    folder = Path(shutil.copytree(source, tmp_path / "mortgage"))
    settings = folder / "settings.yaml"
    schema = Path(__file__).parents[2] / "schemas" / "datasets" / "mortgage.pbtxt"
    text = schema.read_text() + f'feature {{ name: "x" type: INT {TEXT} }}'
    (folder / "own.pbtxt").write_text(text)
    settings.write_text(
        settings.read_text().replace("schema: schemas/datasets/mortgage.pbtxt", "schema: own.pbtxt")
    )
    with pytest.raises(SettingsError, match="drift_comparator of x asks for infinity_norm"):
        load_settings(settings)


@pytest.mark.slow
def test_drift_beyond_what_the_schema_allows_stops_a_run(
    small_settings: Callable[..., ValidateSettings], tmp_path: Path
) -> None:
    shards = {
        ("train", "2013-01"): small_rows(200, kind=["a", "b"] * 100),
        ("eval", "2013-02"): small_rows(200, 200, kind=["a"] * 200),
    }
    examples = write_examples(tmp_path / "examples", shards)
    schema = schema_with(kind=TEXT)

    def validate(name: str, **checks: object) -> Outcome:
        folders = {n: tmp_path / name / n for n in ("statistics", "validation")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        settings = small_settings({"schema": schema}, **checks)
        return validate_examples(settings=settings, examples=examples, **folders)

    with pytest.raises(GateError, match=r"drift:kind in 2013-02 against 2013-01: .* at most 0\.25"):
        validate("schema")
    gates = validate("settings", drift={"kind": 0.75}).gates
    assert [gate.threshold for gate in gates if gate.name == "drift:kind"] == [0.75]
