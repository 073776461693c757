"""One run's models in MLflow's registry: repeatable, and never half there.

The order is what makes it safe: files, then their digest as stored, then the version with all its
tags in one call, then the record in our log, and by `publish` the aliases, which are last. A second
call after a crash finds what the first one left by the tags tandem.run and tandem.framework, and
goes on from there; it adds no second run or version. A version with a number that the log has
registered for another run is not made, or is gone again (version_numbers.py). MLflow keeps no
author and no history of aliases: the evidence is in our log, not here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import tree_digest
from components.core.errors import IntegrityError, SettingsError
from components.register_models.entry import Entry
from components.register_models.mlflow_model import stored_digest
from components.register_models.store import (
    BUNDLE_FOLDER,
    FRAMEWORK_TAG,
    MODEL_TAG,
    RUN_TAG,
    artifact_location,
    tracking_uri,
)
from components.register_models.taken_name import require_free
from components.register_models.training_log import TrainingLog, write_training
from components.register_models.version_numbers import (
    Registered,
    require_new_numbers,
    require_unregistered,
)

RUN_VARIABLE = "MLFLOW_RUN_ID"
CANDIDATE, CHALLENGER = "candidate", "challenger"
NONE: Registered = {}


@dataclass(frozen=True)
class Version:
    """A version in the registry, and the digest of what is stored of it."""

    number: str
    model_sha256: str


@dataclass(frozen=True)
class RunLog:
    """What the MLflow run of a Tandem run shows, and the runs below it."""

    run_id: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    trainings: tuple[TrainingLog, ...] = ()


class ModelRegistry:
    """The versions and aliases of one registered model, through an MlflowClient."""

    def __init__(self, client: Any, model_name: str, experiment: str) -> None:
        self._client = client
        self._name = model_name
        self._experiment = experiment

    def register(
        self, log: RunLog, entries: Mapping[str, Entry], registered: Registered = NONE
    ) -> tuple[str, dict[str, Version]]:
        """Register {role: entry} without an alias; return MLflow's run id and {role: version}.

        Raises SettingsError, and writes nothing, where the model's name is taken; IntegrityError
        for numbers that are `registered` for another run, before anything is written where that
        can be known.
        """
        require_free(self._client, self._name)
        uri, count = tracking_uri(), len(entries)
        require_new_numbers(self._client, uri, self._name, log.run_id, count, registered)
        mlflow_run = self._run(log)
        for training in log.trainings:
            write_training(self._client, mlflow_run, training)
        self._ensure_model()
        versions = {
            role: self._version(mlflow_run, log.run_id, entry) for role, entry in entries.items()
        }
        numbers = [version.number for version in versions.values()]
        try:
            require_unregistered(self._name, log.run_id, numbers, registered)
        except IntegrityError:
            self.take_back(log.run_id, numbers, registered)
            raise
        return mlflow_run.info.run_id, versions

    def take_back(self, run_id: str, numbers: Iterable[str], registered: Registered) -> None:
        """Delete a run's versions, but for those that are registered for it: nothing proves them.

        Their files stay with MLflow's run, which no registered model names.
        """
        for number in numbers:
            before = registered.get(number)
            if before is None or before.run != run_id:
                self._client.delete_model_version(self._name, number)

    def pointed(self, alias: str) -> str | None:
        """Return the version that an alias names now, None where it names none."""
        found = self._client.get_registered_model(self._name).aliases.get(alias)
        return None if found is None else str(found)

    def publish(self, mlflow_run_id: str, aliases: Mapping[str, str | None]) -> None:
        """Have each alias name its version or none, and end the run unless the platform gave it."""
        self._point(aliases)
        if not os.environ.get(RUN_VARIABLE):
            self._client.set_terminated(mlflow_run_id, "FINISHED")

    def _run(self, log: RunLog) -> Any:
        """Find or create the MLflow run, and add what it does not show yet."""
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.time import get_current_time_millis

        run = self._find_run(log.run_id)
        now = get_current_time_millis()
        known = run.data
        self._client.log_batch(
            run.info.run_id,
            metrics=[
                Metric(name, value, now, 0)
                for name, value in log.metrics.items()
                if name not in known.metrics
            ],
            params=[Param(*item) for item in log.params.items() if item[0] not in known.params],
            tags=[RunTag(*item) for item in log.tags.items()],
        )
        return run

    def _find_run(self, run_id: str) -> Any:
        given = os.environ.get(RUN_VARIABLE)
        if given:
            return self._client.get_run(given)
        if "'" in run_id or "\\" in run_id:
            raise SettingsError(
                f"run id {run_id} cannot be searched for", remedy="use letters, digits, . _ -"
            )
        experiment = self._experiment_id()
        found = self._client.search_runs(
            [experiment], filter_string=f"tags.`{RUN_TAG}` = '{run_id}'", max_results=1
        )
        if found:
            return found[0]
        return self._client.create_run(experiment, tags={RUN_TAG: run_id}, run_name=run_id)

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            _create(
                self._client.create_experiment,
                self._experiment,
                artifact_location=artifact_location(tracking_uri()),
            )
            found = self._client.get_experiment_by_name(self._experiment)
        return str(found.experiment_id)

    def _ensure_model(self) -> None:
        _create(self._client.create_registered_model, self._name)

    def _version(self, mlflow_run: Any, run_id: str, entry: Entry) -> Version:
        """Find or create the version of an entry; its files are stored and checked before."""
        with tempfile.TemporaryDirectory() as folder:
            tags = entry.tags(run_id) | {MODEL_TAG: entry.write(Path(folder), run_id)}
            found = self._find_version(mlflow_run, tags, _source(mlflow_run, entry))
            if found is None:
                self._client.log_artifacts(mlflow_run.info.run_id, folder, entry.framework)
        _require_stored(mlflow_run, entry, tags[MODEL_TAG])
        if found is None:
            found = self._client.create_model_version(
                self._name,
                source=_source(mlflow_run, entry),
                run_id=mlflow_run.info.run_id,
                tags=tags,
                description=f"{entry.framework} {entry.bundle.contract.family} of run {run_id}",
            )
        return Version(str(found.version), tags[MODEL_TAG])

    def _find_version(self, mlflow_run: Any, tags: Mapping[str, str], source: str) -> Any | None:
        """Return this run's version of a framework; IntegrityError where it is not as made here.

        Whoever loads it gets what lies at its source, so that must be what is read back.
        """
        versions = self._client.search_model_versions(f"run_id = '{mlflow_run.info.run_id}'")
        mine = {name: tags[name] for name in (RUN_TAG, FRAMEWORK_TAG)}
        found = [v for v in versions if v.name == self._name and mine.items() <= v.tags.items()]
        if not found:
            return None
        if not tags.items() <= found[0].tags.items():
            raise IntegrityError(
                f"version {found[0].version} of {self._name} says it is this run's, with other "
                "bytes or records",
                remedy="find out who registered or changed it",
                expected=dict(tags),
                actual=found[0].tags,
            )
        if found[0].source != source:
            raise IntegrityError(
                f"version {found[0].version} of {self._name} says it is this run's, with files "
                "from elsewhere",
                remedy="find out who registered or changed it",
                expected=source,
                actual=found[0].source,
            )
        return found[0]

    def _point(self, aliases: Mapping[str, str | None]) -> None:
        """Set aliases to this run's versions; None takes one away that an older run had set."""
        present = self._client.get_registered_model(self._name).aliases
        for alias, version in aliases.items():
            if version is not None:
                self._client.set_registered_model_alias(self._name, alias, version)
            elif alias in present:
                self._client.delete_registered_model_alias(self._name, alias)


def _source(mlflow_run: Any, entry: Entry) -> str:
    return f"{mlflow_run.info.artifact_uri}/{entry.framework}"


def _require_stored(mlflow_run: Any, entry: Entry, model_sha256: str) -> None:
    """Read the model back from the store, and compare its digests."""
    from mlflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(
            artifact_uri=_source(mlflow_run, entry), dst_path=folder, tracking_uri=tracking_uri()
        )
        actual = [tree_digest(Path(path, BUNDLE_FOLDER)), stored_digest(Path(path))]
    if actual != [entry.sha256, model_sha256]:
        raise IntegrityError(
            f"the {entry.framework} model in MLflow's store is not the one that was evaluated",
            remedy="find out who writes to the store, then start a new run",
            expected=[entry.sha256, model_sha256],
            actual=actual,
        )


def _create(create: Any, name: str, **options: Any) -> None:
    """Create something that may be there already, or may come to be at the same moment."""
    from mlflow.exceptions import MlflowException

    try:
        create(name, **options)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
