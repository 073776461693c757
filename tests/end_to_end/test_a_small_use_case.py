"""The second use case, whose rows have no time: the whole pipeline on the Boston HMDA sample."""

import json
from pathlib import Path

import pytest
from prepared_run import PreparedRun, run_tandem
from receivers import web_server

from components.audit.answers import DONE_EVENTS
from components.audit.verified_log import VerifiedLog
from components.core.bundle import Bundle
from components.core.examples import ExamplesManifest, read_split

pytestmark = pytest.mark.slow

SENSITIVE = {"black", "single"}
PRICES = "prices={currency: EUR, cpu_hour: 36.0}"


@pytest.fixture(scope="module")
def receiver():
    with web_server() as received:
        yield received


@pytest.fixture(scope="module")
def mortgage(tmp_path_factory, receiver) -> PreparedRun:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TANDEM_NOTIFY_WEBHOOK", receiver.url)
        patch.setenv("TANDEM_NOTIFY_SLACK", "http://127.0.0.1:9/")
        code, stdout = run_tandem("run", "mortgage", "--home", str(home), "--json", "--set", PRICES)
    assert code == 0, stdout
    (folder,) = (home / "runs").iterdir()
    return PreparedRun(home, folder, stdout)


def test_the_runs_end_is_told_and_a_channel_that_fails_is_recorded_and_fails_nothing(
    mortgage, receiver
):
    (message,) = receiver.posts
    assert message["event"] == "released"
    assert message["model"] == "mortgage-denied@1"
    assert message["run"] == mortgage.folder.name
    views = VerifiedLog.of(mortgage.home).ledger.of_run(mortgage.folder.name)
    (closing,) = [view for view in views if (view.stage, view.event) == ("seal_run", "COMPLETE")]
    assert closing.facts["notifications"] == [
        {"channel": "webhook", "sent": True},
        {"channel": "slack", "sent": False, "error": "ConnectionError"},
    ]


def test_the_run_ends_with_a_registered_candidate_and_records_that_verify(mortgage):
    states = {task["state"] for task in mortgage.record["tasks"].values()}
    code, answer = run_tandem("audit", "verify", "--home", str(mortgage.home))

    assert states == {"SUCCEEDED"}
    assert mortgage.json("decide_release", "decision", "decision.json")["go"] is True
    assert code == 0, answer


def test_without_time_all_rows_are_one_span_split_by_a_hash(mortgage):
    folder = mortgage.output("ingest_examples", "examples")
    manifest = ExamplesManifest.read(folder)

    assert manifest.source.rows == 2_381
    assert [(d.reason, d.rows) for d in manifest.dropped] == [("without a public credit record", 1)]
    assert {s.path: s.rows for s in manifest.shards} == {
        "Split-train/all.parquet": 1_648,
        "Split-eval/all.parquet": 732,
    }
    # The lenders denied 285 of 2,380.
    labels = [read_split(folder, s, ["denied"])["denied"].to_pylist() for s in ("train", "eval")]
    assert sum(map(sum, labels)) == 285


def test_sensitive_attributes_are_sliced_by_and_are_no_features(mortgage):
    bundle = Bundle.open(mortgage.output("train_pytorch", "pytorch_model"))
    columns = ExamplesManifest.read(examples(mortgage)).columns
    slices = mortgage.json("evaluate_models", "evaluation", "evaluation.json")["models"]

    assert columns.keys() >= SENSITIVE
    assert {column.name for column in bundle.contract.inputs}.isdisjoint(SENSITIVE)
    for model in ("pytorch", "tensorflow"):
        assert slices[model]["slices"]["black=yes"]["n"] == 114
        assert {"single=yes", "black=yes,single=yes"} < set(slices[model]["slices"])


def examples(run: PreparedRun) -> Path:
    return run.output("ingest_examples", "examples")


def test_the_data_are_loaded_from_a_package_and_never_copied(mortgage):
    (source,) = ExamplesManifest.read(examples(mortgage)).source.files

    assert source.location.startswith("tar://resources/rdata/csv/Ecdat/Hdma.csv::package://")


def test_with_prices_every_attempt_has_a_cost_and_the_run_their_sum(mortgage):
    views = VerifiedLog.of(mortgage.home).ledger.of_run(mortgage.folder.name)
    ended = [view for view in views if view.event in DONE_EVENTS]
    assert {view.stage for view in ended} >= {"ingest_examples", "train_pytorch", "seal_run"}
    for view in ended:
        cost = view.resources["cost"]
        assert cost == {
            "amount": pytest.approx(view.resources["cpu_seconds"] / 100),
            "currency": "EUR",
        }
    assert not any("cost" in view.resources for view in views if view.event == "START")
    code, listed = run_tandem("runs", "--home", str(mortgage.home), "--json")
    (line,) = json.loads(listed)["runs"]
    told = json.loads(mortgage.stdout)["cost"]
    spent = sum(view.resources["cost"]["amount"] for view in ended)
    assert (code, line["cost"]) == (0, told)
    assert told == {"amount": pytest.approx(spent), "currency": "EUR"}
    assert "All stages together cost" in (mortgage.folder / "report.html").read_text()
