"""`tandem submit` against the API server of the tests: one run, or a clear refusal and none."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked import named, said
from kfp_server import KfpServer

from components.core.canonical import sha256_bytes
from components.core.errors import SettingsError
from pipelines.compiler import TRAINING, compiled
from pipelines.kubeflow.once import submit
from pipelines.kubeflow.session import Session
from pipelines.kubeflow.submission import as_spec, prepare
from pipelines.loaded_settings import load_settings
from pipelines.settings_file import find_settings
from pipelines.shipped import shipped_sha256
from pipelines.target import load_target

pytestmark = pytest.mark.slow
WINDOW = ("--window", "2013-01:2013-02")


def runs(served: KfpServer) -> list[Any]:
    return list(served.store.runs.values())


def asked(target: str, *more: str) -> tuple[str, ...]:
    return ("submit", "flights", "--target", target, *WINDOW, *more)


def test_a_run_is_submitted_with_all_that_it_needs(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = said(capsys, *asked(target))
    (run,) = runs(served)
    assert (code, answer["run"], answer["submitted"]) == (0, run.run_id, True)
    assert run.display_name == answer["name"]
    assert run.display_name.startswith("flights-2013-02-")
    assert run.runtime_config.pipeline_root == "s3://tandem-dev/artifacts"
    given = run.runtime_config.parameters
    assert given["window"] == {"first": "2013-01", "last": "2013-02"}
    assert given["run"]["trigger"] == "manual"
    assert given["champion"] == {}
    assert len(given["source"]["table"]["sha256"]) == 64


def test_what_is_submitted_is_what_runs_here(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, answer = said(capsys, *asked(target))
    (run,) = runs(served)
    assert answer["shipped_sha256"] == shipped_sha256(compiled())
    text = yaml.safe_dump(run.pipeline_spec["pipeline_spec"])
    assert shipped_sha256(text) == shipped_sha256(compiled())
    whole = compiled(TRAINING, load_target(target))
    assert run.runtime_config.parameters["run"]["ir_sha256"] == sha256_bytes(whole.encode())
    assert list(yaml.safe_load_all(whole)) == list(run.pipeline_spec.values())


def test_a_compiled_pipeline_is_parsed_once_for_a_submission(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Reading it takes a tenth of a second; whatever reads YAML goes through load_all."""
    read, parsed = yaml.load_all, []

    def counted(text: Any, *words: Any, **more: Any) -> Any:
        if isinstance(text, str) and "pipelineInfo" in text:
            parsed.append(text)
        return read(text, *words, **more)

    as_spec.cache_clear()
    monkeypatch.setattr(yaml, "load_all", counted)
    assert said(capsys, *asked(target))[0] == 0
    assert len(parsed) == 1


def test_the_same_words_find_the_same_run(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = said(capsys, *asked(target))[1]
    for state in ("RUNNING", "SUCCEEDED"):
        served.store.state(served.store.runs[first["run"]], state)
        again = said(capsys, *asked(target))[1]
        assert (again["run"], again["submitted"], again["state"]) == (first["run"], False, state)
    served.store.end(first["run"], "FAILED")
    assert said(capsys, *asked(target))[1]["submitted"]
    assert len(runs(served)) == 2


def test_another_run_of_a_span_that_one_works_on_is_refused(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = said(capsys, *asked(target))[1]
    other = asked(target, "--set", "train.epochs=2")
    code, answer = said(capsys, *other)
    assert code == 2
    assert first["name"] in answer["error"]["message"]
    assert said(capsys, *asked(target, "--window", "2013-01:2013-03"))[0] == 0
    assert f"tandem terminate {first['run']}" in answer["error"]["remedy"]
    assert said(capsys, "terminate", first["run"])[1]["terminated"]
    assert said(capsys, *other)[1]["submitted"]


@pytest.mark.parametrize(
    ("fault", "times"),
    [("503", 3), ("reset", 3), ("lost", 1), ("lost", 3), ("twice", 1), ("stalled", 2)],
)
def test_whatever_the_network_does_one_run_is_left(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, fault: str, times: int,
) -> None:  # fmt: skip
    if fault == "stalled":
        monkeypatch.setenv("TANDEM_KFP_SECONDS", "2")
    served.faults.add(fault, "POST", "/runs$", times=times)
    served.faults.add(fault, "GET", "/runs$", times=times if fault == "stalled" else 0)
    code, answer = said(capsys, *asked(target))
    assert code == 0
    assert (served.faults.gave_up > 0) == (fault == "stalled")
    left = [run for run in runs(served) if run.state not in ("CANCELED", "FAILED")]
    assert [run.run_id for run in left] == [answer["run"]]


def test_of_two_who_submit_at_once_one_run_stays(served: KfpServer, target: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    loaded = load_settings(find_settings("flights"), ["window={first: 2013-01, last: 2013-02}"])
    submissions = [prepare(loaded, load_target(target), cache=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda one: submit(Session.open(), one), submissions))
    left = [run.run_id for run in runs(served) if run.state != "CANCELED"]
    assert [left[0]] == left
    assert told[-1].run.name == runs(served)[0].display_name


def test_of_two_who_want_other_things_of_one_span_at_once_not_both_get_them(
    served: KfpServer, target: str
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def submitted(epochs: int) -> str | SettingsError:
        window = ["window={first: 2013-01, last: 2013-02}", f"train.epochs={epochs}"]
        loaded = load_settings(find_settings("flights"), window)
        submission = prepare(loaded, load_target(target), cache=True)
        together.wait()
        try:
            return submit(Session.open(), submission).run.id
        except SettingsError as refused:
            return refused

    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(submitted, (2, 3)))
    left = [run.run_id for run in runs(served) if run.state not in ("CANCELED", "CANCELING")]
    refusals = [one for one in told if isinstance(one, SettingsError)]
    assert left == [one for one in told if one not in refusals]
    assert refusals  # both, where both were made in one moment
    assert all("works on 2013-02 of flights" in one.message for one in refusals)


def test_a_failed_run_does_not_go_on_beside_the_one_that_took_its_place(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = said(capsys, *asked(target))[1]["run"]
    served.store.end(first, "FAILED")
    second = said(capsys, *asked(target))[1]["run"]
    for state in ("RUNNING", "SUCCEEDED"):
        served.store.state(served.store.runs[second], state)
        code, answer = said(capsys, "retry", first)
        assert code == 2
        assert "would be trained twice" in answer["error"]["message"]
        assert second in answer["error"]["remedy"]
    served.store.end(second, "FAILED")
    assert said(capsys, "retry", first)[0] == 0


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--window", "2013-01:2099-01"), "the span 2099-01 has not ended"),
        (("--set", "source.table.location=flights.csv"), "which the pods of a cluster do not"),
        (("--set", "source.table.location=file:///data/x.csv"), "which the pods of a cluster"),
        (("--set", "train.device=cuda"), "would get no nvidia.com/gpu"),
        (("--set", "train.epoch=2"), "train.epoch"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], cause: str,
) -> None:  # fmt: skip
    code, answer = said(capsys, *asked(target, *words))
    assert code == 2
    assert cause in answer["error"]["message"]
    assert served.calls == []


def test_a_database_is_one_whose_address_the_target_gives_to_the_pods(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The variable of whoever submits is not that of the pods."""
    monkeypatch.setenv("TANDEM_DATABASE_DUCKDB_OF_SHOP", "postgresql://shop.invalid/sales")
    table = "{query: SELECT * FROM flights, database: duckdb_of_shop}"
    words = asked(target, "--set", f"source.table={table}")
    code, answer = said(capsys, *words)
    assert (code, served.calls) == (2, [])
    assert "is in the database duckdb_of_shop, whose address" in answer["error"]["message"]
    assert "TANDEM_DATABASE_DUCKDB_OF_SHOP" in answer["error"]["remedy"]
    text = Path(target).read_text()
    given = "  TANDEM_DATABASE_DUCKDB_OF_SHOP: {secret: tandem-shop, key: address}\n"
    Path(target).write_text(text.replace("secrets:\n", f"secrets:\n{given}"))
    assert said(capsys, *words)[0] == 0


@pytest.mark.parametrize(
    ("name", "cause"), [("dev", "digests of zeros"), ("local", "is no cluster's")]
)
def test_a_target_without_images_is_refused(
    served: KfpServer, capsys: pytest.CaptureFixture[str], name: str, cause: str
) -> None:
    code, answer = said(capsys, *asked(name))
    assert (code, cause in answer["error"]["message"]) == (2, True)
    assert served.calls == []


def test_without_permission_nothing_is_made(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TANDEM_KFP_NAMESPACE", "team-b")
    code, answer = said(capsys, *asked(target))
    assert (code, "no permission in the namespace team-b" in answer["error"]["message"]) == (
        2,
        True,
    )
    assert not served.store.runs
    assert not served.store.experiments


def test_a_server_that_is_not_there_is_said(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    named(monkeypatch, "http://127.0.0.1:9")
    code, answer = said(capsys, *asked(target))
    assert (code, "cannot be reached" in answer["error"]["message"]) == (1, True)


def test_a_span_that_ends_in_another_time_zone_has_not_ended_yet(target: str) -> None:
    path = Path(target)
    path.write_text(path.read_text() + "time_zone: America/New_York\n")
    loaded = load_settings(find_settings("flights"), ["window={first: 2013-01, last: 2013-02}"])
    moment = datetime.datetime(2013, 3, 1, 4, 59, tzinfo=datetime.UTC)
    with pytest.raises(Exception, match="2013-02 has not ended: it does so at 2013-03-01T00"):
        prepare(loaded, load_target(target), cache=True, now=moment)
