"""The control matrix: what is answered cites its record, and what is missing is a gap."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import MODEL, People
from hypothesis import given, settings
from hypothesis import strategies as st

from components.approvals.trail import Trail
from components.audit.control_matrix import Control, Status, control_matrix, tally
from components.audit.requirements import Field, is_said, read_template
from components.audit.version_records import CitedRecord, Kinds, version_records
from pipelines.audit_report import AuditReport, audit_report
from pipelines.cli.audit_report_parser import TEMPLATES
from pipelines.home import Home

GOLDEN = Path(__file__).parent / "golden"
DAY = date(2026, 5, 5)
FIELDS = sorted(
    {
        field
        for name in TEMPLATES
        for requirement in read_template(name).requirements
        for field in requirement.answered_by
    },
    key=lambda field: (field.of, field.field, str(field.must_be)),
)


def kinds_of(people: People, number: str = "3") -> Kinds:
    return reported(people, "part11", number).records.kinds


def reported(people: People, name: str, number: str) -> AuditReport:
    trail = Trail(people.home)
    return audit_report(Home(people.home), trail, trail.version(MODEL, number), name, DAY)


def matrix(people: People, name: str, number: str = "3") -> dict[str, Control]:
    controls = reported(people, name, number).controls
    return {control.requirement.clause: control for control in controls}


def in_words(controls: dict[str, Control]) -> list[dict[str, Any]]:
    """Return what a matrix says but for values and digests, which the records' own tests hold."""
    return [
        {
            "clause": clause,
            "status": str(control.status),
            "answers": [f"#{one.index} {one.field}: {one.shows}" for one in control.answers],
            "gaps": list(control.gaps),
        }
        for clause, control in controls.items()
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_matrix_of_a_promoted_version_is_as_it_was(promoted: People, name: str) -> None:
    found = in_words(matrix(promoted, name))
    assert found == json.loads((GOLDEN / f"control-matrix-{name}.json").read_text())


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_answer_is_what_the_record_that_it_cites_says(promoted: People, name: str) -> None:
    kinds = kinds_of(promoted)
    records = {cited.record: cited for of_kind in kinds.values() for cited in of_kind}
    answers = [one for control in matrix(promoted, name).values() for one in control.answers]
    assert answers
    for answer in answers:
        cited = records[answer.record]
        assert (cited.index, cited.value(answer.field)) == (answer.index, answer.value)


def test_a_version_that_nobody_approved_has_a_gap_where_a_signature_is_asked_for(
    people: People,
) -> None:
    controls = matrix(people, "part11")
    for clause in ("21 CFR 11.50(a)(2)", "21 CFR 11.50(a)(3)", "21 CFR 11.70"):
        assert controls[clause].status is Status.GAP
        assert controls[clause].gaps[0].startswith("no signature that counts shows ")
    assert (
        matrix(people, "sr26-2")["SR 26-2, model validation and monitoring: conceptual soundness"]
        .gaps[0]
        .startswith("no review that counts shows")
    )


@pytest.mark.slow
@pytest.mark.slow
def test_a_real_run_has_every_field_that_the_templates_ask_its_stages_for(small_run: Any) -> None:
    trail = Trail(small_run.home)
    kinds = version_records(trail.log, trail.version("flights-late", "1")).kinds
    missing = [
        field.field
        for field in FIELDS
        if field.of in kinds
        and kinds[field.of]
        and not any(is_said(cited.value(field.field)) for cited in kinds[field.of])
    ]
    # The flights compare no groups, and a first version has none before it.
    assert missing == ["audit.settings.evaluate.sensitive", "audit.facts.supersedes"]
    asked = {field.of for field in FIELDS} - {of for of, found in kinds.items() if found}
    assert asked == {"promote_model", "signature", "counted_approval", "counted_review"}


def test_an_approval_by_an_untrusted_key_that_no_promotion_names_answers_nothing(
    people: People,
) -> None:
    people.approve()
    assert matrix(people, "part11")["21 CFR 11.50(a)(3)"].status is Status.GAP


def test_an_approval_that_a_promotion_stands_on_answers_for_good(promoted: People) -> None:
    control = matrix(promoted, "part11")["21 CFR 11.50(a)(3)"]
    assert control.status is Status.ANSWERED
    assert [answer.value for answer in control.answers] == ["approval"]
    assert matrix(promoted, "part11", "4")["21 CFR 11.50(a)(3)"].status is Status.GAP


def test_a_name_that_was_signed_is_never_more_than_a_part_of_the_answer(promoted: People) -> None:
    control = matrix(promoted, "part11")["21 CFR 11.50(a)(1)"]
    assert [answer.value for answer in control.answers] == ["Ann, model risk"]
    assert control.status is Status.IN_PART


def made(field: Field, value: Any) -> CitedRecord:
    said = value
    for name in reversed(field.field.split(".")):
        said = {name: said}
    return CitedRecord(7, "ab" * 32, said)


def answering(field: Field) -> Any:
    return field.must_be if field.answers(field.must_be) else "a value"


@settings(deadline=None)
@given(st.sets(st.sampled_from(range(len(FIELDS)))), st.sampled_from(TEMPLATES))
def test_more_records_never_open_a_gap_and_what_no_record_can_say_never_closes(
    known: set[int], name: str
) -> None:
    kinds: dict[str, list[CitedRecord]] = {}
    template, before = read_template(name), {}
    for number in [None, *sorted(known)]:
        if number is not None:
            field = FIELDS[number]
            kinds.setdefault(field.of, []).insert(0, made(field, answering(field)))
        controls = control_matrix(template, kinds)
        for control in controls:
            clause, asked = control.requirement.clause, control.requirement
            assert len(control.gaps) <= before.get(clause, len(control.gaps))
            before[clause] = len(control.gaps)
            if asked.lacks:
                assert control.status is not Status.ANSWERED
                assert asked.lacks in control.gaps
            if not asked.answered_by:
                assert control.status is Status.GAP
            assert (control.status is Status.ANSWERED) == (not control.gaps)
        assert sum(tally(controls).values()) == len(controls)


@settings(deadline=None)
@given(st.sampled_from(FIELDS), st.sampled_from([None, "", [], {}]))
def test_a_field_without_a_value_answers_nothing(field: Field, nothing: Any) -> None:
    for name in TEMPLATES:
        for control in control_matrix(read_template(name), {field.of: [made(field, nothing)]}):
            assert field.field not in [answer.field for answer in control.answers]
            if field in control.requirement.answered_by:
                assert control.status is not Status.ANSWERED


def test_a_value_that_is_not_what_is_asked_for_is_told(people: People) -> None:
    gaps = matrix(people, "part11")["21 CFR 11.10(d)"].gaps
    assert "audit.actor.assurance is self-asserted" in gaps[0]
