"""The report page: what it says, that it escapes, and that it needs nothing but itself."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from components.core.artifacts import write_json
from components.core.errors import DataError
from components.core.policy_gates import FormGate
from components.decide_release.form_gates import PROVEN
from pipelines.home import Home
from pipelines.report import render, write_report
from pipelines.report_gates import OF_FORMS
from pipelines.runners.results import RunState, TaskResult, TaskState
from pipelines.runs import RECORDS_FILE, read_run

Record = Callable[..., Path]
HOSTILE = "<script>alert('x')</script>&\"'"
VOID = {"meta", "path", "rect", "br"}


class Page(HTMLParser):
    """Collects what a page holds, and checks that its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path) -> Page:
    return Page(render(read_run(folder), Home(folder.parents[1])))


def test_the_page_shows_both_models_the_decision_and_the_gates(record_run: Record) -> None:
    text = page(record_run()).text
    for part in (
        "A candidate was registered",
        "its AUC is higher",
        "an AUC of TensorFlow above 0.70",
        "0.7000 [0.6900, 0.7100]",
        "candidate, version 7",
        "345.7 kB",
        "12.0 s",
        "cached",
        "origin=JFK",
        "minimum rows",
        "cancelled",
        "tandem audit trace shop-late@7",
        "with uncommitted changes",
    ):
        assert part in text


def test_a_gate_is_named_without_its_model_and_a_form_is_on_no_slice(record_run: Record) -> None:
    gate = {"operator": "<=", "threshold": 1000000.0, "passed": True, "slice": "overall"}

    def decide(documents: dict[tuple[str, str, str], Any]) -> None:
        decision = documents["decide-release", "decision", "decision.json"]
        gates = [
            {**gate, "name": "pytorch auc", "metric": "auc", "value": 0.7},
            {**gate, "name": "pytorch onnx size_bytes", "metric": "size_bytes", "value": 345678.0},
        ]
        decision["gates"] = {"pytorch": gates}

    shown = render_text(record_run(decide))
    assert "<td>pytorch</td><td>auc</td><td>overall</td>" in shown
    assert "<td>pytorch</td><td>onnx size_bytes</td><td>-</td><td>345678</td>" in shown
    assert "&lt;= 1,000,000" in shown


def test_the_gates_of_the_models_tests_are_shown_by_their_records(record_run: Record) -> None:
    folder = record_run()
    rows = {"name": "pytorch predicted_rows", "metric": "predicted_rows", "slice": "overall"}
    rows |= {"value": 900.0, "operator": ">=", "threshold": 900.0, "passed": True}
    proof = {"name": "pytorch onnx max_abs_difference", "metric": "max_abs_difference"}
    proof |= {"value": 2.5e-7, "operator": "<=", "threshold": 1e-4, "passed": True, "n": 512}
    view = {"index": 3, "attempt": 1, "time": "t", "record": "6" * 64, "facts": {}}
    views = [
        {**view, "event": event, "stage": stage, "gates": [gate] if event == "COMPLETE" else []}
        for stage, gate in (("evaluate_models", rows), ("measure_models", proof))
        for event in ("START", "COMPLETE")
    ]
    write_json(folder / RECORDS_FILE, {"records": views})
    shown = render_text(folder)
    assert "<td>evaluate_models</td><td>pytorch predicted_rows</td><td>overall</td>" in shown
    assert "<td>measure_models</td><td>pytorch onnx max_abs_difference</td><td>-</td>" in shown


def test_what_a_form_is_judged_by_is_what_a_policy_may_ask_of_it() -> None:
    asked = typing.get_args(FormGate.model_fields["metric"].annotation)
    assert set(OF_FORMS) == {*asked, PROVEN}


def test_every_form_that_was_measured_is_in_a_table(record_run: Record) -> None:
    text = page(record_run()).text
    speed = ("0.05 ms", "0.0625 ms", "0.125 ms", "742,531 (1024)")
    for cells in (
        ("pytorch", "onnx", *speed, "345.7 kB", "28.9 ms"),
        ("pytorch", "onnx, from features on", *speed, "-", "-"),
        ("tensorflow", "litert", *speed, "78.1 kB", "1.25 ms"),
    ):
        assert "".join(cells) in text


def test_the_trials_of_a_search_are_in_a_table(record_run: Record) -> None:
    folder = record_run()
    assert "Searches" not in page(folder).text
    trials: list[dict[str, Any]] = [
        {"values": {"train.batch_size": 64, "model.dropout": 0.5}, "failed": "the loss is nan"},
        {"values": {"train.batch_size": 32, "model.dropout": 0.25}, "validation_loss": 0.5},
    ]
    facts = {"search": {"best_trial": 2, "trials": trials}}
    record = {"index": 3, "event": "COMPLETE", "stage": "train_pytorch", "attempt": 1, "time": "t"}
    write_json(folder / RECORDS_FILE, {"records": [{**record, "record": "r", "facts": facts}]})
    text = "".join(page(folder).text.split())
    assert "train_pytorchtrainedwiththesettingsoftrial2" in text
    assert "trialmodel.dropouttrain.batch_sizevalidationloss" in text
    assert "10.564failed:thelossisnan" in text
    assert "20.25320.5" in text


def test_a_waived_gate_is_shown_as_not_passed_with_its_waiver(record_run: Record) -> None:
    def waive(documents: dict[tuple[str, str, str], Any]) -> None:
        (gate,) = documents["validate-examples", "validation", "validation.json"]["gates"]
        gate |= {"passed": False, "waived_by": "7" * 64}

    assert f"NOT PASSED, waived by {'7' * 12}" in page(record_run(waive)).text


def test_a_waived_gate_is_shown_with_who_waived_it_why_and_until_when(record_run: Record) -> None:
    waiver = {"sha256": "7" * 64, "keyid": "8" * 64, "reason": HOSTILE, "until": "2026-11-30"}

    def waive(documents: dict[tuple[str, str, str], Any]) -> None:
        verdict = documents["validate-examples", "validation", "validation.json"]
        verdict["gates"][0] |= {"passed": False, "waived_by": "7" * 64}
        verdict["waivers"] = [waiver]

    words = f"waived by {'7' * 12} until 2026-11-30 with key {'8' * 12}: {HOSTILE}"
    assert words in page(record_run(waive)).text

    def fail(documents: dict[tuple[str, str, str], Any]) -> None:
        del documents["validate-examples", "validation", "validation.json"]

    folder = record_run(fail)
    gate = {"name": "skew:kind", "metric": "distance", "value": 1.0, "operator": "<="}
    gate |= {"threshold": 0.1, "passed": False, "waived_by": "7" * 64}
    view = {"index": 3, "event": "FAIL", "stage": "validate_examples", "attempt": 1, "time": "t"}
    view |= {"record": "6" * 64, "gates": [gate], "facts": {"waivers": [waiver]}}
    write_json(folder / RECORDS_FILE, {"records": [view]})
    assert words in page(folder).text


def test_text_from_data_and_errors_is_escaped_everywhere(record_run: Record) -> None:
    def poison(documents: dict[tuple[str, str, str], Any]) -> None:
        manifest = documents["ingest-examples", "examples", "manifest.json"]
        manifest["dropped"][0]["reason"] = HOSTILE
        manifest["source"]["files"][0]["location"] = HOSTILE
        evaluation = documents["evaluate-models", "evaluation", "evaluation.json"]
        for model in evaluation["models"].values():
            model["slices"][f"origin={HOSTILE}"] = model["slices"].pop("origin=JFK")
        documents["decide-release", "decision", "decision.json"]["reasons"] = [HOSTILE]
        registration = documents["register-models", "registration", "registration.json"]
        registration["model_name"] = HOSTILE

    error = {"kind": "DataError", "message": HOSTILE, "remedy": HOSTILE}
    failed = {"seal-run": TaskResult(TaskState.FAILED, error=error, reason=HOSTILE)}
    folder = record_run(poison, failed)
    shown = page(folder)
    assert "script" not in shown.names
    assert shown.text.count("alert('x')") >= 8
    assert "<script" not in render(read_run(folder), Home(folder.parents[1])).lower()


def test_the_page_needs_no_script_and_no_network(record_run: Record) -> None:
    folder = record_run()
    shown = page(folder)
    assert not shown.open
    assert shown.names.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    names = {name for name, _ in shown.attributes}
    assert names.isdisjoint({"src", "href", "srcset", "style"})
    assert not [name for name in names if name.startswith("on")]
    style = re.findall(r"url\(([^)]*)\)", render_text(folder))
    assert set(style) == {"#head"}


def render_text(folder: Path) -> str:
    return render(read_run(folder), Home(folder.parents[1]))


def test_a_failed_run_shows_the_cause_and_leaves_out_what_it_did_not_reach(
    record_run: Record,
) -> None:
    error = {"kind": "GateError", "message": "too few rows", "remedy": "give more"}

    def stop(documents: dict[tuple[str, str, str], Any]) -> None:
        for key in [key for key in documents if key[0] != "ingest-examples"]:
            del documents[key]

    results = {
        "validate-examples": TaskResult(TaskState.FAILED, error=error),
        "train-pytorch": TaskResult(TaskState.SKIPPED, reason="validate-examples failed"),
    }
    folder = record_run(stop, results, RunState.FAILED)
    gate = {"name": "minimum_rows", "metric": "rows", "value": 5, "operator": ">="}
    view = {"index": 3, "event": "FAIL", "stage": "validate_examples", "attempt": 1, "time": "t"}
    gates = [{**gate, "threshold": 1000, "passed": False}]
    write_json(folder / RECORDS_FILE, {"records": [{**view, "record": "6" * 64, "gates": gates}]})
    text = page(folder).text
    assert "too few rows" in text
    assert "Remedy: give more" in text
    assert "NOT PASSED" in text
    assert "skipped" in text
    assert "Both models" not in text


REGISTER = ("register-models", "registration", "registration.json")
ERROR = {"kind": "PlatformError", "message": "no disk", "remedy": "free some"}
FAILED = TaskResult(TaskState.FAILED, error=ERROR, attempts=1)
CANCELLED = TaskResult(TaskState.CANCELLED, attempts=1)
SKIPPED = TaskResult(TaskState.SKIPPED)


@pytest.mark.parametrize(
    ("state", "registering", "said"),
    [
        (RunState.FAILED, None, "The run failed after a candidate was registered"),
        (RunState.STOPPED, None, "The run was stopped after a candidate was registered"),
        (RunState.FAILED, FAILED, "The run failed: the registration did not finish"),
        (RunState.STOPPED, CANCELLED, "The run was stopped: the registration did not finish"),
        (RunState.FAILED, SKIPPED, "The run failed: nothing was registered"),
        (RunState.STOPPED, SKIPPED, "The run was stopped: nothing was registered"),
    ],
)
def test_the_verdict_says_what_was_registered(
    record_run: Record, state: RunState, registering: TaskResult | None, said: str
) -> None:
    results = {"seal-run": FAILED}
    if registering:
        results["register-models"] = registering
    folder = record_run(
        lambda documents: documents.pop(REGISTER) if registering else None, results, state
    )
    assert said in page(folder).text


def test_the_registrys_page_is_offered_only_where_there_is_a_registry(
    record_run: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = record_run()
    assert "registry's own page" not in page(folder).text
    (folder.parents[1] / "mlflow.db").touch()
    assert "mlflow ui --backend-store-uri" in page(folder).text


def test_a_damaged_artifact_is_named_instead_of_shown(record_run: Record) -> None:
    folder = record_run()
    path = folder / "artifacts" / "decide-release" / "decision" / "decision.json"
    path.write_text("{")
    with pytest.raises(DataError, match=re.escape(str(path))):
        render(read_run(folder), Home(folder.parents[1]))


def test_the_page_is_written_into_the_runs_folder(record_run: Record) -> None:
    folder = record_run()
    path = write_report(read_run(folder), Home(folder.parents[1]))
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_picture_joins_each_stage_with_those_it_waits_for(record_run: Record) -> None:
    stages = render_text(record_run()).partition("<h2>Stages")[2].partition("<h2>")[0]
    # Nine arrows say it all: a way that a longer one implies is left out.
    assert len(re.findall(r'class="arrow" d="M[^"]* C', stages)) == 9


def test_the_only_links_are_to_files_of_the_run(record_run: Record) -> None:
    def measure(documents: dict[tuple[str, str, str], Any]) -> None:
        drift = {"spans": ["2013-02", "2013-03"], "distances": {"origin": [0.25]}}
        documents["validate-examples", "statistics", "drift.json"] = drift

    folder = record_run(measure)
    assert "<a " not in render_text(folder)
    (folder / "artifacts" / "validate-examples" / "statistics" / "statistics.html").touch()
    links = [value for name, value in page(folder).attributes if name == "href"]
    assert links == ["artifacts/validate-examples/statistics/statistics.html"]
    assert (folder / links[0]).is_file()
