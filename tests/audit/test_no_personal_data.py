"""What looks like personal data or a secret never gets into a record, and what is none always does.

The examples are put together here, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tried_examples import tries

from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.notary import LocalNotary
from components.audit.personal_data import pattern_in
from components.audit.records import accept
from components.audit.verified_log import VerifiedLog
from components.core.errors import DataError
from pipelines.cli import main

Draft = Callable[..., dict[str, Any]]
AT = "@"
WORDS = st.lists(
    st.sampled_from(["rows", "of", "model", "the", "AUC", "slice", "drift", "(", "is", ":", ","]),
    max_size=5,
).map(" ".join)
LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12)
DIGITS = st.text("0123456789", min_size=4, max_size=4)
HEX = "0123456789abcdef"


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


EMAILS = st.builds(
    lambda name, host, top: f"{name}{AT}{host}.{top}",
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,20}", fullmatch=True),
    LETTERS,
    st.sampled_from(["org", "com", "co.uk", "de", "museum", "büro.de"]),
)
PHONES = st.one_of(
    st.builds(lambda a, b: f"+49 {a} {b}", digits(3).filter(lambda t: t[0] != "0"), digits(7)),
    st.builds(lambda a: f"+1{a}", digits(10)),
    st.builds(lambda a, b, c: f"({a}) {b}-{c}", digits(3), digits(3), digits(4)),
    st.builds(lambda a, b, c: f"{a}-{b}-{c}", digits(3), digits(3), digits(4)),
    st.builds(lambda a, b: f"0{a} {b}", digits(3), digits(7)),
    st.builds(lambda a: f"phone: {a}", digits(7)),
    st.builds(lambda a: f"0{a[0]} {a[1:3]} {a[3:5]} {a[5:7]} {a[7:]}", digits(9)),
    st.builds(lambda a, b: f"(0{a}) {b}", digits(2), digits(7)),
    st.builds(lambda a, b, c: f"1-{a}-{b}-{c}", digits(3), digits(3), digits(4)),
    st.builds(lambda a, b, c: f"1.{a}.{b}.{c}", digits(3), digits(3), digits(4)),
)
LONG = st.one_of(
    st.integers(9, 19).flatmap(digits).filter(lambda t: not t.startswith(("19", "20"))),
    st.builds(lambda a, b, c: f"{a}-{b}-{c}", digits(3), digits(2), digits(4)),
    st.builds("{} {} {} {}".format, *[DIGITS.filter(lambda t: t[:2] not in ("19", "20"))] * 4),
    st.builds(lambda a: f"DE{a[:2]} {a[2:6]} {a[6:10]} {a[10:14]} {a[14:18]} {a[18:]}", digits(20)),
)
MARKS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=40, max_size=40)
SECRETS = st.one_of(
    MARKS.map(lambda m: "AK" + "IA" + m[:16]),
    MARKS.map(lambda m: "gh" + "p_" + m[:36]),
    MARKS.map(lambda m: "s" + "k-" + m),
    MARKS.map(lambda m: "ey" + f"J{m[:20]}.ey" + f"J{m[:20]}.{m}"),
    MARKS.map(lambda m: f"Authorization: Bearer {m}"),
    MARKS.map(lambda m: f"postgresql://reader:{m[:9]}{AT}db/flights"),
    MARKS.map(lambda m: "pass" + f"word={m[:8]}"),
    MARKS.map(lambda m: '"api' + f'_key": "{m[:8]}"'),
    MARKS.map(lambda m: "DB_PASS" + f"WORD={m[:8]}"),
    MARKS.map(lambda m: "client_sec" + f"ret={m[:8]}"),
    MARKS.map(lambda m: "tok" + f"en=a{m[:4]}123456"),
    MARKS.map(lambda m: "sk_" + f"live_{m[:16]}"),
    MARKS.map(lambda m: "gl" + f"pat-{m[:20]}"),
    st.just("-----BEGIN " + "PRIVATE KEY-----"),
)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))
AMERICAN = re.compile(r"1\.\d{3}\.\d{3}\.\d{4}")  # as likely a version: counts as a number
ORDINARY = st.one_of(
    st.text(HEX, min_size=64, max_size=64),
    st.text(HEX, min_size=40, max_size=40),
    st.text(HEX, min_size=16, max_size=16).map("sha256:{}".format),
    st.builds(
        lambda moment, tail: f"{moment:%Y%m%dT%H%M%SZ}-{tail}",
        MOMENTS,
        st.text(HEX, min_size=6, max_size=6),
    ),
    MOMENTS.map(lambda moment: moment.isoformat(timespec="milliseconds")),
    MOMENTS.map(lambda moment: f"{moment:%Y-%m-%d}"),
    MOMENTS.map(lambda moment: f"{moment:%d.%m.%Y %H:%M:%S}"),
    MOMENTS.map(lambda moment: f"{moment:%m/%Y}"),
    MOMENTS.map(lambda moment: f"{moment:%Y-%m}:{moment:%Y-%m}"),
    MOMENTS.map(lambda moment: f"{moment:%Y%m%d}"),
    MOMENTS.map(lambda moment: f"{moment:%Y%m%d%H%M%S}"),
    st.floats(-1e6, 1e6).map(str),
    st.floats(-1, 1).map(lambda x: f"+0.0002 ({x:+.4f} to {x:+.4f})"),
    st.floats(-1, 1).map(lambda x: f"AUC of pytorch minus tensorflow is {x:+.4f}: a tie."),
    st.integers(0, 99_999_999).map(str),
    st.integers(0, 999_999).map("{:,} rows".format),
    st.tuples(*[st.integers(0, 999)] * 3).map("numpy=={0[0]}.{0[1]}.{0[2]}".format),
    st.tuples(*[st.integers(0, 9999)] * 4)
    .map("{0[0]}.{0[1]}.{0[2]}.{0[3]}".format)
    .filter(lambda t: not AMERICAN.fullmatch(t)),
    st.builds(lambda name, n: f"{name}{AT}{n}", LETTERS, st.integers(1, 999)),
    st.builds(lambda name: f"{name}{AT}champion", LETTERS),
    st.lists(st.integers(1990, 2030).map(str), max_size=6).map(" ".join),
    st.builds(lambda a, b: f"package://{a}/data/{b}.csv.zip", LETTERS, LETTERS),
    st.builds(lambda a: f"git{AT}host:{a}/{a}.git", LETTERS),
    MOMENTS.map(lambda moment: f"slice mobile {moment:%Y-%m-%d}, telemetry {moment:%Y%m%d}"),
    st.just("the password is in the variable that source.table.database names"),
    st.just("SECRET=$DATABASE_PASSWORD, or a token of the tokeniser"),
    st.just("unexpected token: identifier, in line 3 of the query"),
    st.just("max_tokens: 100000, tokens=[1, 2]"),
)


@given(st.one_of(EMAILS, PHONES, LONG, SECRETS), WORDS, WORDS)
@tries(1500)
def test_a_pattern_is_found_wherever_it_stands_in_a_text(
    pattern: str, before: str, after: str
) -> None:
    assert pattern_in(f"{before} {pattern} {after}") is not None
    assert pattern_in(pattern) is not None
    assert pattern_in(f'{{"note": "{pattern}"}}') is not None


@given(ORDINARY, WORDS, WORDS)
@tries(3000)
def test_digests_identifiers_versions_dates_and_numbers_are_none(
    text: str, before: str, after: str
) -> None:
    assert pattern_in(text) is None
    assert pattern_in(f"{before} {text} {after}") is None


EMAIL = f"ann{AT}example.org"


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"facts": {"reasons": ["fine", f"see {EMAIL}"]}}, "facts.reasons[1]"),
        ({"facts": {"slices": {f"customer={EMAIL}": 0.5}}}, "a name in facts.slices"),
        ({"settings": {"card": {"origin": EMAIL}}}, "settings.card.origin"),
        ({"environment": {"user": EMAIL}}, "environment.user"),
        ({"settings": {"schema_text": f'domain {{ value: "{EMAIL}" }}'}}, "settings.schema_text"),
        ({"settings": {"payload": EMAIL, "payloadType": "x"}}, "settings.payload"),
        (
            {"cause": {"kind": "DataError", "message": "no row", "remedy": EMAIL}},
            "cause.remedy",
        ),
        (
            {
                "gates": [
                    {
                        "name": "auc",
                        "metric": "auc",
                        "slice": f"mail={EMAIL}",
                        "operator": ">=",
                        "value": 1.0,
                        "threshold": 0.5,
                        "passed": True,
                    }
                ]
            },
            "gates[0].slice",
        ),
    ],
)
def test_the_field_and_the_pattern_are_named_and_the_value_is_not(
    draft: Draft, notary: LocalNotary, parts: dict[str, Any], where: str
) -> None:
    with pytest.raises(DataError) as refused:
        notary.submit(draft("FAIL", **parts))
    assert refused.value.message == (
        f"{where} of the record of ingest_examples holds what looks like an e-mail address"
    )
    assert EMAIL not in json.dumps(refused.value.to_dict())
    assert notary.records("run-1") == []


@pytest.mark.parametrize("order", [KeyOrder("actor-7", f"ask {EMAIL}"), KeyOrder(EMAIL, "yearly")])
def test_the_words_of_a_change_of_keys_are_looked_at_before_a_key_is_made(
    notary: LocalNotary, home: Path, order: KeyOrder
) -> None:
    keys = sorted(AuditFolder(home).private_key.parent.iterdir())
    with pytest.raises(DataError, match="holds what looks like an e-mail address"):
        notary.change_keys(order)
    assert VerifiedLog.of(home).views == []
    assert sorted(AuditFolder(home).private_key.parent.iterdir()) == keys


@pytest.mark.parametrize("state", [f"FAILED, ask {EMAIL}", "FAILED\n", "/home/ann", "A" * 41, ""])
def test_what_is_no_state_closes_no_run(notary: LocalNotary, draft: Draft, state: str) -> None:
    notary.submit(draft("START"))
    with pytest.raises(DataError, match="no state of a run"):
        notary.close_run("run-1", state)
    assert [view.event for view in notary.records("run-1")] == ["START"]


def test_a_reason_that_a_person_gives_is_refused_as_wrong_usage(
    home: Path, notary: LocalNotary, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("keys", "rotate", "--reason", f"ask {EMAIL}", "--home", str(home))
    assert main(["audit", *words]) == 2
    assert "--reason holds what looks like an e-mail address" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["name", "actor", "trigger"])
def test_the_runs_own_words_are_looked_at_too(draft: Draft, field: str) -> None:
    run = draft("START")["run"]
    accept(draft("START"))
    with pytest.raises(DataError, match=f"run.{field} of the record"):
        accept(draft("START", run=run | {field: EMAIL}))


def test_names_of_artifacts_and_of_the_commit_are_looked_at_too(draft: Draft) -> None:
    made = {"name": EMAIL, "sha256": "1" * 64}
    run = draft("START")["run"]
    for where, parts in (
        (r"inputs\[0\].name", {"inputs": [made | {"record": ""}]}),
        (r"outputs\[0\].name", {"outputs": [made | {"path": "anywhere"}]}),
        ("run.code.commit", {"run": run | {"code": {"commit": EMAIL, "dirty": True}}}),
    ):
        with pytest.raises(DataError, match=f"{where} of the record"):
            accept(draft("COMPLETE", **parts))


def test_numbers_that_are_numbers_are_data_and_no_text(draft: Draft) -> None:
    facts = {"rows": 123_456_789_012, "bytes": 2**60, "seed": 4_111_111_111_111_111}
    schema = "int_domain { min: 1234567890 max: 99999999999 }"
    assert accept(draft("START", facts=facts, settings={"schema_text": schema}))["facts"] == {
        "rows": 123_456_789_012,
        "bytes": str(2**60),
        "seed": 4_111_111_111_111_111,
    }


def test_what_a_person_signs_is_looked_at_inside_its_envelope(people: Any) -> None:
    people.approve()
    with pytest.raises(DataError, match=r"facts.approval.payload.predicate.reason"):
        people.approve(reason=f"as {EMAIL} asked")
    with pytest.raises(DataError, match=r"facts.approval.payload.predicate.name"):
        people.approve(name=EMAIL)


def test_no_stage_can_opt_out(draft: Draft) -> None:
    for event in ("START", "COMPLETE", "FAIL", "ABORT", "CACHED"):
        for stage in ("ingest_examples", "seal_run", "a_stage_of_ones_own"):
            with pytest.raises(DataError, match="e-mail"):
                accept(draft(event, stage, facts={"note": EMAIL}))
