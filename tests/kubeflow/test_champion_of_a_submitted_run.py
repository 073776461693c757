"""The champion of a submitted run: in the cluster's bucket before the run, and for no run else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kfp_server_api
import pytest
from asked import named, said
from kfp_server import TOKEN, KfpServer
from served_bucket import served_bucket

from components.core.artifacts import tree_digest, write_json
from components.core.buckets import stored_digest
from components.core.candidates import CHAMPION
from components.core.errors import IntegrityError, SettingsError
from components.evaluate_models.candidates import Champion, at_hand
from components.register_models.store import BUNDLE_TAG, RUN_TAG, opened_store
from pipelines.kubeflow.experiment import experiment_for
from pipelines.kubeflow.session import Session

pytestmark = pytest.mark.slow
MODEL = "flights-late"
SPEC = {"components": {}, "root": {"dag": {"tasks": {}}}}


@pytest.fixture
def champion(served: KfpServer, tmp_path: Path) -> str:
    """Register a bundle in the registry that the environment names; return its digest.

    It is like no other test's: the fake of S3 keeps what it has as long as the process lives.
    """
    version = tmp_path / "version"
    write_json(version / "bundle" / "contract.json", {"version": 1})
    write_json(version / "bundle" / "parts" / "more.json", {"of": str(tmp_path)})
    sha256 = tree_digest(version / "bundle")
    with opened_store() as client:
        client.create_registered_model(MODEL)
        tags = {BUNDLE_TAG: sha256, RUN_TAG: "a-run"}
        client.create_model_version(MODEL, source=version.as_uri(), tags=tags)
        client.set_registered_model_alias(MODEL, CHAMPION, "1")
    return sha256


@pytest.fixture
def bucket() -> Iterator[str]:
    with served_bucket("tandem-dev") as address:
        yield address


def place(sha256: str) -> str:
    return f"s3://tandem-dev/artifacts/champions/{sha256}"


def is_stored(sha256: str) -> bool:
    try:
        return stored_digest(place(sha256)) == sha256
    except IntegrityError:
        return False


def of_others(experiment: str) -> kfp_server_api.V2beta1Run:
    return kfp_server_api.V2beta1Run(
        display_name="theirs", experiment_id=experiment, pipeline_spec=SPEC
    )


def asked(target: str, *more: str) -> tuple[str, ...]:
    window = ("--window", "2013-01:2013-02")
    return ("submit", "flights", "--target", target, *window, *more)


def test_a_champion_lies_below_the_root_and_is_fetched_from_there(
    served: KfpServer, target: str, champion: str, bucket: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for _ in range(2):
        code, answer = said(capsys, *asked(target))
        assert code == 0
        given = served.store.runs[answer["run"]].runtime_config.parameters["champion"]
        assert given == {"version": "1", "bundle_sha256": champion, "path": place(champion)}
        assert is_stored(champion)
        served.store.end(answer["run"], "FAILED")
    assert len(served.store.runs) == 2
    with at_hand(Champion(**given)) as fetched:
        assert fetched is not None
        folder = Path(fetched.path)
        assert tree_digest(folder) == champion
    assert not folder.exists()


def test_without_a_champion_nothing_is_fetched() -> None:
    with at_hand(None) as none:
        assert none is None


@pytest.mark.parametrize("why", ["namespace", "token", "reader"])
def test_a_submission_that_the_server_refuses_leaves_nothing(
    served: KfpServer, target: str, champion: str, bucket: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, why: str,
) -> None:  # fmt: skip
    if why == "namespace":
        monkeypatch.setenv("TANDEM_KFP_NAMESPACE", "team-b")
    if why == "token":
        named(monkeypatch, served.url, "token of nobody")
    if why == "reader":
        served.readers.add(TOKEN)
    code, answer = said(capsys, *asked(target))
    assert (code, answer["error"]["kind"]) == (2, "SettingsError")
    assert not served.store.runs
    assert not served.store.experiments
    assert not is_stored(champion)


def test_who_may_make_experiments_and_no_runs_leaves_no_experiment(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("403", "POST", "/runs$")
    code, answer = said(capsys, *asked(target))
    assert (code, "no permission" in answer["error"]["message"]) == (2, True), answer
    assert served.made("POST", "/experiments$") == 1
    assert not served.store.experiments


def test_an_order_that_was_lost_may_still_need_its_experiment(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("reset", "POST", "/runs$")
    served.faults.add("403", "POST", "/runs$")
    assert said(capsys, *asked(target))[0] == 2
    assert served.store.experiments


def test_an_experiment_is_deleted_although_the_answer_is_lost(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("403", "POST", "/runs$")
    served.faults.add("lost", "DELETE", "/experiments/")
    code, answer = said(capsys, *asked(target))
    assert (code, "stays" in answer["error"]["message"]) == (2, False)
    assert not served.store.experiments


def test_an_experiment_that_was_there_before_a_refused_run_stays(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = said(capsys, *asked(target))[1]["run"]
    del served.store.runs[run]
    served.faults.add("403", "POST", "/runs$")
    assert said(capsys, *asked(target))[0] == 2
    assert not served.store.runs
    assert served.store.experiments


def test_an_experiment_that_others_use_by_now_is_not_taken_back(served: KfpServer) -> None:
    refused = SettingsError("no permission", remedy="ask for it")
    with pytest.raises(SettingsError), experiment_for(Session.open()) as experiment:
        served.store.create_run(of_others(experiment))
        raise refused
    assert [*served.store.experiments] == [experiment]


def test_what_cannot_be_taken_back_is_named_beside_the_cause(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.add("403", "POST", "/runs$")
    served.faults.add("403", "DELETE", "/experiments/")
    code, answer = said(capsys, *asked(target))
    assert code == 2
    run, experiment = answer["error"]["message"].split("; the experiment tandem was made for it")
    assert run.startswith("the run flights-2013-02-")
    assert experiment.startswith(" and stays: the experiment tandem: no permission")


def test_a_span_that_another_run_works_on_gets_no_champion(
    served: KfpServer, target: str, champion: str, bucket: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/mlflow.db")
        assert said(capsys, *asked(target))[0] == 0
    assert said(capsys, *asked(target, "--set", "train.epochs=2"))[0] == 2
    assert not is_stored(champion)


def test_a_run_that_is_there_is_found_while_the_registry_is_away(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = said(capsys, *asked(target))[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, answer = said(capsys, *asked(target))
    assert (code, answer["run"], answer["submitted"]) == (0, first["run"], False)


def test_a_registry_that_is_away_is_told_before_anything_is_made(
    served: KfpServer, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, answer = said(capsys, *asked(target))
    assert (code, answer["error"]["kind"]) == (1, "PlatformError")
    cause = "the MLflow store http://127.0.0.1:9 failed: Connection refused"
    assert answer["error"]["message"] == cause
    assert "MLFLOW_TRACKING_URI" in answer["error"]["remedy"]
    assert not served.store.experiments


def test_a_bucket_that_is_away_is_told_before_anything_is_made(
    served: KfpServer, target: str, champion: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code, answer = said(capsys, *asked(target))
    assert (code, answer["error"]["kind"]) == (1, "PlatformError"), answer
    assert not served.store.experiments
