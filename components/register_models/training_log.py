"""What MLflow shows of a trainer: a run below the pipeline's, made from the trainer's record.

Rules: a run is shown for a training that this run did, not for one that came from the cache; it
shows what the signed record says, whatever else the trainer printed. A second call finds the
trainer's run by its parent, and goes on unless it is finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.audit.answers import RecordView
from components.register_models.store import BUNDLE_TAG, FRAMEWORK_TAG, RECORD_TAG, WEIGHTS_TAG

PARENT_TAG = "mlflow.parentRunId"
PARAMS = (
    "parameters",
    "epochs",
    "steps",
    "kept_epoch",
    "schedule",
    "seed",
    "threads",
    "device",
    "precision",
    "determinism",
    "resumed_from_step",
)
METRICS = ("final_loss", "validation_rows", "compiled_difference")
# A fact with a value for each epoch, and the metric that it becomes.
HISTORIES = {"epoch_losses": "loss", "validation_losses": "validation_loss"}
_BATCH = 800  # MLflow takes 1000 metrics, parameters and tags at a time


@dataclass(frozen=True)
class TrainingLog:
    """One trainer's run: `histories` holds a value for each epoch, from the first on."""

    framework: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    histories: Mapping[str, Sequence[float]]
    tags: Mapping[str, str]


def training_log(framework: str, view: RecordView) -> TrainingLog | None:
    """Return the log of a trainer's record; None for a training that this run did not do."""
    if view.event != "COMPLETE":
        return None
    facts = view.facts
    metrics = {name: float(facts[name]) for name in METRICS if name in facts}
    resources = {f"system/{name}": float(value) for name, value in view.resources.items()}
    return TrainingLog(
        framework=framework,
        params={name: str(facts[name]) for name in PARAMS if name in facts},
        metrics=metrics | resources,
        histories={metric: facts[name] for name, metric in HISTORIES.items() if name in facts},
        tags={
            RECORD_TAG: view.record,
            BUNDLE_TAG: view.outputs[f"{framework}_model"],
            WEIGHTS_TAG: str(facts.get("weights_sha256")),
        },
    )


def write_training(client: Any, parent: Any, log: TrainingLog) -> None:
    """Write a trainer's run below the MLflow run of the pipeline."""
    from mlflow.entities import Param, RunTag

    run = _training_run(client, parent, log.framework)
    if run.info.status == "FINISHED":
        return
    params = [Param(*item) for item in log.params.items()]
    tags = [RunTag(*item) for item in log.tags.items()]
    metrics = _metrics(log)
    for start in range(0, max(len(metrics), 1), _BATCH):
        part = metrics[start : start + _BATCH]
        client.log_batch(run.info.run_id, metrics=part, params=params, tags=tags)
    client.set_terminated(run.info.run_id, "FINISHED")


def _metrics(log: TrainingLog) -> list[Any]:
    """Return MLflow's metrics; the epoch, counted from 1, is the step of those that have one."""
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    now = get_current_time_millis()
    return [
        *(Metric(name, value, now, 0) for name, value in log.metrics.items()),
        *(
            Metric(name, value, now, epoch)
            for name, values in log.histories.items()
            for epoch, value in enumerate(values, start=1)
        ),
    ]


def _training_run(client: Any, parent: Any, framework: str) -> Any:
    """Find or create the run of a trainer by its parent and its framework."""
    experiment = parent.info.experiment_id
    mine = {PARENT_TAG: parent.info.run_id, FRAMEWORK_TAG: framework}
    asked = " and ".join(f"tags.`{name}` = '{value}'" for name, value in mine.items())
    found = client.search_runs([experiment], filter_string=asked, max_results=1)
    return found[0] if found else client.create_run(experiment, tags=mine, run_name=framework)
