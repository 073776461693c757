"""The tests' API server, asked by kfp's own client, refuses what the real one refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api as api
import pytest
from kfp_server import TOKEN, KfpServer, kfp_server

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "training.yaml"


@pytest.fixture
def served() -> Iterator[KfpServer]:
    with kfp_server() as server:
        yield server


def client(server: KfpServer, token: str = TOKEN) -> kfp.Client:
    return kfp.Client(host=server.url, namespace="team-a", existing_token=token)


def status_of(call: Any, *arguments: Any, **more: Any) -> int:
    with pytest.raises(api.ApiException) as raised:
        call(*arguments, **more)
    return raised.value.status


def test_kfps_client_uploads_runs_and_lists(served: KfpServer) -> None:
    asked = client(served)
    pipeline = asked.upload_pipeline(str(GOLDEN), "tandem-training", namespace="team-a")
    experiment = asked.create_experiment("flights", namespace="team-a")
    (version,) = asked.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    missing = status_of(
        asked.run_pipeline,
        experiment.experiment_id,
        "a run",
        pipeline_id=pipeline.pipeline_id,
        version_id=version.pipeline_version_id,
        params={"run": {}},
    )
    assert missing == 400
    assert asked.list_runs(namespace="team-a").runs is None


def test_names_that_are_taken_are_conflicts(served: KfpServer) -> None:
    asked = client(served)
    pipeline = asked.upload_pipeline(str(GOLDEN), "p", namespace="team-a")
    assert status_of(asked.upload_pipeline, str(GOLDEN), "p", namespace="team-a") == 409
    more = {"pipeline_version_name": "p", "pipeline_id": pipeline.pipeline_id}
    assert status_of(asked.upload_pipeline_version, str(GOLDEN), **more) == 409


def test_what_is_no_pipeline_is_refused(served: KfpServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    for text in ("a: [", "pipelineInfo: {name: x}\nschemaVersion: 2.0.0\n", "nobody: knows\n"):
        wrong.write_text(text)
        assert status_of(client(served).upload_pipeline, str(wrong), "w", namespace="team-a") == 400


def test_strangers_and_other_namespaces_are_refused(served: KfpServer) -> None:
    stranger = client(served, "another token")
    assert status_of(stranger.list_runs, namespace="team-a") == 401
    assert status_of(client(served).list_runs, namespace="team-b") == 403
    assert status_of(client(served).get_run, "nobody") == 404


@pytest.mark.parametrize("cron", ["", "* * * *", "0 0 25 * * *", "TZ=Europe/Berlin 0 0 6 2 * *"])
def test_a_cron_that_the_server_does_not_parse_is_refused(served: KfpServer, cron: str) -> None:
    asked = client(served)
    pipeline = asked.upload_pipeline(str(GOLDEN), "p", namespace="team-a")
    (version,) = asked.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    experiment = asked.create_experiment("e", namespace="team-a")
    served.store.versions[version.pipeline_version_id].pipeline_spec = {}
    job = api.V2beta1RecurringRun(
        display_name="j",
        experiment_id=experiment.experiment_id,
        max_concurrency="1",
        mode="ENABLE",
        pipeline_version_reference=api.V2beta1PipelineVersionReference(
            pipeline_id=pipeline.pipeline_id, pipeline_version_id=version.pipeline_version_id
        ),
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=cron)),
    )
    create = asked._recurring_run_api.recurring_run_service_create_recurring_run
    assert status_of(create, recurring_run=job) == 400


def test_a_field_that_the_model_does_not_have_is_refused(served: KfpServer) -> None:
    header = {"Content-Type": "application/json", "Accept": "application/json"}
    call = client(served)._run_api.api_client.call_api
    refused = status_of(
        call,
        "/apis/v2beta1/runs",
        "POST",
        header_params=header,
        body={"display_name": "x", "labels": {"a": "b"}},
        auth_settings=["Bearer"],
    )
    assert refused == 400


def test_lists_are_filtered_sorted_and_in_pages(served: KfpServer) -> None:
    asked = client(served)
    for number in range(5):
        asked.create_experiment(f"e{number}", namespace="team-a")
    more: dict[str, Any] = {"namespace": "team-a", "sort_by": "display_name desc", "page_size": 2}
    first = asked.list_experiments(**more)
    second = asked.list_experiments(**more, page_token=first.next_page_token)
    names = [one.display_name for one in [*first.experiments, *second.experiments]]
    assert names == ["e4", "e3", "e2", "e1"]
    assert first.total_size == 5
    other = {**more, "sort_by": "created_at"}
    assert status_of(asked.list_experiments, **other, page_token=first.next_page_token) == 400
    wrong = json.dumps({"predicates": [{"operation": 1, "key": "nobody", "stringValue": "x"}]})
    assert status_of(asked.list_experiments, namespace="team-a", filter=wrong) == 400


def test_only_a_run_that_goes_on_is_ended(served: KfpServer) -> None:
    asked = client(served)
    experiment = asked.create_experiment("e", namespace="team-a")
    served.store.versions["v"] = api.V2beta1PipelineVersion(pipeline_spec={"root": {}})
    served.store.ends_at_once = False
    run = served.store.create_run(
        api.V2beta1Run(
            display_name="r", experiment_id=experiment.experiment_id, pipeline_spec={"root": {}}
        )
    )
    assert status_of(client(served, "another token").terminate_run, run.run_id) == 401
    assert status_of(asked.terminate_run, "nobody") == 404
    assert run.state == "PENDING"
    asked.terminate_run(run.run_id)
    assert asked.get_run(run.run_id).state == "CANCELING"
    for state in ("CANCELING", "CANCELED", "SUCCEEDED", "FAILED"):
        served.store.state(run, state)
        assert status_of(asked.terminate_run, run.run_id) == 400


def test_a_retried_run_keeps_what_has_succeeded_and_the_exit_task_too(served: KfpServer) -> None:
    asked, store = client(served), served.store
    experiment = asked.create_experiment("e", namespace="team-a")
    body = api.V2beta1Run(
        display_name="r", experiment_id=experiment.experiment_id, pipeline_spec={"root": {}}
    )
    run = store.create_run(body)
    states = {"ingest": "SUCCEEDED", "train": "RUNNING", "decide": "FAILED", "seal": "SUCCEEDED"}
    for name, state in states.items():
        store.task(run.run_id, name, state)
    store.end(run.run_id, "FAILED")
    retry = asked._run_api.run_service_retry_run
    assert status_of(retry, run_id=run.run_id) == 500
    store.task(run.run_id, "train", "FAILED")
    retry(run_id=run.run_id)
    kept = asked.get_run(run.run_id).run_details.task_details
    assert [one.display_name for one in kept] == ["ingest", "seal"]


def test_faults_happen_as_often_as_told(served: KfpServer) -> None:
    asked = client(served)
    served.faults.add("503", "GET", "/experiments", times=1)
    assert status_of(asked.list_experiments, namespace="team-a") == 503
    assert asked.list_experiments(namespace="team-a").experiments is None
    served.faults.add("twice", "POST", "/experiments$")
    assert (
        status_of(
            asked._experiment_api.experiment_service_create_experiment,
            experiment=api.V2beta1Experiment(display_name="x", namespace="team-a"),
        )
        == 409
    )
    assert served.made("POST", "/experiments$") == 1
    assert len(served.store.experiments) == 1
