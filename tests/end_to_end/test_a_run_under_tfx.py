"""The whole pipeline as a TFX pipeline: the same bytes and records, and ML Metadata beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import types_under_tfx
from prepared_run import SMALL, PreparedRun, run_tandem, task
from records_of_a_run import REPRODUCIBLE, records

from components.audit.verified_log import VerifiedLog
from components.core.artifacts import manifest, tree_digest
from components.core.bundle import Bundle

pytestmark = pytest.mark.slow

# Of what does not repeat as a whole, the files that do (docs/reproducibility.md).
FILES = {
    ("validate_examples", "statistics"): ("drift.json", "statistics.html"),
    ("transform_features", "transform_graph"): ("preprocessing.json", "preprocessing.onnx"),
    ("train_tensorflow", "tensorflow_model"): ("model.onnx", "model.tflite", "preprocessing.onnx"),
}
# Of a training, whose schema an Importer gives as its result.
TYPES = {
    "result" if port == "schema" else port: kind
    for port, kind in types_under_tfx.TYPES.items()
    if port != "imported_model"
}


@pytest.fixture(scope="module")
def under_tfx(tmp_path_factory, small_run) -> PreparedRun:
    """Do what the small run did, under TFX and in a home of its own, so that nothing is cached."""
    home = tmp_path_factory.mktemp("tfx-home")
    code, stdout = run_tandem(
        "run", "flights", "--runner", "tfx", "--home", str(home), "--json", *SMALL
    )
    assert code == 0, stdout
    (folder,) = (home / "runs").iterdir()
    return PreparedRun(home, folder, stdout)


def test_every_stage_ran_and_the_log_verifies(under_tfx, small_run):
    tasks = under_tfx.record["tasks"]
    assert tasks.keys() == small_run.record["tasks"].keys()
    assert {name: t["state"] for name, t in tasks.items()} == dict.fromkeys(tasks, "SUCCEEDED")
    code, answer = run_tandem("audit", "verify", "--home", str(under_tfx.home))
    assert code == 0, answer


def test_what_repeats_has_the_same_digest_port_by_port(under_tfx, small_run):
    for port in REPRODUCIBLE:
        assert under_tfx.digest(*port) == small_run.digest(*port), port
    for port, files in FILES.items():
        for file in files:
            there, here = under_tfx.output(*port) / file, small_run.output(*port) / file
            assert there.read_bytes() == here.read_bytes(), (port, file)


def test_the_files_that_tfma_reads_and_tensorflows_weights_are_the_same(under_tfx, small_run):
    there, here = (
        manifest(run.output("evaluate_models", "evaluation")) for run in (under_tfx, small_run)
    )
    kept = {file for file in here if file.split("/")[0] in ("pytorch", "tensorflow")}
    assert kept
    assert {file: there.get(file) for file in kept} == {file: here[file] for file in kept}
    bundles = (run.output("train_tensorflow", "tensorflow_model") for run in (under_tfx, small_run))
    one, two = (Bundle.open(folder).contract.weights_sha256 for folder in bundles)
    assert one == two


def test_the_models_are_measured_and_judged_alike(under_tfx, small_run):
    evaluated = "evaluate_models", "evaluation", "evaluation.json"
    decided = "decide_release", "decision", "decision.json"
    for framework in ("pytorch", "tensorflow"):
        there, here = (run.json(*evaluated)["models"][framework] for run in (under_tfx, small_run))
        assert there["slices"] == here["slices"]
    assert under_tfx.json(*decided)["gates"] == small_run.json(*decided)["gates"]


def test_the_records_are_equal_but_for_ids_times_measures_and_the_orchestrator(
    under_tfx, small_run
):
    there, here = records(under_tfx), records(small_run)
    for run in [v["predicate"]["tandem_audit"]["run"] for v in there.values()]:
        assert run.pop("orchestrator") == "tfx"
    assert there.keys() == here.keys()
    for name, record in here.items():
        assert there[name] == record, name


@pytest.fixture(scope="module")
def store(under_tfx):
    """Open ML Metadata's store with its own library, in the file that the home has."""
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(under_tfx.home / "mlmd.db")
    config.sqlite.connection_mode = config.sqlite.READONLY
    return metadata_store.MetadataStore(config)


def context(store, run: PreparedRun):
    return store.get_context_by_type_and_name("pipeline_run", run.folder.name)


def outputs_of(store, run: PreparedRun) -> dict[str, Any]:
    """Return the run's artifacts in the store by the port that wrote each."""
    from ml_metadata.proto.metadata_store_pb2 import Event

    artifacts = {a.id: a for a in store.get_artifacts_by_context(context(store, run).id)}
    events = store.get_events_by_artifact_ids(list(artifacts))
    return {
        event.path.steps[0].key: artifacts[event.artifact_id]
        for event in events
        if event.type == Event.OUTPUT
    }


def test_ml_metadata_has_every_execution_of_the_run(store, under_tfx):
    from ml_metadata.proto.metadata_store_pb2 import Execution

    executions = store.get_executions_by_context(context(store, under_tfx).id)
    names = {type_.id: type_.name.rpartition(".")[2] for type_ in store.get_execution_types()}
    stages = {name for name in under_tfx.record["tasks"] if name != "seal-run"}
    expected = {"".join(map(str.capitalize, name.split("-"))) for name in stages} | {"Importer"}
    assert {names[execution.type_id] for execution in executions} == expected
    assert len(executions) == len(expected)
    assert {execution.last_known_state for execution in executions} == {Execution.COMPLETE}
    (trained,) = [e for e in executions if names[e.type_id] == "TrainPytorch"]
    given = json.loads(trained.custom_properties["train"].string_value)
    assert given == under_tfx.arguments["train"]


def test_ml_metadata_has_every_artifact_by_its_type_its_place_and_its_digest(store, under_tfx):
    names = {type_.id: type_.name for type_ in store.get_artifact_types()}
    found = outputs_of(store, under_tfx)
    assert {port: names[artifact.type_id] for port, artifact in found.items()} == TYPES
    schema = Path(found.pop("result").uri, "schema.pbtxt")
    assert schema.read_text() == under_tfx.arguments["schema"]
    views = VerifiedLog.of(under_tfx.home).ledger.of_run(under_tfx.folder.name)
    recorded = {name: (v.record, sha) for v in views for name, sha in v.outputs.items()}
    for port, artifact in found.items():
        said = {name: value.string_value for name, value in artifact.custom_properties.items()}
        assert (said["record"], said["sha256"]) == recorded[port]
        assert tree_digest(Path(artifact.uri)) == said["sha256"]


def as_tfx_reads_it(artifact: Any, name: str) -> Any:
    """Return an artifact of the store as TFX hands it to a component."""
    from tfx.types import standard_artifacts

    read = getattr(standard_artifacts, name)()
    read.set_mlmd_artifact(artifact)
    return read


def test_stock_components_find_splits_spans_the_blessing_and_the_pushed_version(store, under_tfx):
    from tfx.components.util import examples_utils, model_utils
    from tfx.proto.example_gen_pb2 import FileFormat
    from tfx.types.artifact_utils import get_split_uri

    found = outputs_of(store, under_tfx)
    for port in ("examples", "features", "statistics", "validation"):
        artifact = as_tfx_reads_it(found[port], TYPES[port])
        assert (artifact.splits, artifact.span) == (["train", "eval"], 201302)
    examples = as_tfx_reads_it(found["examples"], "Examples")
    assert examples_utils.get_payload_format_string(examples) == "FORMAT_PARQUET"
    assert (
        FileFormat.Value(examples_utils.get_file_format(examples)) == FileFormat.FILE_FORMAT_PARQUET
    )
    for split, span in (("train", "2013-01"), ("eval", "2013-02")):
        assert [path.stem for path in Path(get_split_uri([examples], split)).iterdir()] == [span]
    assert model_utils.is_model_blessed(as_tfx_reads_it(found["decision"], "ModelBlessing"))
    pushed = as_tfx_reads_it(found["registration"], "PushedModel")
    assert pushed.get_string_custom_property("pushed_destination") == "flights-late"
    assert pushed.get_string_custom_property("pushed_version") == "1"


def test_the_stock_resolver_finds_the_model_that_the_run_released(store, under_tfx):
    from tfx.v1.dsl.experimental import LatestBlessedModelStrategy

    found = outputs_of(store, under_tfx)
    models = {port: as_tfx_reads_it(found[port], "Model") for port in found if "_model" in port}
    blessing = as_tfx_reads_it(found["decision"], "ModelBlessing")
    given = {"model": [*models.values()], "model_blessing": [blessing]}
    resolved = LatestBlessedModelStrategy().resolve_artifacts(store, given)
    assert models.keys() == {"pytorch_model", "tensorflow_model"}
    assert resolved is not None
    (model,), (by,) = resolved["model"], resolved["model_blessing"]
    winner = under_tfx.json("decide_release", "decision", "decision.json")["winner"]
    assert (model.id, by.id) == (found[f"{winner}_model"].id, found["decision"].id)
    framework = json.loads(Path(model.uri, "contract.json").read_text())["framework"]
    assert framework == winner
    assert blessing.get_string_custom_property("current_model") == model.uri


def test_a_gate_stops_the_run_with_its_exit_code_and_the_run_is_closed_all_the_same(
    under_tfx, capfd
):
    code, answer = run_tandem(
        *("run", "flights", "--runner", "tfx", "--home", str(under_tfx.home), "--json", *SMALL),
        *("--set", "checks.minimum_rows=10000000"),
    )
    assert (code, json.loads(answer)["exit_code"]) == (3, 3)
    stopped = PreparedRun(under_tfx.home, max((under_tfx.home / "runs").iterdir()), answer)
    tasks = stopped.record["tasks"]
    assert tasks["ingest-examples"]["state"] == "CACHED"
    assert tasks["validate-examples"]["error"]["kind"] == "GateError"
    assert tasks["seal-run"]["state"] == "SUCCEEDED"
    ended = {t["reason"] for n, t in tasks.items() if t["state"] == "SKIPPED"}
    assert ended == {"validate-examples failed"}
    views = VerifiedLog.of(under_tfx.home).ledger.of_run(stopped.folder.name)
    last = {view.stage: view for view in views}
    assert last["validate_examples"].event == "FAIL"
    assert last["seal_run"].facts["stages"]["validate_examples"] == "FAIL"
    assert (stopped.folder / "artifacts" / task("validate_examples") / "validation").is_dir()
    assert "Traceback" not in "".join(capfd.readouterr())


def test_ml_metadata_has_both_runs_and_the_failure(store, under_tfx):
    from ml_metadata.proto.metadata_store_pb2 import Execution

    runs = {found.name: found for found in store.get_contexts_by_type("pipeline_run")}
    assert runs.keys() == {folder.name for folder in (under_tfx.home / "runs").iterdir()}
    executions = store.get_executions_by_context(runs[max(runs)].id)
    states = sorted(execution.last_known_state for execution in executions)
    assert states == [Execution.COMPLETE, Execution.COMPLETE, Execution.FAILED]
