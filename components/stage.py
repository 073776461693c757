"""run_stage: the life of every stage, and the only way into a step.

    inputs re-hashed -> START -> cache? -> the step's work -> outputs hashed -> COMPLETE -> publish
                                   └─ CACHED                 └─ on any error: FAIL

Rules:
1. an input whose bytes differ from what its producer recorded stops the stage;
2. START is written before the work, COMPLETE after the outputs, and what the step publishes comes
   after that; a task is done only then, and what fails there is the task's error without a FAIL,
   because the work is done and recorded;
3. the cache key is the digest of the inputs' content, the stage's settings, the code of the step
   and the lock file; a hit copies the stored outputs after hashing them and writes CACHED;
4. a failure writes FAIL with its cause, every gate that was checked and the facts that a gate's
   failure brings, then goes on up; where such a text must not be recorded, FAIL says only that;
   one before START too, as of settings that the step does not know, which FAIL then leaves out;
   what the step did outside is taken back where COMPLETE is refused, not where nobody answered;
5. user code runs inside the step and cannot skip any of this;
6. a step that takes `checkpoints` gets a folder of its cache key's name below TANDEM_CHECKPOINTS,
   so that only the same inputs, settings and code meet again, and with the cache off only the same
   run; the folder stays after a PlatformError or a killed process, which may be tried again.

With TANDEM_NOTARY unset there are no records: the work is done, and registration refuses.
"""

from __future__ import annotations

import inspect
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.audit.attempts import attempt_here
from components.audit.client import Notary, connect
from components.audit.handing_in import hand_in, hand_in_failure
from components.core.artifacts import ArtifactRef
from components.core.boundary import in_our_terms
from components.core.cache import StageCache
from components.core.canonical import sha256_value
from components.core.code import module_digests
from components.core.errors import (
    IntegrityError,
    PlatformError,
    TandemError,
)
from components.core.gpus import started_meter
from components.core.imports import recall
from components.core.outcome import Outcome
from components.core.ports import Port, check_inputs, claim, claimed, describe
from components.core.quiet import be_quiet
from components.core.resources import Stopwatch
from components.core.stage_identity import (
    PLATFORM_RUN_VARIABLE,
    Stage,
    Step,
    of_platform,
    parse_parameters,
    step_modules,
    unprepared_draft,
)

CHECKPOINTS_VARIABLE = "TANDEM_CHECKPOINTS"
log = logging.getLogger(__name__)


def run_stage(
    step: Step,
    *,
    run: Mapping[str, Any],
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Port | None],
    outputs: Mapping[str, Port],
) -> None:
    """Run one step with everything around it (see the module's rules).

    An input that is None is one that the pipeline does not give: the step has a default for it.
    `step` takes its artifacts as Path and its settings as the Section that annotates its
    `settings` argument. Raises what the step raises, as a TandemError.
    """
    be_quiet()
    run = of_platform(run, os.environ.get(PLATFORM_RUN_VARIABLE))
    if "run" in parameters:
        parameters = {**parameters, "run": run}
    notary = connect()
    watch = Stopwatch(started_meter(), run.get("prices"))
    given = {name: port for name, port in inputs.items() if port is not None}
    outcome = Outcome()
    attempt = attempt_here(notary, str(run["id"]), step.__name__)
    stage = _prepared(step, run, parameters, given, attempt, notary, watch)
    try:
        with in_our_terms(stage.name):
            check_inputs(stage, given)
            if not _from_cache(stage, notary, outputs, watch):
                hand_in(notary, stage.draft("START"))
                outcome = _work(step, stage, given, outputs)
                _complete(stage, notary, outputs, outcome, watch)
                _remove_checkpoints(step, stage)
    except TandemError as error:
        hand_in_failure(notary, stage.draft("FAIL"), error, watch)
        if not isinstance(error, PlatformError):
            _take_back(outcome, stage.name)
            _remove_checkpoints(step, stage)
        raise
    if outcome.publish is not None:
        with in_our_terms(stage.name):
            outcome.publish()


def _complete(
    stage: Stage,
    notary: Notary | None,
    outputs: Mapping[str, Port],
    outcome: Outcome,
    watch: Stopwatch,
) -> None:
    """Hash the outputs, write COMPLETE, describe the ports, and remember the outputs."""
    claims = claimed(outputs)
    draft = stage.draft(
        "COMPLETE",
        outputs=claims,
        facts=dict(outcome.facts),
        gates=[gate.to_dict() for gate in outcome.gates],
        resources=watch.read(),
    )
    describe(outputs, claims, hand_in(notary, draft), outcome.metadata)
    if _cache_is_on(stage):
        _remember(stage, outputs)


def _remember(stage: Stage, outputs: Mapping[str, Port]) -> None:
    """Store the outputs in the cache; the stage is done, so a failure here costs speed only."""
    cache = StageCache.from_environment()
    try:
        cache.store(
            stage.key,
            {name: Path(port.path) for name, port in outputs.items()},
            {name: dict(port.metadata) for name, port in outputs.items()},
            stage.parts,
        )
        cache.point(stage.run, stage.name, stage.key)
    except OSError as error:
        log.warning("%s is not remembered in the cache: %s", stage.name, error)


def _take_back(outcome: Outcome, stage: str) -> None:
    """Undo what a step did outside; where that fails, the record's refusal is still the error."""
    if outcome.take_back is None:
        return
    try:
        with in_our_terms(stage):
            outcome.take_back()
    except TandemError as error:
        log.error("what %s did without a record is not taken back: %s", stage, error.message)


def _prepared(
    step: Step,
    run: Mapping[str, Any],
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Port],
    attempt: int,
    notary: Notary | None,
    watch: Stopwatch,
) -> Stage:
    """Return the stage; write FAIL and raise the error where there can be none."""
    refs = {
        name: ArtifactRef(
            name, str(port.metadata.get("sha256", "")), str(port.metadata.get("record", ""))
        )
        for name, port in inputs.items()
    }
    try:
        with in_our_terms(step.__name__):
            return _stage(step, run, parameters, refs, attempt)
    except TandemError as error:
        hand_in_failure(notary, unprepared_draft(step, run, refs, attempt), error, watch)
        raise


def _stage(
    step: Step,
    run: Mapping[str, Any],
    parameters: Mapping[str, Any],
    refs: Mapping[str, ArtifactRef],
    attempt: int,
) -> Stage:
    settings = parse_parameters(step, parameters)
    if StageCache.is_configured():
        recall(StageCache.from_environment().folder)
    modules = module_digests(step_modules(step, settings))
    return Stage(step.__name__, run, settings, refs, modules, attempt)


def _from_cache(
    stage: Stage, notary: Notary | None, outputs: Mapping[str, Port], watch: Stopwatch
) -> bool:
    if not _cache_is_on(stage):
        return False
    cache = StageCache.from_environment()
    entry = cache.fetch(stage.key, {name: Path(port.path) for name, port in outputs.items()})
    if entry is None:
        return False
    cache.point(stage.run, stage.name, stage.key)
    claims = [claim(name, entry[name]["sha256"], port) for name, port in outputs.items()]
    facts = {"origin": {name: entry[name].get("record", "") for name in outputs}}
    draft = stage.draft("CACHED", outputs=claims, facts=facts, resources=watch.read())
    try:
        record = hand_in(notary, draft)
    except IntegrityError as error:
        log.warning("the log does not vouch for the cached outputs: %s", error.message)
        for port in outputs.values():
            shutil.rmtree(port.path)
        return False
    for name, port in outputs.items():
        port.metadata.update(entry[name])
        port.metadata.update({"record": record, "cached": True})
    return True


def _cache_is_on(stage: Stage) -> bool:
    return stage.repeats and bool(stage.run.get("cache", False)) and StageCache.is_configured()


def _work(
    step: Step, stage: Stage, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
) -> Outcome:
    """Call the step with empty output folders."""
    paths = {name: Path(port.path) for name, port in {**inputs, **outputs}.items()}
    for name in outputs:
        paths[name].mkdir(parents=True, exist_ok=True)
    return step(settings=stage.settings, **paths, **_checkpoints(step, stage))


def _checkpoints(step: Step, stage: Stage) -> dict[str, Path]:
    """Return the folder of a step that writes checkpoints, where there is a place for any."""
    place = os.environ.get(CHECKPOINTS_VARIABLE)
    if not place or "checkpoints" not in inspect.signature(step).parameters:
        return {}
    cached = bool(stage.run.get("cache", False))
    name = stage.key if cached else sha256_value([stage.key, stage.run["id"]])
    return {"checkpoints": Path(place, name)}


def _remove_checkpoints(step: Step, stage: Stage) -> None:
    for folder in _checkpoints(step, stage).values():
        shutil.rmtree(folder, ignore_errors=True)
