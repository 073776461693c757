"""The requirements of the auditors' texts: closed, complete, and honest about what is not known."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from components.audit.control_matrix import Status, control_matrix
from components.audit.requirements import FOLDER, Field, read_template
from components.audit.version_records import CitedRecord, VersionRecords
from pipelines.cli.audit_report_parser import TEMPLATES

SCHEMA = json.loads((FOLDER / "requirements.schema.json").read_text())
ORGANISATION = {
    "annex-iv": ("1(b)", "1(f)", "1(g)", "1(h)", "2(e)", "5", "7", "8", "9"),
    "sr26-2": ("tailoring", "policies and internal audit"),
    "part11": ("11.10(i)", "11.10(j)", "11.100(b)", "11.100(c)", "11.200(a)", "11.300"),
}


def raw(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / f"{name}.yaml").read_text()))


def everything(names: set[tuple[str, str]]) -> dict[str, list[CitedRecord]]:
    """Return kinds in which every field has a value that answers."""
    kinds: dict[str, list[CitedRecord]] = {}
    for number, (of, path) in enumerate(sorted(names)):
        value: Any = "anything"
        for name in reversed(path.split(".")):
            value = {name: value}
        kinds.setdefault(of, []).append(CitedRecord(number, "0" * 64, value))
    return kinds


def test_there_is_a_file_for_each_template_that_can_be_typed() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_fits_its_schema_and_reads_as_it_is_written(name: str) -> None:
    value = raw(name)
    jsonschema.validate(value, SCHEMA)
    template = read_template(name)
    assert [one.clause for one in template.requirements] == [
        one["clause"] for one in value["requirements"]
    ]
    clauses = [one.clause for one in template.requirements]
    assert len(clauses) == len(set(clauses))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(extra=1),
        lambda value: value["requirements"][0].update(met=True),
        lambda value: value["requirements"][0].pop("asks"),
        lambda value: value["requirements"][0]["answered_by"][0].update(value=1),
        lambda value: value["requirements"].append({"clause": "x", "asks": "y"}),
    ],
)
def test_an_unknown_field_and_a_requirement_that_says_nothing_are_refused(change: Any) -> None:
    value = raw("annex-iv")
    change(value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, SCHEMA)


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_only_an_organisation_can_answer_is_a_gap_whatever_the_records_say(name: str) -> None:
    template = read_template(name)
    fields = {(field.of, field.field) for one in template.requirements for field in one.answered_by}
    status = {
        control.requirement.clause: control.status
        for control in control_matrix(template, everything(fields))
    }
    for ending in ORGANISATION[name]:
        (clause,) = [one for one in status if one.endswith(ending)]
        assert status[clause] is Status.GAP


def test_an_identity_that_nobody_verified_is_no_answer() -> None:
    (access,) = [
        one for one in read_template("part11").requirements if one.clause == "21 CFR 11.10(d)"
    ]
    (field,) = access.answered_by
    assert not field.answers("self-asserted")
    assert field.answers("authenticated")


@pytest.mark.parametrize(
    ("asked", "value", "answers"),
    [
        ({}, 0, True),
        ({}, False, True),
        ({}, None, False),
        ({}, "", False),
        ({}, [], False),
        ({}, {}, False),
        ({"is": True}, True, True),
        ({"is": True}, False, False),
        ({"is": False}, False, True),
        ({"is_not": "a"}, "b", True),
        ({"is_not": "a"}, "a", False),
    ],
)
def test_a_value_answers_if_it_is_there_and_is_what_is_asked_for(
    asked: dict[str, Any], value: Any, answers: bool
) -> None:
    field = Field.from_dict({"of": "log", "field": "size", "shows": "x", **asked})
    assert field.answers(value) is answers


def test_every_kind_of_records_that_a_template_names_is_known() -> None:
    stages = {"ingest_examples", "validate_examples", "evaluate_models", "decide_release"}
    stages |= {"measure_models"}
    kinds = stages | {"promote_model", "registration", "training", "signature", "log"}
    kinds |= {"counted_review", "counted_approval"}
    for name in TEMPLATES:
        for requirement in read_template(name).requirements:
            assert {field.of for field in requirement.answered_by} <= kinds
    assert hasattr(VersionRecords, "kinds")
