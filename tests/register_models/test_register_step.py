"""register_models on a real SQLite store of MLflow, with a real notary."""

from __future__ import annotations

import contextlib
import copy
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import tiny_bundles
from prepared_run import run_tandem
from release_chain import Chain, train_swapped

from components.audit.answers import AUDIT
from components.audit.client import connect
from components.core.artifacts import tree_digest
from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import IntegrityError, PlatformError, SettingsError
from components.core.raw_inputs import raw_inputs
from components.register_models.champion import resolve_champion
from components.register_models.entry import Entry
from components.register_models.logbook import Logbook
from components.register_models.recorded_tags import recorded_tags
from components.register_models.registry import ModelRegistry, RunLog
from components.register_models.store import opened_store, tracking_uri
from components.register_models.taken_name import require_free_locally
from components.register_models.training_log import TrainingLog, TrialLog

pytestmark = pytest.mark.slow
WRITES = (
    "create_experiment",
    "create_run",
    "log_batch",
    "create_registered_model",
    "log_artifacts",
    "create_model_version",
    "set_registered_model_alias",
    "set_terminated",
)


def _versions(client):
    found = client.search_model_versions("name = 'flights'")
    return {str(version.version): version.tags["tandem.framework"] for version in found}


def _aliases(client):
    found = client.search_registered_models()
    return {alias: str(v) for alias, v in found[0].aliases.items()} if found else {}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """Create an empty store once: making its tables takes seconds."""
    from mlflow.tracking import MlflowClient

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}", f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def store(home, empty_store) -> Path:
    """Give the home an empty store."""
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())
    return home / "mlflow.db"


@pytest.fixture
def chain(notary, store, tmp_path) -> Chain:
    return Chain(tmp_path).until_decision()


def test_the_winner_becomes_candidate_and_the_other_challenger(chain):
    found = chain.register()
    candidate = found["candidate"]
    assert candidate == {
        "framework": "pytorch",
        "version": "1",
        "bundle_sha256": tree_digest(chain.path("pytorch_model")),
        "model_sha256": candidate["model_sha256"],
    }
    assert found["challenger"]["framework"] == "tensorflow"
    with opened_store() as client:
        assert _aliases(client) == {"candidate": "1", "challenger": "2"}
        tags = client.get_model_version_by_alias("flights", "candidate").tags
    assert tags == {
        "tandem.run": "run-1",
        "tandem.framework": "pytorch",
        "tandem.bundle_sha256": found["candidate"]["bundle_sha256"],
        "tandem.record": chain.ports["pytorch_model"].metadata["record"],
        "tandem.weights_sha256": "2" * 64,
        "tandem.model_sha256": candidate["model_sha256"],
        "tandem.data_span": "2013-01:2013-02",
        "tandem.decision": "candidate",
        "tandem.evaluation_sha256": tree_digest(chain.path("evaluation")),
        "tandem.decision_sha256": tree_digest(chain.path("decision")),
        "tandem.record.evaluation": chain.ports["evaluation"].metadata["record"],
        "tandem.record.decision": chain.ports["decision"].metadata["record"],
        "tandem.record.examples": chain.ports["examples"].metadata["record"],
    }


def test_the_record_names_the_versions(chain):
    chain.register()
    last = connect().records("run-1")[-1]
    assert (last.stage, last.event) == ("register_models", "COMPLETE")
    assert last.facts["versions"]["candidate"]["version"] == "1"
    assert last.facts["model_name"] == "flights"


def test_mlflows_run_shows_the_metrics_and_digests_of_both(chain):
    found = chain.register()
    with opened_store() as client:
        run = client.get_run(found["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["pytorch/auc"] == 0.75
    assert run.data.metrics["tensorflow/auc"] == 0.74
    assert run.data.params["code_commit"] == "c" * 40
    assert run.data.tags["tandem.candidate"] == "pytorch"
    tag = run.data.tags["tandem.bundle_sha256.tensorflow"]
    assert tag == found["challenger"]["bundle_sha256"]


def test_a_registered_model_loads_and_predicts_as_its_bundle_does(chain, monkeypatch):
    import mlflow

    chain.register()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    rows = tiny_bundles.table(50)
    bundle = Bundle.open(chain.path("pytorch_model"))
    expected = OnnxScorer(bundle).predict(rows)
    frame = rows.select(["distance", "origin"]).to_pandas()
    frame["origin"] = frame["origin"].astype(object).where(frame["origin"].notna(), "")
    loaded = mlflow.pyfunc.load_model("models:/flights@candidate")
    np.testing.assert_array_equal(loaded.predict(frame)["probability"], expected)
    arrays = raw_inputs(rows, bundle.contract.input_types)
    challenger = mlflow.pyfunc.load_model("models:/flights@challenger")
    other = OnnxScorer(Bundle.open(chain.path("tensorflow_model"))).predict(rows)
    np.testing.assert_array_equal(challenger.predict(frame)["probability"], other)
    model = mlflow.onnx.load_model("models:/flights@challenger")
    assert {tensor.name for tensor in model.graph.input} == set(arrays)


def test_a_name_that_others_have_taken_is_refused_before_anything_is_written(
    chain, home, monkeypatch
):
    with opened_store() as client:
        client.create_registered_model("flights")
        client.create_model_version("flights", source=(home / "theirs").as_uri())
    taken = r"name flights is taken: version 1 in MLflow"
    with pytest.raises(SettingsError, match=taken):
        chain.register()
    with pytest.raises(SettingsError, match=taken):
        require_free_locally(tracking_uri(), "flights")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{tracking_uri()}?timeout=5")  # as of a server
    with pytest.raises(SettingsError, match=taken):
        resolve_champion("flights")
    with opened_store() as client:
        assert client.get_experiment_by_name("tandem") is None
        found = client.search_model_versions("name = 'flights'")
        assert [(str(version.version), version.tags) for version in found] == [("1", {})]


def test_a_name_is_free_again_once_the_others_versions_are_deleted(chain, home):
    with opened_store() as client:
        client.create_registered_model("flights")
        client.create_model_version("flights", source=(home / "theirs").as_uri())
        client.delete_model_version("flights", "1")
    require_free_locally(tracking_uri(), "flights")
    assert chain.register()["candidate"]["version"] == "2"
    require_free_locally(tracking_uri(), "flights")
    assert resolve_champion("flights") == {}


def test_the_bundle_lies_in_the_store_as_it_was_evaluated(chain, tmp_path, monkeypatch):
    import mlflow

    found = chain.register()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    folder = mlflow.artifacts.download_artifacts(
        artifact_uri="models:/flights@candidate", dst_path=str(tmp_path / "fetched")
    )
    assert tree_digest(Path(folder) / "bundle") == found["candidate"]["bundle_sha256"]
    requirements = Path(folder, "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in requirements)
    assert any(line.startswith("onnxruntime==") for line in requirements)


def _trainings(client, found):
    """Return the runs below the pipeline's, by framework."""
    parent = found["mlflow_run_id"]
    experiment = client.get_run(parent).info.experiment_id
    runs = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    return {run.data.tags["tandem.framework"]: run for run in runs}


def test_each_trainer_has_a_run_below_the_pipelines(chain):
    found = chain.register()
    with opened_store() as client:
        runs = _trainings(client, found)
        history = client.get_metric_history(runs["tensorflow"].info.run_id, "loss")
    assert runs.keys() == {"pytorch", "tensorflow"}
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.25)]
    run = runs["pytorch"]
    assert (run.info.status, run.info.run_name) == ("FINISHED", "pytorch")
    assert run.data.params == {
        "epochs": "2",
        "device": "cpu",
        "family": "wide_and_deep",
        "train.learning_rate": "0.01",
        "train.batch_size": "64",
        "best_trial": "2",
    }
    assert run.data.metrics["validation_loss"] == 0.5
    assert run.data.metrics["system/peak_memory_bytes"] > 0
    assert run.data.metrics["system/cpu_seconds"] >= 0
    expected = {
        "tandem.record": chain.ports["pytorch_model"].metadata["record"],
        "tandem.bundle_sha256": found["candidate"]["bundle_sha256"],
        "tandem.weights_sha256": "2" * 64,
    }
    assert expected.items() <= run.data.tags.items()


def _children(client, run):
    asked = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    runs = client.search_runs([run.info.experiment_id], asked)
    return {child.info.run_name: child for child in runs}


def test_each_trial_of_a_search_has_a_run_below_its_trainers(chain):
    found = chain.register()
    with opened_store() as client:
        runs = _trainings(client, found)
        trials = _children(client, runs["pytorch"])
        assert _children(client, runs["tensorflow"]) == {}
    assert trials.keys() == {"trial 1", "trial 2"}
    failed, done = trials["trial 1"], trials["trial 2"]
    assert (failed.info.status, done.info.status) == ("FAILED", "FINISHED")
    assert failed.data.tags["tandem.failed"] == "the loss is nan"
    assert failed.data.metrics == {}
    assert failed.data.params == {"train.learning_rate": "0.1"}
    assert done.data.metrics == {"validation_loss": 0.5}
    assert done.data.params == {"train.learning_rate": "0.01"}
    assert done.data.tags["tandem.trial"] == "2"


def test_a_training_is_shown_once_below_the_first_run_that_registers_it(
    notary, store, tmp_path, monkeypatch
):
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    # As a run whose gates stop it: it trains and registers nothing.
    stopped = Chain(tmp_path, "run-1", cache=True).until_decision()
    first = Chain(tmp_path, "run-2", cache=True).until_decision().register()
    events = {v.stage: v.event for v in connect().records("run-2")}
    assert events["train_pytorch"] == "CACHED"
    second = Chain(tmp_path, "run-3", cache=True).until_decision().register()
    with opened_store() as client:
        runs = _trainings(client, first)
        assert _trainings(client, second) == {}
    assert runs.keys() == {"pytorch", "tensorflow"}
    for name, run in runs.items():
        record = stopped.ports[f"{name}_model"].metadata["record"]
        assert run.data.tags["tandem.record"] == record
        assert run.data.metrics["final_loss"] == 0.25


def test_a_second_call_adds_nothing(chain):
    first = chain.register()
    with opened_store() as client:
        before = client.get_metric_history(first["mlflow_run_id"], "pytorch/auc")
    assert chain.register() == first
    with opened_store() as client:
        assert _versions(client) == {"1": "pytorch", "2": "tensorflow"}
        after = client.get_metric_history(first["mlflow_run_id"], "pytorch/auc")
        experiment = client.get_experiment_by_name("tandem")
        assert len(client.search_runs([experiment.experiment_id])) == 5
    assert len(after) == len(before) == 1


def test_no_alias_is_set_before_the_registration_is_recorded(chain, store, monkeypatch):
    """What cannot be set leaves a record and no alias; the next attempt completes it."""
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.execute(
            "CREATE TRIGGER refused BEFORE INSERT ON registered_model_aliases "
            "BEGIN SELECT RAISE(ABORT, 'no alias today'); END"
        )
        with pytest.raises(PlatformError, match="no alias today"):
            chain.register()
        events = [v.event for v in connect().records("run-1") if v.stage == "register_models"]
        assert events == ["START", "COMPLETE"]
        with opened_store() as client:
            assert _versions(client) == {"1": "pytorch", "2": "tensorflow"}
            assert _aliases(client) == {}
        database.execute("DROP TRIGGER refused")
    monkeypatch.setenv("TANDEM_ATTEMPT", "2")
    chain.register()
    with opened_store() as client:
        assert _versions(client) == {"1": "pytorch", "2": "tensorflow"}
        assert _aliases(client) == {"candidate": "1", "challenger": "2"}


def _superseded(run):
    done = [v for v in connect().records(run) if v.event == "COMPLETE"]
    return [v.facts["supersedes"] for v in done if v.stage == "register_models"]


def test_a_new_run_moves_the_aliases_and_an_old_challenger_loses_its_own(chain, tmp_path):
    chain.register()
    alone = Chain(tmp_path, "run-2").until_decision(tensorflow_auc=0.5)
    found = alone.register()
    assert found["challenger"] is None
    assert _superseded("run-1") == [None]
    assert _superseded("run-2") == ["1"]
    alone.register()
    assert _superseded("run-2") == ["1", "1"]  # whose alias names a version of its own by then
    with opened_store() as client:
        assert _versions(client) == {"1": "pytorch", "2": "tensorflow", "3": "pytorch"}
        assert _aliases(client) == {"candidate": "3"}


def test_a_model_that_was_alone_leaves_the_challenger_of_the_run_before(chain, home, tmp_path):
    chain.register()
    found = Chain(tmp_path, "run-2").until_decision_of_an_import().register()
    assert found["challenger"] is None
    assert connect().records("run-2")[-1].facts["aliases"] == {"candidate": "3"}
    with opened_store() as client:
        assert _versions(client)["3"] == "imported"
        assert _aliases(client) == {"candidate": "3", "challenger": "2"}
        tags = client.get_model_version("flights", "3").tags
    assert tags["tandem.data_span"] == "2013-02"
    code, answer = run_tandem("models", "reconcile", "--home", str(home), "--json")
    assert (code, json.loads(answer)["findings"]) == (0, [])
    moved = run_tandem("models", "history", "--home", str(home), "--json")[1]
    changes = json.loads(moved)["changes"]
    assert [(change["alias"], change["after"]) for change in changes] == [
        ("candidate", "1"),
        ("challenger", "2"),
        ("candidate", "3"),
    ]


def test_a_record_without_the_fact_moved_the_challenger_and_named_the_window(chain, home, tmp_path):
    chain.register()
    Chain(tmp_path, "run-2").until_decision_of_an_import().register()
    book = Logbook.read(home)
    release = book.releases["flights", "3"]
    assert recorded_tags(book, release)["tandem.data_span"] == "2013-02"
    old = copy.deepcopy({**book.statements})
    del old[release.record]["predicate"][AUDIT]["facts"]["aliases"]
    older = Logbook(old, book.checkpoint)
    assert older.aliases.keys() == {("flights", "candidate")}
    assert recorded_tags(older, release)["tandem.data_span"] == "2013-01:2013-02"


def test_a_run_that_the_platform_gives_is_used_and_left_open(chain, tmp_path, monkeypatch):
    with opened_store() as client:
        files = (tmp_path / "platform").as_uri()
        given = client.create_run(client.create_experiment("platform", files)).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    assert chain.register()["mlflow_run_id"] == given
    with opened_store() as client:
        run = client.get_run(given)
        assert run.info.status == "RUNNING"
        assert run.data.tags["tandem.run"] == "run-1"
        assert _trainings(client, {"mlflow_run_id": given}).keys() == {"pytorch", "tensorflow"}


class Crashing:
    """A client that ends the process, as it were, before or after its n-th write."""

    def __init__(self, client, fail_at: int, *, before: bool) -> None:
        self._client, self._left, self._before = client, fail_at, before

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return self._counted(method) if name in WRITES else method

    def _counted(self, method):
        def call(*args, **kwargs):
            self._left -= 1
            if self._left == 0 and self._before:
                raise ConnectionAbortedError
            result = method(*args, **kwargs)
            if self._left == 0:
                raise ConnectionAbortedError
            return result

        return call


@pytest.fixture(scope="module")
def entries(tmp_path_factory) -> dict[str, Entry]:
    folder = tmp_path_factory.mktemp("bundles")
    found = {}
    for alias, framework in (("candidate", "pytorch"), ("challenger", "tensorflow")):
        bundle = Bundle.open(tiny_bundles.write_bundle(folder / framework, framework))
        found[alias] = Entry(bundle, bundle.sha256, "a" * 64)
    return found


TRAININGS = tuple(
    TrainingLog(
        name, record * 64, {"device": "cpu"}, {"final_loss": 0.5}, {"loss": [0.6, 0.5]}, {}, trials
    )
    for name, record, trials in (
        ("pytorch", "b", (TrialLog(1, {"train.batch_size": "64"}, 0.5),)),
        ("tensorflow", "c", ()),
    )
)
LOG = RunLog("run-1", {"name": "flights"}, {"pytorch/auc": 0.7}, {"tandem.run": "run-1"}, TRAININGS)


def whole(registry: ModelRegistry, entries: dict[str, Entry]) -> str:
    """Register and publish, as a stage does before and after its record."""
    run_id, versions = registry.register(LOG, entries)
    registry.publish(run_id, {role: version.number for role, version in versions.items()})
    return run_id


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("fail_at", range(1, 21))
def test_a_crash_at_any_write_leaves_nothing_half_and_the_next_call_completes(
    store, entries, fail_at, before
):
    with opened_store() as client:
        broken = ModelRegistry(Crashing(client, fail_at, before=before), "flights", "tandem")
        with pytest.raises(ConnectionAbortedError):
            whole(broken, entries)
        for version in client.search_model_versions("name = 'flights'"):
            assert version.tags.keys() >= {"tandem.bundle_sha256", "tandem.record"}
            stored = Path(version.source.removeprefix("file://")) / "bundle"
            assert tree_digest(stored) == version.tags["tandem.bundle_sha256"]
        if _aliases(client):
            assert len(_versions(client)) == 2
        run_id = whole(ModelRegistry(client, "flights", "tandem"), entries)
        assert _versions(client) == {"1": "pytorch", "2": "tensorflow"}
        assert _aliases(client) == {"candidate": "1", "challenger": "2"}
        assert client.get_run(run_id).info.status == "FINISHED"
        experiment = client.get_experiment_by_name("tandem").experiment_id
        runs = client.search_runs([experiment])
        assert [run.info.status for run in runs] == ["FINISHED"] * 4
        trained = [run for run in runs if "tandem.framework" in run.data.tags]
        assert len(trained) == 2
        for run in trained:
            history = client.get_metric_history(run.info.run_id, "loss")
            assert {(metric.step, metric.value) for metric in history} == {(1, 0.6), (2, 0.5)}


def test_there_are_twenty_writes(store, entries):
    with opened_store() as client:
        whole(ModelRegistry(Crashing(client, 21, before=True), "flights", "tandem"), entries)
        assert len(_versions(client)) == 2


def test_a_version_whose_tags_were_changed_is_not_taken_for_ours(store, entries):
    with opened_store() as client:
        registry = ModelRegistry(client, "flights", "tandem")
        registry.register(LOG, entries)
        client.set_model_version_tag("flights", "1", "tandem.bundle_sha256", "0" * 64)
        with pytest.raises(IntegrityError, match="version 1 of flights"):
            registry.register(LOG, entries)


def test_a_version_with_our_tags_and_files_from_elsewhere_is_not_taken_for_ours(
    store, entries, tmp_path
):
    with opened_store() as client:
        registry = ModelRegistry(client, "flights", "tandem")
        registry.register(LOG, entries)
        ours = client.get_model_version("flights", "1")
        client.delete_model_version("flights", "1")
        client.create_model_version(
            "flights", source=tmp_path.as_uri(), run_id=ours.run_id, tags=ours.tags
        )
        with pytest.raises(IntegrityError, match="files from elsewhere"):
            registry.register(LOG, entries)


def test_stored_bytes_that_were_changed_are_noticed(store, entries):
    with opened_store() as client:
        registry = ModelRegistry(client, "flights", "tandem")
        registry.register(LOG, entries)
        source = client.get_model_version("flights", "1").source.removeprefix("file://")
        Path(source, "bundle", "model.onnx").write_bytes(b"other")
        with pytest.raises(IntegrityError, match="in MLflow's store is not the one"):
            registry.register(LOG, entries)


def test_a_store_that_does_not_answer_is_named_without_its_password(
    notary, home, tmp_path, monkeypatch
):
    chain = Chain(tmp_path).until_decision()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(PlatformError, match=r"http://\*\*\*@127\.0\.0\.1:9") as caught:
        chain.register()
    assert "secret" not in str(caught.value.to_dict())


def test_a_bundle_in_the_wrong_port_is_refused(notary, home, tmp_path):
    """Swapped before its record, so that the records are in order and the bundle is not."""
    chain = Chain(tmp_path).until_decision(tensorflow_step=train_swapped)
    with pytest.raises(IntegrityError, match="tensorflow_model holds a pytorch bundle"):
        chain.register()
    assert not (home / "mlflow.db").exists()
