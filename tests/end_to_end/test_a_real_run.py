"""The whole pipeline on two real months of flights, through the command a user types."""

import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from prepared_run import SMALL, run_tandem
from second_program import second_verdict

from components.audit.answers import AUDIT
from components.audit.verified_log import VerifiedLog
from components.core.artifacts import manifest, tree_digest
from components.core.bundle import Bundle
from components.core.canonical import sha256_file
from components.core.examples import ExamplesManifest
from pipelines.reproduction import reproduction
from pipelines.runs import read_run

pytestmark = pytest.mark.slow

# Every artifact whose format repeats byte for byte: docs/reproducibility.md.
REPRODUCIBLE = {
    "ingest_examples": ["examples"],
    "validate_examples": ["validation"],
    "transform_features": ["features"],
    "train_pytorch": ["pytorch_model"],
}


TESTING = ("validate_examples", "evaluate_models", "measure_models")
FLIGHTS = Path(__file__).resolve().parents[2] / "pipelines" / "examples" / "flights"
BUILT_IN = "model: {family: wide_and_deep}"
DRAWN = ["drift.json", "statistics.html"]
FITTED = ["preprocessing.json", "preprocessing.onnx"]


def versions(home: Path) -> list[tuple[str, int]]:
    """Return the aliases in the registry, read without MLflow."""
    with sqlite3.connect(home / "mlflow.db") as store:
        rows = store.execute("SELECT alias, version FROM registered_model_aliases")
        return sorted((alias, int(version)) for alias, version in rows)


def count_versions(home: Path) -> int:
    with sqlite3.connect(home / "mlflow.db") as store:
        return int(store.execute("SELECT COUNT(*) FROM model_versions").fetchone()[0])


def states(record):
    return {name: task["state"] for name, task in record["tasks"].items()}


def latest_record(home: Path):
    return json.loads((max((home / "runs").iterdir()) / "run.json").read_text())


def test_all_ten_stages_succeed_and_a_candidate_is_registered(small_run):
    assert set(states(small_run.record).values()) <= {"SUCCEEDED", "CACHED"}
    assert len(small_run.record["tasks"]) == 10
    assert [alias for alias, _ in versions(small_run.home)] == ["candidate", "challenger"]


def test_the_answer_is_one_json_object_that_names_the_decision(small_run):
    answer = json.loads(small_run.stdout)
    decision = small_run.json("decide_release", "decision", "decision.json")
    assert decision["go"] is True
    assert decision["winner"] in json.dumps(answer)


def test_cancelled_flights_are_counted_as_cancelled(small_run):
    manifest = ExamplesManifest.read(small_run.output("ingest_examples", "examples"))
    dropped = {drop.reason: drop.rows for drop in manifest.dropped}
    assert dropped["cancelled"] == 521 + 1_261
    assert manifest.source.rows == manifest.rows + sum(dropped.values()) == 336_776


def test_no_column_that_leaks_the_target_is_among_the_examples(small_run):
    columns = ExamplesManifest.read(small_run.output("ingest_examples", "examples")).columns
    assert not columns.keys() & {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_each_bundle_carries_a_contract_and_onnx_that_takes_raw_rows(small_run, framework):
    bundle = Bundle.open(small_run.output(f"train_{framework}", f"{framework}_model"))
    (form,) = [form for form in bundle.contract.forms if form.name == "onnx"]
    assert form.takes == "raw_rows"
    assert "carrier" in {column.name for column in bundle.contract.inputs}


def test_what_each_training_took_is_an_artifact_and_a_criterion(small_run) -> None:
    decision = small_run.json("decide_release", "decision", "decision.json")
    [row] = [row for row in decision["criteria"] if row["name"] == "training_seconds"]
    for model in ("pytorch", "tensorflow"):
        taken = small_run.json(f"train_{model}", f"{model}_training", "training.json")
        assert 0 < taken["cpu_seconds"] == row[model]


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_every_form_of_both_bundles_was_measured(small_run, framework):
    measured = small_run.json("measure_models", "measurements", "measurements.json")
    bundle = Bundle.open(small_run.output(f"train_{framework}", f"{framework}_model"))
    forms = measured["models"][framework]["forms"]
    assert forms.keys() == {form.name for form in bundle.contract.forms}
    for form in (*forms.values(), forms["onnx"]["from_features"]):
        assert form["batch_rows"] == 1024
        assert form["rows_per_second"] > 0
        assert form["one_row_ms"].keys() == {"p50", "p95", "p99"}


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_tfma_opens_the_results_of_both_models(small_run, framework):
    import tensorflow_model_analysis as tfma

    folder = small_run.output("evaluate_models", "evaluation") / framework
    result = tfma.load_eval_result(str(folder))
    assert len(result.slicing_metrics) > 5


def test_the_record_of_every_test_says_which_gates_were_passed(small_run):
    log = VerifiedLog.of(small_run.home)
    done = [view for view in log.views if view.event == "COMPLETE" and view.stage in TESTING]
    assert {view.stage for view in done} == set(TESTING)
    for view in done:
        predicate = log.signed(view)["predicate"]
        assert predicate["result"] == "PASSED"
        assert len(predicate["passedTests"]) == len(predicate[AUDIT]["gates"]) > 0


def test_what_was_proven_of_each_form_is_a_gate_wherever_gates_are_shown(small_run, tmp_path):
    place = ("--home", str(small_run.home))
    proofs = [
        f"{framework} {form.name} max_abs_difference"
        for framework in ("pytorch", "tensorflow")
        for form in Bundle.open(
            small_run.output(f"train_{framework}", f"{framework}_model")
        ).contract.forms
        if form.parity
    ]
    assert "pytorch onnx max_abs_difference" in proofs
    judged = json.loads(run_tandem("audit", "gates", "--json", *place)[1])["gates"]
    listed = {item["gate"]["name"] for item in judged if item["stage"] == "measure_models"}
    assert listed >= set(proofs)
    words = ("flights-late@1", "--template", "annex-iv", "-o", str(tmp_path / "report.html"))
    report = run_tandem("audit", "report", *words, "--json", *place)
    of_version = {gate["name"] for gate in json.loads(report[1])["gates"]}
    assert of_version >= set(proofs)
    page = (small_run.folder / "report.html").read_text()
    assert all(f"<td>{name}</td>" in page for name in proofs)


def test_the_log_and_every_artifact_verify(small_run):
    code, answer = run_tandem("audit", "verify", "--home", str(small_run.home))
    assert code == 0, answer
    code, answer = second_verdict(small_run.home)
    assert code == 0, answer


def test_the_way_back_from_the_model_ends_at_the_data(small_run):
    code, answer = run_tandem("audit", "trace", "flights-late@1", "--home", str(small_run.home))
    assert code == 0
    assert "ingest_examples" in answer
    assert "flights.csv.zip" in answer


def test_an_answer_without_findings_says_of_how_much_it_speaks(small_run, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(small_run.home, home)
    shutil.move(home / "runs" / small_run.folder.name, tmp_path / "away")
    code, answer = run_tandem("audit", "verify", "--home", str(home), "--json")
    answer = json.loads(answer)
    assert (code, answer["findings"], answer["runs"]) == (0, [], 1)
    assert answer["runs_without_folder"] == [small_run.folder.name]
    assert answer["records"] >= 18


def test_a_run_on_a_log_that_was_edited_ends_with_the_code_of_integrity(small_run, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(small_run.home, home)
    entry = max((home / "audit").rglob("*entries*/**/*"), key=lambda path: path.is_file())
    entry.chmod(0o600)
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    assert run_tandem("run", "flights", "--home", str(home), *SMALL)[0] == 4


def test_an_edited_artifact_is_a_finding(small_run, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(small_run.home, home)
    folder = home / "runs" / small_run.folder.name
    contract = next(folder.rglob("contract.json"))
    contract.write_text(contract.read_text() + " ")
    code, answer = run_tandem("audit", "verify", "--home", str(home))
    assert code == 4
    assert "_model" in answer


def test_the_same_run_again_does_no_work_again(small_run, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(small_run.home, home)
    code, _ = run_tandem("run", "flights", "--home", str(home), "--json", *SMALL)
    assert code == 0
    done = states(latest_record(home))
    assert {name for name, state in done.items() if state != "CACHED"} == {
        "register-models",
        "seal-run",
    }


def test_a_changed_policy_stops_the_run_at_the_decision_and_registers_nothing(small_run, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(small_run.home, home)
    before = count_versions(home)
    gate = "policy.gates=[{metric: auc, operator: '>=', threshold: 0.99}]"
    code, _ = run_tandem("run", "flights", "--home", str(home), *SMALL, "--set", gate)
    done = states(latest_record(home))
    assert code == 3
    assert done["train-pytorch"] == done["evaluate-models"] == "CACHED"
    assert (done["decide-release"], done["register-models"]) == ("FAILED", "SKIPPED")
    assert done["seal-run"] == "SUCCEEDED"
    assert count_versions(home) == before
    assert run_tandem("audit", "verify", "--home", str(home))[0] == 0


def test_a_plan_names_the_setting_that_would_train_again(small_run):
    code, answer = run_tandem(
        "plan", "flights", "--home", str(small_run.home), "--json", *SMALL, "--set", "train.seed=14"
    )
    plan = {stage["stage"]: stage for stage in json.loads(answer)["stages"]}
    assert code == 0
    assert plan["transform_features"]["verdict"] == "cached"
    assert plan["train_pytorch"]["verdict"] == "run"
    assert any("seed" in change for change in plan["train_pytorch"]["changed"])


def test_after_a_run_that_stopped_a_plan_says_what_changed_since_the_last_that_completed(
    small_run, tmp_path
):
    home = tmp_path / "home"
    shutil.copytree(small_run.home, home)
    stopping = ("--window", "2013-02:2013-03", "--set", "checks.minimum_rows=999999")
    code, _ = run_tandem("run", "flights", "--home", str(home), *stopping)
    assert (code, latest_record(home)["tasks"]["ingest-examples"]["state"]) == (3, "SUCCEEDED")
    _, answer = run_tandem(
        "plan", "flights", "--home", str(home), "--json", "--window", "2013-01:2013-04"
    )
    (ingestion,) = (s for s in json.loads(answer)["stages"] if s["stage"] == "ingest_examples")
    assert ingestion["changed"] == ["settings window.last: 2013-02 -> 2013-04"]


def test_a_use_case_in_a_folder_of_ones_own_runs_with_its_own_model_functions(
    small_run, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", "")
    home, folder = tmp_path / "home", tmp_path / "mine"
    shutil.copytree(small_run.home, home)
    shutil.copytree(FLIGHTS, folder, ignore=shutil.ignore_patterns("__*"))
    for framework in ("pytorch", "tensorflow"):
        shutil.copy(FLIGHTS.with_name("mortgage") / f"model_{framework}.py", folder)
    settings = (folder / "settings.yaml").read_text()
    own = "{pytorch: model_pytorch:build_model, tensorflow: model_tensorflow:build_model}"
    assert BUILT_IN in settings
    (folder / "settings.yaml").write_text(settings.replace(BUILT_IN, f"model: {own}"))
    code, printed = run_tandem("run", str(folder), "--home", str(home), *SMALL)
    done = states(latest_record(home))
    assert code == 0, printed
    assert done["transform-features"] == "CACHED"
    assert done["train-pytorch"] == done["train-tensorflow"] == "SUCCEEDED"


def test_without_the_cache_everything_reproducible_has_the_same_digest(small_run, tmp_path):
    home = str(tmp_path / "other")
    code, _ = run_tandem("run", "flights", "--home", home, "--json", "--no-cache", *SMALL)
    assert code == 0
    record = latest_record(Path(home))
    for stage, names in REPRODUCIBLE.items():
        outputs = record["tasks"][stage.replace("_", "-")]["outputs"]
        for name in names:
            assert outputs[name]["sha256"] == small_run.digest(stage, name), (stage, name)
    folder = max(Path(home, "runs").iterdir())
    bundle = Bundle.open(
        folder / record["tasks"]["train-tensorflow"]["outputs"]["tensorflow_model"]["path"]
    )
    here = Bundle.open(small_run.output("train_tensorflow", "tensorflow_model"))
    assert bundle.contract.weights_sha256 == here.contract.weights_sha256
    assert bundle.contract.files["model.onnx"] == here.contract.files["model.onnx"]
    told = reproduction(read_run(folder))
    assert told.same == reproduction(read_run(small_run.folder)).same
    assert len(told.files) == 6
    for sha256, name in told.files:
        assert sha256_file(small_run.folder / name) == sha256, name
    graph = folder / record["tasks"]["transform-features"]["outputs"]["transform_graph"]["path"]
    evaluation = folder / record["tasks"]["evaluate-models"]["outputs"]["evaluation"]["path"]
    statistics = folder / record["tasks"]["validate-examples"]["outputs"]["statistics"]["path"]
    for there, here, names in (
        (statistics, small_run.output("validate_examples", "statistics"), DRAWN),
        (graph, small_run.output("transform_features", "transform_graph"), FITTED),
        (evaluation, small_run.output("evaluate_models", "evaluation"), ["pytorch", "tensorflow"]),
    ):
        one, two = manifest(there), manifest(here)
        kept = [file for file in one if file.split("/")[0] in names]
        assert kept
        assert {file: one[file] for file in kept} == {file: two[file] for file in kept}


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("train.epoch=3", 2, "train.epochs"),
        ("source.table.location=/nowhere/flights.csv", 2, "/nowhere/flights.csv"),
        ("source.target.column=arrival", 2, "arrival"),
        ("source.target.above=100000", 1, "class"),
        ("transform.features.arr_delay={kind: zscore}", 2, "arr_delay"),
    ],
)
def test_bad_input_is_named_and_leaves_earlier_runs_untouched(
    small_run, capfd, setting, code, words
):
    before = tree_digest(small_run.folder)
    registered = count_versions(small_run.home)
    answer = run_tandem("run", "flights", "--home", str(small_run.home), *SMALL, "--set", setting)
    printed = answer[1] + "".join(capfd.readouterr())
    assert answer[0] == code
    assert words in printed
    assert "Traceback" not in printed
    assert tree_digest(small_run.folder) == before
    assert count_versions(small_run.home) == registered
