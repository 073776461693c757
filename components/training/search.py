"""Hyper-parameter search by Optuna: trials of the settings' own keys, judged by validation loss.

Rules: the sampler is TPE (Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011),
seeded by train.seed, and trials come one after the other, so a search repeats; a trial whose loss
is no finite number, or whose memory runs out, counts as failed and is recorded with its cause;
every trial is in the record, and so are the settings that were trained with, searched or not.
What gives each trial's loss another meaning, such as class weights, is not searched, and the
evaluation split has no part in it. Each trainer searches for itself: the two may end with different
settings, and the record says which.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from components.core.errors import DataError, OutOfMemoryError, SettingsError
from components.core.model_settings import ModelFamily
from components.core.training_settings import SEARCHED_TRAIN, Between, OneOf, Train
from components.core.words import counted
from components.training.fit import Fit

if TYPE_CHECKING:
    from optuna.trial import Trial

log = logging.getLogger(__name__)
Values = Mapping[str, Any]
Training = Callable[[ModelFamily, Train], Fit]


@dataclass(frozen=True)
class Tuned:
    """The settings to train with, and what the record says of how they were found."""

    model: ModelFamily
    train: Train
    facts: Mapping[str, Any] = field(default_factory=dict)


def tuned(model: ModelFamily, train: Train, training: Training) -> Tuned:
    """Return the best settings of all trials; without a search, the settings as they are.

    `training` trains by the settings it is given. Raises DataError where every trial failed
    and SettingsError where a trial's values do not go together.
    """
    if train.search is None:
        return _tuned(model, train)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=train.seed))
    trials: list[dict[str, Any]] = []
    for number in range(1, train.search.trials + 1):
        trial = study.ask()
        values = {name: _drawn(trial, name, s) for name, s in train.search.parameters.items()}
        outcome = _outcome(model, train, values, training)
        loss = outcome.get("validation_loss")
        failed = optuna.trial.TrialState.FAIL if loss is None else None
        study.tell(trial, loss, failed)
        trials.append({"values": values, **outcome})
        log.info("trial %d of %d: %s", number, train.search.trials, trials[-1])
    best = _best(trials)
    found = changed(model, train, trials[best - 1]["values"])
    return _tuned(*found, {"search": {"best_trial": best, "trials": trials}})


def _tuned(model: ModelFamily, train: Train, facts: Mapping[str, Any] | None = None) -> Tuned:
    """Return the settings to train with, named among the facts by what can be searched."""
    settings = {f"model.{name}": value for name, value in model.model_dump(mode="json").items()}
    given = train.model_dump(mode="json")
    settings |= {f"train.{name}": given[name] for name in SEARCHED_TRAIN}
    used = {name: value for name, value in settings.items() if value is not None}
    return Tuned(model, train, {"trained_with": used, **(facts or {})})


def changed(model: ModelFamily, train: Train, values: Values) -> tuple[ModelFamily, Train]:
    """Return the settings with a trial's values in them, and without the search."""
    sections: dict[str, dict[str, Any]] = {
        "model": model.model_dump(),
        "train": train.model_dump() | {"search": None},
    }
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections[section][name] = value
    try:
        return (
            ModelFamily.model_validate(sections["model"]),
            Train.model_validate(sections["train"]),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"a trial's values do not go together: {first['msg']}",
            remedy="correct train.search.parameters",
            actual=values,
        ) from error


def _drawn(trial: Trial, name: str, space: Between | OneOf) -> Any:
    """Return the trial's value; of one of several, Optuna sees the place alone."""
    if isinstance(space, OneOf):
        return space.one_of[trial.suggest_categorical(name, range(len(space.one_of)))]
    if isinstance(space.low, int) and isinstance(space.high, int):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def _outcome(
    model: ModelFamily, train: Train, values: Values, training: Training
) -> dict[str, Any]:
    """Train by a trial's values; return its loss, or why there is none.

    SIGTERM and what else is the operator's ends the search.
    """
    try:
        return {"validation_loss": training(*changed(model, train, values)).validation_loss}
    except (DataError, OutOfMemoryError) as error:
        return {"failed": error.message}
    except MemoryError:
        return {"failed": "memory ran out before the first step"}


def _best(trials: list[dict[str, Any]]) -> int:
    """Return the number, from 1, of the trial with the lowest loss; of equals the earliest."""
    losses = {n: t["validation_loss"] for n, t in enumerate(trials, 1) if "validation_loss" in t}
    if not losses:
        causes = list(dict.fromkeys(trial["failed"] for trial in trials))
        others = f", and for {counted(len(causes) - 1, 'other reason')}" if causes[1:] else ""
        raise DataError(
            f"none of {len(trials)} trials could be trained: {causes[0]}{others}",
            remedy="narrow train.search.parameters to values that train; the log has every trial",
            expected="one trial with a validation loss",
            actual=causes,
        )
    return min(losses, key=lambda number: losses[number])
