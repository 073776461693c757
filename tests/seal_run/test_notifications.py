"""Who is told of a run's end, and what: by its records, over real sockets, and never failing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from receivers import mail_server, web_server

from components.audit.answers import RecordView
from components.seal_run.channels import LINK_VARIABLE, ON_VARIABLE, PREFIX, Told, link_of, tell
from components.seal_run.news import FAILED, RELEASED, STOPPED, News, news

RUN = {"id": "run-1", "name": "flights"}
GONE = {"kind": "GateError", "message": "auc 0.5 < 0.6", "remedy": "train longer & better"}
FULL = {"kind": "PlatformError", "message": "the disk is full", "remedy": "free it"}
VERSIONS = {"model_name": "delay", "versions": {"candidate": {"version": "3"}}}


@pytest.fixture(autouse=True)
def nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEBHOOK", "SLACK", "EMAIL", "ON"):
        monkeypatch.delenv(f"{PREFIX}{name}", raising=False)


def view(stage: str, event: str, **parts: Any) -> RecordView:
    number = {"index": 1, "record": "0" * 64, "record_id": "x", "idempotency_key": "1" * 64}
    return RecordView(**number, run="run-1", stage=stage, attempt=1, event=event, time="", **parts)


STOPS = news(RUN, [view("validate_examples", "FAIL", cause=GONE)], "https://kfp.example/run-1")


@pytest.mark.parametrize(
    ("views", "event", "title"),
    [
        (
            [
                view("train_pytorch", "FAIL", cause=FULL),
                view("register_models", "COMPLETE", facts=VERSIONS),
            ],
            RELEASED,
            "flights: released delay@3",
        ),
        (
            [view("decide_release", "FAIL", cause=GONE)],
            STOPPED,
            "flights: stopped by a gate in decide-release",
        ),
        (
            [
                view("train_pytorch", "FAIL", cause=FULL),
                view("train_tensorflow", "ABORT", cause=GONE),
            ],
            FAILED,
            "flights: failed in train-pytorch",
        ),
        ([view("ingest_examples", "START")], FAILED, "flights: failed"),
    ],
)
def test_how_a_run_ended_is_what_its_records_say(
    views: list[RecordView], event: str, title: str
) -> None:
    told = news(RUN, views, None)
    assert (told.event, told.title) == (event, title)


def test_a_message_has_stage_cause_remedy_cost_and_link() -> None:
    paid = {"cost": {"amount": 1.5, "currency": "EUR"}}
    views = [
        view("ingest_examples", "COMPLETE", resources=paid),
        view("validate_examples", "FAIL", cause=GONE, resources=paid),
    ]
    assert news(RUN, views, "https://kfp.example/run-1").to_text().splitlines() == [
        "flights: stopped by a gate in validate-examples",
        "cause: auc 0.5 < 0.6",
        "remedy: train longer & better",
        "run: run-1",
        "cost: 3.00 EUR",
        "link: https://kfp.example/run-1",
    ]


def test_a_webhook_gets_json_and_slack_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as received:
        monkeypatch.setenv(f"{PREFIX}WEBHOOK", received.url)
        monkeypatch.setenv(f"{PREFIX}SLACK", received.url)
        assert tell(STOPS) == [Told("webhook"), Told("slack")]
    hook, slack = received.posts
    assert hook == STOPS.to_dict()
    assert (hook["version"], hook["event"], hook["stage"]) == (1, "stopped", "validate-examples")
    assert slack.keys() == {"text"}
    assert "auc 0.5 &lt; 0.6" in slack["text"]
    assert "longer &amp; better" in slack["text"]


def test_a_mail_goes_to_whom_the_address_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as received:
        monkeypatch.setenv(f"{PREFIX}EMAIL", received.url + ",more@example.org")
        assert tell(STOPS) == [Told("email")]
    (mail,) = received.mails
    assert mail["Subject"] == STOPS.title
    assert received.recipients == ["team@example.org", "more@example.org"]
    assert mail.get_content().splitlines() == STOPS.to_text().splitlines()


def test_only_the_ends_that_are_wanted_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as received:
        monkeypatch.setenv(f"{PREFIX}WEBHOOK", received.url)
        monkeypatch.setenv(ON_VARIABLE, "failed, released")
        assert tell(STOPS) == []
        assert tell(News(FAILED, "run-2", "flights")) == [Told("webhook")]
    assert [post["run"] for post in received.posts] == ["run-2"]


def test_what_fails_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as received:
        received.status = [503]
        monkeypatch.setenv(f"{PREFIX}WEBHOOK", received.url)
        assert tell(STOPS) == [Told("webhook")]
    assert len(received.posts) == 2


@pytest.mark.parametrize(("status", "error"), [(500, "HTTP status 500"), (302, "HTTP status 302")])
def test_an_answer_that_is_no_yes_is_a_failure(
    status: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server() as received:
        received.status = [status, status]
        monkeypatch.setenv(f"{PREFIX}SLACK", received.url)
        assert tell(STOPS) == [Told("slack", error)]


@pytest.mark.parametrize(
    ("channel", "address", "error"),
    [
        ("WEBHOOK", "http://127.0.0.1:9/secret-token", "ConnectionError"),
        ("WEBHOOK", "http://example.org/secret-token", "the address is not https://"),
        ("WEBHOOK", "http://[secret-token", "ValueError"),
        ("SLACK", "ftp://example.org/secret-token", "the address is not https://"),
        ("EMAIL", "smtp://127.0.0.1:9?from=a@b.c&to=secret-token@b.c", "ConnectionRefusedError"),
        ("EMAIL", "smtp://127.0.0.1:9?to=secret-token@b.c", "the address is not smtps://"),
        ("EMAIL", "mailto:secret-token@b.c", "the address is not smtps://"),
        ("EMAIL", "smtp://127.0.0.1:9?from=a@b.c&to=secret-token@", "from or to is no list"),
        (
            "EMAIL",
            "smtp://127.0.0.1:9?from=a@b.c&to=secret-token,<",
            "from or to is no list",
        ),
        ("EMAIL", 'smtp://127.0.0.1:9?from="&to=secret-token@b.c', "from or to is no list"),
        (
            "EMAIL",
            "smtp://127.0.0.1:9?from=a@[&to=secret-token@b.c",
            "from or to is no list",
        ),
    ],
)
def test_a_failure_is_named_without_the_address(
    channel: str, address: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}{channel}", address)
    (told,) = tell(STOPS)
    fact = told.to_fact()
    assert (fact["sent"], fact["channel"]) == (False, channel.lower())
    assert fact["error"].startswith(error)
    assert "secret-token" not in json.dumps(fact)


def test_a_link_has_the_runs_id(monkeypatch: pytest.MonkeyPatch) -> None:
    assert link_of("run-1") is None
    monkeypatch.setenv(LINK_VARIABLE, "https://kfp.example/#/runs/details/{run}")
    assert link_of("run-1") == "https://kfp.example/#/runs/details/run-1"
