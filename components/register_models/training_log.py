"""What MLflow shows of a trainer: a run below the pipeline's, made from the trainer's record.

Rules: a training is shown once, below the first of the pipeline's runs that registers it: where it
came from the cache of a run that registered nothing, below the one that does; it shows what the
signed record says, whatever else the trainer printed. Below it stands a run of each trial of a
search. A second call finds a training by its record and a trial by its number, and goes on unless
it is ended.
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
    "family",
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
TRIAL_TAG, FAILED_TAG = "tandem.trial", "tandem.failed"
ENDED = ("FINISHED", "FAILED")
_BATCH = 800  # MLflow takes 1000 metrics, parameters and tags at a time


@dataclass(frozen=True)
class TrainingLog:
    """One trainer's run: `histories` holds a value for each epoch, from the first on."""

    framework: str
    record: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    histories: Mapping[str, Sequence[float]]
    tags: Mapping[str, str]
    trials: tuple[TrialLog, ...] = ()


@dataclass(frozen=True)
class TrialLog:
    """One trial of a search, counted from 1: its loss, or why there is none."""

    number: int
    params: Mapping[str, str]
    validation_loss: float | None = None
    failed: str | None = None


def training_log(framework: str, view: RecordView) -> TrainingLog:
    """Return the log of the record of a training."""
    facts = view.facts
    search = facts.get("search", {})
    params = {name: str(facts[name]) for name in PARAMS if name in facts}
    params |= _texts(facts.get("trained_with", {}))
    params |= {name: str(search[name]) for name in ("best_trial",) if name in search}
    metrics = {name: float(facts[name]) for name in METRICS if name in facts}
    taken = dict(view.resources)
    cost = taken.pop("cost", None)
    resources = {f"system/{name}": float(value) for name, value in taken.items()}
    if cost is not None:
        resources[f"cost/{cost['currency']}"] = float(cost["amount"])
    return TrainingLog(
        framework=framework,
        record=view.record,
        params=params,
        metrics=metrics | resources,
        histories={metric: facts[name] for name, metric in HISTORIES.items() if name in facts},
        tags={
            BUNDLE_TAG: view.outputs[f"{framework}_model"],
            WEIGHTS_TAG: str(facts.get("weights_sha256")),
        },
        trials=tuple(
            TrialLog(
                number, _texts(trial["values"]), trial.get("validation_loss"), trial.get("failed")
            )
            for number, trial in enumerate(search.get("trials", ()), start=1)
        ),
    )


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def write_training(client: Any, parent: Any, log: TrainingLog) -> None:
    """Write a trainer's run below the MLflow run of the pipeline, unless there is one."""
    from mlflow.entities import Param, RunTag

    known = {RECORD_TAG: log.record}
    more = {PARENT_TAG: parent.info.run_id, FRAMEWORK_TAG: log.framework}
    run = _found_or_created(client, parent, log.framework, known, more)
    if run.info.status in ENDED:
        return
    for trial in log.trials:
        _write_trial(client, run, trial)
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


def _write_trial(client: Any, training: Any, trial: TrialLog) -> None:
    """Write a trial's run below that of its training."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.time import get_current_time_millis

    known = {PARENT_TAG: training.info.run_id, TRIAL_TAG: str(trial.number)}
    run = _found_or_created(client, training, f"trial {trial.number}", known, {})
    if run.info.status in ENDED:
        return
    losses = [] if trial.validation_loss is None else [trial.validation_loss]
    now = get_current_time_millis()
    client.log_batch(
        run.info.run_id,
        metrics=[Metric("validation_loss", loss, now, 0) for loss in losses],
        params=[Param(*item) for item in trial.params.items()],
        tags=[RunTag(FAILED_TAG, trial.failed)] if trial.failed else [],
    )
    client.set_terminated(run.info.run_id, "FAILED" if trial.failed else "FINISHED")


def _found_or_created(
    client: Any, beside: Any, name: str, known: Mapping[str, str], more: Mapping[str, str]
) -> Any:
    """Find the run that has the tags that it is known by, or create it with more of them.

    It is of the experiment of the run that is given.
    """
    experiment = beside.info.experiment_id
    asked = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in known.items())
    found = client.search_runs([experiment], filter_string=asked, max_results=1)
    if found:
        return found[0]
    return client.create_run(experiment, tags={**known, **more}, run_name=name)
