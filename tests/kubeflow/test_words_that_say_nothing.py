"""Words for a cluster that are empty, or that no server takes: refused, and never a default."""

from __future__ import annotations

import pytest
from asked import named, said
from kfp_server import TOKEN, KfpServer

from pipelines.cli import main

EMPTY = [
    ("submit", "", "--target", "dev"),
    ("submit", "flights", "--target", ""),
    ("submit", "flights", "--target", "dev", "--window", ""),
    ("schedule", "create", "flights", "--target", "dev", "--cron", " ", "--time-zone", "UTC"),
    ("schedule", "create", "flights", "--target", "dev", "--cron", "0 3 2 * *", "--time-zone", ""),
    ("schedule", "show", ""),
    ("schedule", "pause", " "),
    ("schedule", "resume", ""),
    ("schedule", "delete", ""),
    ("backfill", "flights", "--target", "dev", "--from", "", "--to", "2013-02"),
    ("backfill", "flights", "--target", "dev", "--from", "2013-02", "--to", ""),
    ("runs", "show", "", "--cluster"),
    ("logs", ""),
    ("logs", "latest", ""),
    ("retry", ""),
    ("terminate", " "),
    ("audit", "impact", ""),
    ("audit", "openlineage", " ", "-o", "events"),
    ("compile", "--target", "dev", "--settings", ""),
    ("compile", "--target", "dev", "--kubernetes", "--namespace", ""),
    ("compile", "--target", "dev", "-o", ""),
]


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_an_empty_word_is_wrong_usage(
    served: KfpServer, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable of the shell that is not set makes one."""
    assert main(list(words)) == 2
    assert "it is empty" in capsys.readouterr().err
    assert served.calls == []


@pytest.mark.slow
def test_an_empty_word_ends_no_run(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the beginning of every run's name."""
    window = ("--window", "2013-01:2013-02")
    run = said(capsys, "submit", "flights", "--target", target, *window)[1]["run"]
    assert main(["terminate", ""]) == 2
    assert served.store.runs[run].state == "PENDING"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "  ", "a name", "flights\n", "n" * 101, "9", "ä"])
def test_a_name_that_is_none_makes_no_schedule(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = ("schedule", "create", "flights", "--target", target, "--cron", "0 3 2 * *")
    assert main([*words, "--time-zone", "UTC", "--name", name]) == 2
    told = capsys.readouterr().err
    assert "it is empty" in told or "is no name of a schedule" in told
    assert not served.store.recurring


@pytest.mark.parametrize(
    ("variable", "value", "cause"),
    [
        ("KF_PIPELINES_ENDPOINT", "http://[kfp", "is no address of a server"),
        ("KF_PIPELINES_ENDPOINT", "http://kfp:99999", "is no address of a server"),
        ("KF_PIPELINES_ENDPOINT", "http://two words", "is no address of a server"),
        ("TANDEM_KFP_NAMESPACE", " ", "' ' is no namespace"),
        ("TANDEM_KFP_NAMESPACE", "Team A", "'Team A' is no namespace"),
        ("TANDEM_KFP_NAMESPACE", "a" * 64, "is no namespace"),
        ("TANDEM_KFP_TOKEN", "two\nlines", "is no bearer token"),
        ("TANDEM_KFP_TOKEN", "t\u20ac", "is no bearer token"),
        ("TANDEM_KFP_SECONDS", "9" * 20, "is no number of seconds"),
        ("TANDEM_KFP_SECONDS", "\u00b2", "is no number of seconds"),
    ],
)
def test_an_environment_that_names_no_server_is_the_callers(
    served: KfpServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    variable: str, value: str, cause: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    code, answer = said(capsys, "runs", "--cluster")
    assert (code, cause in answer["error"]["message"]) == (2, True), answer
    assert served.calls == []


def test_a_token_from_a_file_may_end_with_a_line(
    served: KfpServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, served.url, f"{TOKEN}\n")
    assert said(capsys, "runs", "--cluster")[0] == 0
