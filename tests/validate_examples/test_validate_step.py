"""The step on real flights: what passes, and for each gate one thing that does not."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.audit.left_out import left_out
from components.core.artifacts import tree_digest
from components.core.canonical import sha256_bytes
from components.core.errors import DataError, GateError, SettingsError
from components.core.examples import MANIFEST_NAME
from components.core.outcome import Outcome
from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow
Make = Callable[..., ValidateSettings]
Damage = Callable[..., Path]


def validate(settings: ValidateSettings, examples: Path, folder: Path) -> Outcome:
    for name in ("statistics", "validation"):
        (folder / name).mkdir(parents=True)
    return validate_examples(
        settings=settings,
        examples=examples,
        statistics=folder / "statistics",
        validation=folder / "validation",
    )


def failing(settings: ValidateSettings, examples: Path, folder: Path) -> GateError:
    with pytest.raises(GateError) as caught:
        validate(settings, examples, folder)
    return caught.value


def replace(name: str, values: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """Change one column: its values as numpy in, an Arrow array out."""

    def change(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index(name)
        return rows.set_column(place, name, values(rows[name]))

    return change


def test_real_flights_pass_and_name_what_was_checked(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    settings = make_settings()
    outcome = validate(settings, flights_examples, tmp_path)

    verdict = json.loads((tmp_path / "validation" / "validation.json").read_text())
    assert verdict["passed"] is True
    assert verdict["examples_sha256"] == tree_digest(flights_examples)
    assert verdict["schema_sha256"] == sha256_bytes(settings.schema_text.encode())
    assert verdict["anomalies"] == []
    assert [gate.to_dict() for gate in outcome.gates] == verdict["gates"]
    assert {gate.name for gate in outcome.gates} == {
        "schema",
        "minimum_rows",
        "class_share:late",
        "leakage",
        *(f"drift:{name}" for name in settings.checks.drift),
    }
    record = _record(settings, outcome)
    assert list(left_out(record, {}.__getitem__)) == []
    for gate in [*record["predicate"]["tandem_audit"]["gates"]]:
        others = [item for item in outcome.gates if item.to_dict() != gate]
        lacking = list(left_out(_record(settings, replaced(outcome, gates=others)), {}.__getitem__))
        assert len(lacking) == 1, gate


def _record(settings: ValidateSettings, outcome: Outcome) -> dict[str, Any]:
    """Return what the record of a validation says of its settings and gates."""
    audit = {"event": "COMPLETE", "stage": "validate_examples", "facts": outcome.facts}
    audit |= {"settings": settings.model_dump(mode="json"), "run": {}, "inputs": []}
    gates = [gate.to_dict() for gate in outcome.gates]
    return {"predicate": {"tandem_audit": {**audit, "gates": gates}}}


def test_what_only_serving_has_is_not_asked_of_training_rows(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    served = 'feature { name: "asked_at" type: INT presence { min_fraction: 1.0 min_count: 1 } %s }'
    alone = served % 'in_environment: "serving" not_in_environment: "training"'
    text = make_settings().schema_text
    settings = make_settings(schema=text + alone)
    assert validate(settings, flights_examples, tmp_path / "served").facts["anomalies"] == 0
    error = failing(make_settings(schema=text + served % ""), flights_examples, tmp_path / "both")
    assert "asked_at" in error.message


def test_the_statistics_are_the_standard_proto_and_count_every_row(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

    validate(make_settings(), flights_examples, tmp_path)

    data = (tmp_path / "statistics" / "Split-train" / "FeatureStats.pb").read_bytes()
    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(data).datasets
    features = {feature.path.step[0]: feature for feature in dataset.features}
    assert dataset.num_examples == 26_398
    assert features["plane_year"].num_stats.common_stats.num_missing > 0
    assert features["distance"].num_stats.common_stats.num_non_missing == 26_398
    data = (tmp_path / "validation" / "Split-eval" / "SchemaDiff.pb").read_bytes()
    assert not anomalies_pb2.Anomalies.FromString(data).anomaly_info


def test_two_validations_write_the_same_bytes(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        validate(make_settings(), flights_examples, tmp_path / name)

    assert tree_digest(tmp_path / "one" / "validation") == tree_digest(
        tmp_path / "two" / "validation"
    )


def in_every_tenth_row(value: Any) -> Callable[[Any], Any]:
    return lambda column: pa.array(
        [value if i % 10 == 0 else v for i, v in enumerate(column.to_pylist())], column.type
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            replace("carrier", in_every_tenth_row("ZZ")),
            "schema:carrier:new_values in eval: expected one of 16",
        ),
        (
            replace("origin", in_every_tenth_row(None)),
            "schema:origin:presence in eval: expected a value",
        ),
        (
            replace("hour", in_every_tenth_row(77)),
            "schema:hour:range in eval: expected values from 0 to 23",
        ),
        (
            replace("weather_humid", in_every_tenth_row(-5.0)),
            "schema:weather_humid:range in eval",
        ),
        (
            replace("distance", lambda column: column.cast(pa.string())),
            "schema:distance:type in eval: expected type INT, found string",
        ),
        (
            lambda rows: rows.drop_columns(["dest"]),
            "schema:dest:missing_column in eval: expected a column",
        ),
        (
            lambda rows: rows.append_column("surprise", rows["hour"]),
            "schema:surprise:new_column in eval: expected a column that the schema knows",
        ),
    ],
)
def test_an_anomaly_stops_the_run_and_names_the_feature(
    make_settings: Make,
    damaged: Damage,
    tmp_path: Path,
    change: Callable[[pa.Table], pa.Table],
    words: str,
) -> None:
    examples = damaged(change, splits=("train", "eval"))

    error = failing(make_settings(checks={"drift": {}}), examples, tmp_path / "out")

    assert words in error.message
    assert any(not gate["passed"] for gate in error.gates)
    verdict = json.loads((tmp_path / "out" / "validation" / "validation.json").read_text())
    assert verdict["passed"] is False and verdict["anomalies"]


@pytest.mark.parametrize("column", ["carrier", "tailnum"])
def test_one_flight_outside_a_domain_stops_the_run_and_is_pointed_at(
    make_settings: Make, flights_examples: Path, tmp_path: Path, column: str
) -> None:
    """One carrier flew once; so did a plane that is not among the 1,000 that TFDV looks at."""
    train, evaluated = (
        pq.read_table(flights_examples / path, columns=[column], partitioning=None)[column]
        for path in ("Split-train/2013-01.parquet", "Split-eval/2013-02.parquet")
    )
    flown, later = Counter(train.drop_null().to_pylist()), set(evaluated.drop_null().to_pylist())
    rare = min(name for name, count in flown.items() if count == 1 and name not in later)
    known = sorted({*flown, *later} - {rare})
    schema = text_format.Parse(make_settings().schema_text, schema_pb2.Schema())
    (feature,) = (feature for feature in schema.feature if feature.name == column)
    feature.string_domain.value[:] = known

    text = text_format.MessageToString(schema)
    error = failing(make_settings(schema=text), flights_examples, tmp_path)

    number = train.to_pylist().index(rare)
    assert (
        f"schema:{column}:new_values in train: expected one of {len(known)} known values, "
        f"found others in 1 row (row {number} of examples train/2013-01, counted from 0)"
    ) in error.message
    (gate,) = (gate for gate in error.gates if gate["name"] == f"schema:{column}:new_values")
    assert (gate["value"], gate["threshold"], gate["n"]) == (1 / 26_398, 0.0, 26_398)
    assert f'"{rare}"' not in json.dumps([error.message, error.gates, error.actual])


def test_the_words_of_a_failure_quote_no_value(
    make_settings: Make, damaged: Damage, tmp_path: Path
) -> None:
    examples = damaged(replace("carrier", in_every_tenth_row("Mrs Jones")))

    error = failing(make_settings(), examples, tmp_path / "out")

    assert "found others in 2362 rows" in error.message
    assert "Jones" not in error.message + json.dumps([error.gates, error.actual, error.expected])


def test_every_gate_is_reported_also_those_that_passed(
    make_settings: Make, damaged: Damage, tmp_path: Path
) -> None:
    examples = damaged(replace("carrier", in_every_tenth_row("ZZ")))

    error = failing(make_settings(), examples, tmp_path / "out")

    assert {gate["passed"] for gate in error.gates} == {True, False}
    assert {"minimum_rows", "leakage", "drift:carrier"} <= {gate["name"] for gate in error.gates}


def test_too_few_rows_are_refused(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    error = failing(make_settings(checks={"minimum_rows": 25_000}), flights_examples, tmp_path)

    assert (
        "minimum_rows in eval: expected at least 25000 rows in each split, found 23611"
        in error.message
    )
    assert "1 of 14" in error.message


def test_a_class_that_is_too_rare_is_refused(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    error = failing(make_settings(checks={"minimum_class_share": 0.45}), flights_examples, tmp_path)

    assert "class_share:late in train" in error.message
    assert "class_share:late in eval" in error.message


def test_a_feature_known_only_after_the_flight_is_leakage(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    transform = {"features": {"dep_delay": {"kind": "zscore"}, "hour": {"kind": "zscore"}}}

    error = failing(make_settings(transform=transform), flights_examples, tmp_path)

    assert "leakage:dep_delay" in error.message


def test_a_leaking_column_in_the_examples_is_leakage(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    error = failing(make_settings(source={"leakage": ["tailnum"]}), flights_examples, tmp_path)

    assert "leakage:tailnum" in error.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            replace("carrier", lambda c: pc.replace_substring(c, "UA", "AA")),
            "drift:carrier in 2013-02 against 2013-01: expected an l_infinity_distance of at most",
        ),
        (
            replace("distance", lambda c: pc.multiply(c, 2)),
            "drift:distance in 2013-02 against 2013-01: expected a jensen_shannon_divergence",
        ),
    ],
)
def test_a_span_unlike_the_one_before_it_is_refused(
    make_settings: Make,
    damaged: Damage,
    tmp_path: Path,
    change: Callable[[pa.Table], pa.Table],
    words: str,
) -> None:
    error = failing(make_settings(), damaged(change), tmp_path / "out")

    assert words in error.message


def test_a_drift_feature_that_is_no_column_is_named(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"checks\.drift: absent is not a column"):
        validate(make_settings(checks={"drift": {"absent": 0.1}}), flights_examples, tmp_path)


@pytest.mark.parametrize("text", ["feature {", "", "feature { nonsense: 1 }"])
def test_a_schema_that_does_not_parse_is_refused(
    make_settings: Make, flights_examples: Path, tmp_path: Path, text: str
) -> None:
    with pytest.raises(SettingsError, match="schema"):
        validate(make_settings(schema=text), flights_examples, tmp_path)


def test_examples_without_a_data_card_are_not_validated(
    make_settings: Make, flights_examples: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(flights_examples, bare)
    manifest = json.loads((bare / MANIFEST_NAME).read_text())
    del manifest["card_sha256"]
    (bare / MANIFEST_NAME).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="card_sha256: Field required"):
        validate(make_settings(), bare, tmp_path)
    assert list((tmp_path / "validation").iterdir()) == []
