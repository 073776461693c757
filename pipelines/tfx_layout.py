"""What a run made, in the layout in which TFX's own components look for it.

    a Model          Format-Serving: the SavedModel of a bundle that has one, else the whole bundle
    a ModelBlessing  BLESSED or NOT_BLESSED, an empty file

Rules: nothing is taken that is not what the audit log has recorded; a model is blessed where its
bytes are those of the model that the run's decision releases, whoever brings them. TFX is not
imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.answers import DONE_EVENTS
from components.core.artifacts import copy_tree, manifest, write_text
from components.core.bundle import Bundle
from components.core.candidates import CANDIDATES, IMPORTED
from components.core.errors import GateError, IntegrityError, SettingsError
from components.core.stage_names import VALIDATING
from components.core.words import nearest
from components.import_model.tfx_artifacts import SERVING
from pipelines import commands
from pipelines.home import Home
from pipelines.recorded import RecordedArtifacts
from pipelines.runs import find_ended

INGESTED = "ingest-examples"
BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"
SAVED_MODEL, BUNDLE = "saved_model", "bundle"


@dataclass(frozen=True)
class Laid:
    """A model as a Model artifact has it: `source`, the SavedModel or the bundle, is served."""

    framework: str
    form: str
    source: Path


def recorded(run: str, home: str) -> RecordedArtifacts:
    """Return a run's artifacts; it is named by its whole id, because TFX caches by the name.

    Raises what `find_ended` and `RecordedArtifacts.of` raise.
    """
    place = Home.at(home or None)
    found = find_ended(place, run)
    if found.id != run:
        raise SettingsError(
            f"{run} is not the whole id of a run, and may mean another run tomorrow",
            remedy=f"name {found.id}",
        )
    return RecordedArtifacts.of(found, place)


def validated_examples(artifacts: RecordedArtifacts) -> Path:
    """Return where a run's rows lie; raise GateError for rows that passed no validation."""
    record = artifacts.records.get(VALIDATING)
    if record is None or record.event not in DONE_EVENTS:
        raise GateError(
            f"the rows of run {artifacts.run.id} passed no validation",
            remedy="read why with `tandem runs show`",
        )
    return artifacts.output(INGESTED, "examples")


def write_model(artifacts: RecordedArtifacts, framework: str, folder: Path) -> Laid:
    """Copy a model into a Model artifact's folder: the named framework's, or the released one.

    Raises SettingsError for one that there is not, GateError where none is named or was released.
    """
    if framework and framework not in CANDIDATES:
        raise SettingsError(
            f"there is no framework {framework}{nearest(framework, CANDIDATES)}",
            remedy=f"name one of {', '.join(CANDIDATES)}, or none for the model that was released",
        )
    laid = _laid(artifacts, framework or _released(artifacts))
    copy_tree(laid.source, folder / SERVING)
    return laid


def bless(artifacts: RecordedArtifacts, model: Path, folder: Path) -> bool:
    """Write BLESSED where a Model artifact's model is the one that was released, else NOT_BLESSED.

    Raises IntegrityError for one that is none of the run's.
    """
    decision = _decision(artifacts)
    served = manifest(model / SERVING)
    named = [name for name in decision["bundles"] if _is(served, _laid(artifacts, name))]
    if not named:
        raise IntegrityError(
            f"the model in {model} is none that run {artifacts.run.id} decided on",
            remedy="give the blessing the model of the same run, as it was handed out",
        )
    blessed = bool(decision["go"]) and named[0] == decision["winner"]
    write_blessing(folder, blessed)
    return blessed


def write_blessing(folder: Path, blessed: bool) -> None:
    """Write the file that stock components look for."""
    write_text(folder / (BLESSED if blessed else NOT_BLESSED), "")


def _is(served: Mapping[str, str], laid: Laid) -> bool:
    return served == manifest(laid.source)


def _decision(artifacts: RecordedArtifacts) -> Mapping[str, Any]:
    decision = artifacts.decision()
    if decision is None:
        run = artifacts.run.id
        raise SettingsError(
            f"run {run} decided nothing",
            remedy=f"go on with it: {commands.resume(artifacts.home, run)}",
        )
    return decision


def _released(artifacts: RecordedArtifacts) -> str:
    decision = _decision(artifacts)
    if not decision["go"]:
        raise GateError(
            f"run {artifacts.run.id} released no model",
            remedy="read why with `tandem runs show`; name a framework to have its model anyway",
        )
    return str(decision["winner"])


def _laid(artifacts: RecordedArtifacts, framework: str) -> Laid:
    """Return a framework's model, as recorded and as its contract says."""
    bundle = Bundle.open(artifacts.output(*model_port(framework)))
    has = any(form.name == SAVED_MODEL for form in bundle.contract.forms)
    if has:
        return Laid(framework, SAVED_MODEL, bundle.path(SAVED_MODEL))
    return Laid(framework, BUNDLE, bundle.folder)


def model_port(framework: str) -> tuple[str, str]:
    """Return the task that makes a framework's model, and the output's name."""
    task = "import-model" if framework == IMPORTED else f"train-{framework}"
    return task, f"{framework}_model"
