"""What a KFP API server keeps, and what it refuses to keep; no HTTP here.

It stands at the far side of kfp's own client. Each refusal is the one of kubeflow/pipelines,
backend/src/apiserver: unknown ids 404 (storage/*_store.go), a second pipeline, version or
experiment of one name 409 (storage/pipeline_store.go, experiment_store.go), a run without a name,
pipeline or parameter 400 (server/run_server.go, template/v2_template.go), a cron that robfig/cron
1.2 does not parse, or a concurrency outside 1 to 10, 400 (server/job_server.go), a run retried that
has not failed 400 (common/util/workflow.go, GenerateRetryExecution), one terminated that has ended
or is being ended 400 (storage/run_store.go, TerminateRun). A run that is retried keeps the tasks
that have succeeded, its exit task too, which is not started again then: only nodes named
WORKFLOW.onExit are dropped, and a pipeline's exit task is the hook of a task below
(GenerateRetryExecution; addExitTask in v2/compiler/argocompiler/common.go); one with a task that
works still is refused (500). Names of runs and of recurring runs are not unique, as there.

No run is executed: `executor` is called with the id of each run that starts, in a thread of its
own, and says by `KfpStore.task` and `KfpStore.end` what becomes of it. What is terminated has ended
at once, or, where `ends_at_once` says no, by `end`, as a cluster takes its time over the pods.
"""

from __future__ import annotations

import datetime
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import kfp_server_api as api
from kfp_cron import check_cron
from kfp_macros import expanded
from kfp_pipelines import check_parameters, checked_spec, tasks_of
from kfp_wire import Refusal

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class KfpStore:
    """Everything by id; `namespaces` says which namespace a thing is of."""

    pipelines: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    experiments: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    recurring: dict[str, Any] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    executor: Callable[[str], None] | None = None
    ends_at_once: bool = True
    lock: threading.RLock = field(default_factory=threading.RLock)

    def one(self, kind: dict[str, Any], key: str, what: str) -> Any:
        if key not in kind:
            raise Refusal(404, f"{what} {key} not found")
        return kind[key]

    # Pipelines.

    def upload(self, namespace: str, name: str, text: str, description: str) -> Any:
        spec = checked_spec(text)
        same = [one for one in self.pipelines.values() if one.name == name]
        if any(self.namespaces[one.pipeline_id] == namespace for one in same):
            raise Refusal(409, "Failed to create a pipeline and a pipeline version")
        pipeline = api.V2beta1Pipeline(pipeline_id=new_id(), name=name, display_name=name,
                                       namespace=namespace, description=description,
                                       created_at=now())  # fmt: skip
        self.pipelines[pipeline.pipeline_id] = pipeline
        self.namespaces[pipeline.pipeline_id] = namespace
        self._version(pipeline.pipeline_id, name, spec, description)
        return pipeline

    def upload_version(self, pipeline_id: str, name: str, text: str, description: str) -> Any:
        spec = checked_spec(text)
        if pipeline_id not in self.pipelines:  # the real one says 400 here, not 404
            raise Refusal(400, "Failed to create a pipeline version")
        of = [one for one in self.versions.values() if one.pipeline_id == pipeline_id]
        if any(one.name == name for one in of):
            raise Refusal(409, "Failed to create a pipeline version")
        return self._version(pipeline_id, name, spec, description)

    def _version(self, pipeline_id: str, name: str, spec: Any, description: str) -> Any:
        version = api.V2beta1PipelineVersion(pipeline_id=pipeline_id, pipeline_version_id=new_id(),
                                             name=name, display_name=name, created_at=now(),
                                             description=description,
                                             pipeline_spec=spec)  # fmt: skip
        self.versions[version.pipeline_version_id] = version
        return version

    # Experiments.

    def create_experiment(self, namespace: str, asked: Any) -> Any:
        if not asked.display_name:
            raise Refusal(400, "Experiment name is empty. Please specify a valid experiment name")
        for other in self.experiments.values():
            if (other.display_name, other.namespace) == (asked.display_name, namespace):
                raise Refusal(409, f"experiment {asked.display_name} already exists")
        asked.experiment_id, asked.namespace, asked.created_at = new_id(), namespace, now()
        asked.storage_state = "AVAILABLE"
        self.experiments[asked.experiment_id] = asked
        self.namespaces[asked.experiment_id] = namespace
        return asked

    # Runs.

    def create_run(self, asked: Any) -> Any:
        if not asked.display_name:
            raise Refusal(400, "The run name is empty. Please specify a valid name")
        self.one(self.experiments, asked.experiment_id, "Experiment")
        spec = self._source(asked)
        check_parameters(spec, (asked.runtime_config and asked.runtime_config.parameters) or {})
        asked.run_id, asked.created_at, asked.scheduled_at = new_id(), now(), now()
        asked.storage_state, asked.state_history = "AVAILABLE", []
        asked.run_details = api.V2beta1RunDetails(task_details=[])
        self.runs[asked.run_id] = asked
        self.namespaces[asked.run_id] = self.namespaces[asked.experiment_id]
        self.state(asked, "PENDING")
        self._start(asked.run_id)
        return asked

    def _source(self, asked: Any) -> Any:
        """Return the spec that a run or a recurring run names."""
        reference = asked.pipeline_version_reference
        if reference is None and not asked.pipeline_spec:
            raise Refusal(400, "pipeline source is missing: neither a spec nor a version is given")
        if reference is None:
            return asked.pipeline_spec
        self.one(self.pipelines, reference.pipeline_id, "Pipeline")
        return self.one(
            self.versions, reference.pipeline_version_id, "PipelineVersion"
        ).pipeline_spec

    def _start(self, run_id: str) -> None:
        if self.executor is not None:
            threading.Thread(target=self.executor, args=[run_id], daemon=True).start()

    def state(self, run: Any, state: str) -> None:
        with self.lock:
            run.state = state
            run.finished_at = now() if state in ENDED else None
            run.state_history = [*run.state_history, api.V2beta1RuntimeStatus(
                update_time=now(), state=state)]  # fmt: skip

    def task(self, run_id: str, name: str, state: str, log: str | None = None) -> None:
        """Say what state a task of a run is in, and what its pod has written so far."""
        with self.lock:
            run = self.runs[run_id]
            details = run.run_details.task_details
            found = next((one for one in details if one.display_name == name), None)
            if found is None:
                pod = f"tandem-{run_id[:5]}-{name}"
                found = api.V2beta1PipelineTaskDetail(run_id=run_id, task_id=new_id(), pod_name=pod,
                                                      display_name=name, create_time=now(),
                                                      start_time=now())  # fmt: skip
                details.append(found)
            found.state, found.end_time = state, now() if state in ENDED else None
            if log is not None:
                self.logs[found.pod_name] = log
            if run.state == "PENDING":
                self.state(run, "RUNNING")

    def end(self, run_id: str, state: str) -> None:
        self.state(self.runs[run_id], state)

    def tasks(self, run_id: str) -> list[str]:
        """Return the names of a run's tasks."""
        return tasks_of(self._source(self.runs[run_id]))

    def retry(self, run_id: str) -> None:
        run = self.one(self.runs, run_id, "Run")
        if run.state not in ("FAILED", "CANCELED"):
            raise Refusal(400, "Workflow must be Failed/Error to retry")
        for one in run.run_details.task_details:
            if one.state not in ENDED:
                raise Refusal(500, f"Workflow cannot be retried with node {one.pod_name} in "
                                   f"{one.state} phase")  # fmt: skip
        failed = [one for one in run.run_details.task_details if one.state != "SUCCEEDED"]
        for detail in failed:
            run.run_details.task_details.remove(detail)
        self.state(run, "RUNNING")
        self._start(run_id)

    def terminate(self, run_id: str) -> None:
        run = self.one(self.runs, run_id, "Run")
        if run.state not in ("PENDING", "RUNNING", "PAUSED"):
            raise Refusal(400, f"Failed to terminate a run {run_id}. Row not found")
        self.state(run, "CANCELING")
        if self.ends_at_once:
            self.state(run, "CANCELED")

    # Recurring runs.

    def create_recurring(self, asked: Any) -> Any:
        self.one(self.experiments, asked.experiment_id, "Experiment")
        spec = self._source(asked)
        check_parameters(spec, (asked.runtime_config and asked.runtime_config.parameters) or {})
        if not 1 <= int(asked.max_concurrency or 0) <= 10:
            raise Refusal(
                400, "The max concurrency of the recurring run is out of range. Support 1-10"
            )
        if asked.trigger and asked.trigger.cron_schedule:
            check_cron(asked.trigger.cron_schedule.cron)
        asked.recurring_run_id, asked.created_at, asked.updated_at = new_id(), now(), now()
        asked.namespace = self.namespaces[asked.experiment_id]
        asked.status = "ENABLED" if asked.mode == "ENABLE" else "DISABLED"
        self.recurring[asked.recurring_run_id] = asked
        self.namespaces[asked.recurring_run_id] = asked.namespace
        return asked

    def enable(self, key: str, mode: str) -> None:
        found = self.one(self.recurring, key, "Job")
        found.mode, found.status, found.updated_at = mode, f"{mode}D", now()

    def fire(self, key: str, scheduled: datetime.datetime) -> Any:
        """Start the run of one scheduled time, as the ScheduledWorkflow controller does.

        None where the schedule is paused or as many runs of it are active as it allows
        (backend/src/crd/controller/scheduledworkflow/util/scheduled_workflow.go).
        """
        job = self.recurring[key]
        mine = [one for one in self.runs.values() if one.recurring_run_id == key]
        active = sum(one.state not in ENDED for one in mine)
        if job.mode != "ENABLE" or active >= int(job.max_concurrency):
            return None
        parameters = expanded(job.runtime_config.parameters, scheduled, now(), len(mine) + 1)
        return self.create_run(
            api.V2beta1Run(
                display_name=f"{job.display_name}-{len(mine) + 1}",
                experiment_id=job.experiment_id,
                pipeline_spec=job.pipeline_spec,
                pipeline_version_reference=job.pipeline_version_reference,
                runtime_config=api.V2beta1RuntimeConfig(parameters=parameters),
                service_account=job.service_account,
                recurring_run_id=key,
            )
        )
