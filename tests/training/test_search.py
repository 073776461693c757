"""The search of hyper-parameters: what is drawn, what is kept, and what is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.core.errors import DataError, PlatformError, SettingsError
from components.core.model_settings import ModelFamily
from components.core.training_settings import Train
from components.training.fit import Fit
from components.training.memory import naming_the_batch_size
from components.training.search import tuned

MODEL = ModelFamily.model_validate({"family": "wide_and_deep"})
SPACE: dict[str, Any] = {
    "train.learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
    "train.batch_size": {"low": 16, "high": 64},
    "model.hidden_units": {"one_of": [[8], [16, 8], []]},
}


def settings(trials: int = 30, **parameters: Any) -> Train:
    search = {"trials": trials, "parameters": parameters or SPACE}
    return Train.model_validate({"validation_share": 0.2, "search": search})


def fit(validation_loss: float) -> Fit:
    return Fit((1,), (0.5,), steps=1, kept_epoch=1, validation_losses=(validation_loss,))


def trained(model: ModelFamily, train: Train) -> Fit:
    return fit(loss(model, train))


def loss(model: ModelFamily, train: Train) -> float:
    """Lowest at a rate of 0.01, batches of 40 and one hidden layer of 8."""
    size = 0.0 if model.hidden_units == (8,) else 1.0
    return abs(train.learning_rate - 0.01) + abs(train.batch_size - 40) / 40 + size


def test_without_a_search_the_settings_stay_as_they_are() -> None:
    train = Train()
    found = tuned(MODEL, train, trained)
    assert (found.model, found.train) == (MODEL, train)
    assert found.facts.keys() == {"trained_with"}


def test_what_was_trained_with_is_recorded_by_the_settings_own_keys() -> None:
    facts = tuned(MODEL, settings(), trained).facts
    best = facts["search"]["trials"][facts["search"]["best_trial"] - 1]["values"]
    assert best.items() <= facts["trained_with"].items()
    assert facts["trained_with"] | best == {
        "model.family": "wide_and_deep",
        "model.hidden_units": best["model.hidden_units"],
        "model.embedding_dim": 8,
        "model.dropout": 0.0,
        "model.normalisation": "none",
        "train.learning_rate": best["train.learning_rate"],
        "train.batch_size": best["train.batch_size"],
        "train.schedule": "constant",
        "train.warmup_steps": 0,
        "train.weight_decay": 0.0,
    }
    assert json.loads(json.dumps(facts)) == facts


def test_the_best_trials_settings_are_kept_and_every_trial_is_recorded() -> None:
    seen: list[tuple[ModelFamily, Train]] = []

    def watched(model: ModelFamily, train: Train) -> Fit:
        seen.append((model, train))
        return trained(model, train)

    found = tuned(MODEL, settings(), watched)
    search = found.facts["search"]
    losses = [trial["validation_loss"] for trial in search["trials"]]
    assert losses == [loss(*given) for given in seen]
    assert len(losses) == 30
    assert search["best_trial"] == losses.index(min(losses)) + 1
    assert (found.model, found.train) == seen[losses.index(min(losses))]
    assert found.train.search is None
    assert min(losses) < 0.3
    assert json.loads(json.dumps(search))["trials"][0]["values"].keys() == SPACE.keys()


def test_values_are_within_their_bounds_and_whole_where_these_are() -> None:
    for _, train in drawn(settings()):
        assert 1e-4 <= train.learning_rate <= 1.0
        assert 16 <= train.batch_size <= 64
    assert {model.hidden_units for model, _ in drawn(settings())} == {(8,), (16, 8), ()}


def drawn(train: Train) -> list[tuple[ModelFamily, Train]]:
    seen: list[tuple[ModelFamily, Train]] = []

    def keep(model: ModelFamily, given: Train) -> Fit:
        seen.append((model, given))
        return fit(0.0)

    tuned(MODEL, train, keep)
    return seen


def test_a_search_repeats_with_its_seed_alone() -> None:
    first, again = (tuned(MODEL, settings(), trained).facts for _ in range(2))
    other = tuned(MODEL, settings().model_copy(update={"seed": 14}), trained).facts
    assert first == again
    assert first != other


def test_a_trial_that_cannot_be_trained_is_recorded_and_the_search_goes_on() -> None:
    def failing(model: ModelFamily, train: Train) -> Fit:
        if train.learning_rate > 0.01:
            raise DataError("the loss is nan", remedy="lower it")
        return fit(train.learning_rate)

    found = tuned(MODEL, settings(), failing)
    trials = found.facts["search"]["trials"]
    failed = [trial for trial in trials if "failed" in trial]
    assert 0 < len(failed) < 30
    assert {trial["failed"] for trial in failed} == {"the loss is nan"}
    assert all("validation_loss" not in trial for trial in failed)
    assert found.train.learning_rate <= 0.01


def test_a_trial_that_runs_out_of_memory_is_recorded_and_the_search_goes_on() -> None:
    def failing(model: ModelFamily, train: Train) -> Fit:
        if train.batch_size > 48:
            with naming_the_batch_size(train, (), lambda _: True):
                raise MemoryError
        if model.hidden_units == (16, 8):
            raise MemoryError
        return trained(model, train)

    found = tuned(MODEL, settings(), failing)
    trials = found.facts["search"]["trials"]
    for trial in trials:
        size, units = trial["values"]["train.batch_size"], trial["values"]["model.hidden_units"]
        if size > 48:
            assert trial["failed"] == f"training ran out of memory with batches of {size} rows"
        elif units == [16, 8]:
            assert trial["failed"] == "memory ran out before the first step"
        else:
            assert "failed" not in trial
    assert len([trial for trial in trials if "failed" in trial]) > 1
    assert found.train.batch_size <= 48


def test_what_is_the_operators_ends_the_search() -> None:
    def stopped(model: ModelFamily, train: Train) -> Fit:
        raise PlatformError("training was stopped by SIGTERM", remedy="resume the run")

    with pytest.raises(PlatformError, match="SIGTERM"):
        tuned(MODEL, settings(), stopped)


def test_a_search_of_which_nothing_can_be_trained_is_refused_with_its_causes() -> None:
    def failing(model: ModelFamily, train: Train) -> Fit:
        if not seen:
            raise MemoryError(seen.append(1))
        raise DataError("the loss is nan", remedy="lower it")

    seen: list[int] = [1]
    with pytest.raises(DataError, match=r"none of 3 trials could be trained: the loss is nan$"):
        tuned(MODEL, settings(3), failing)
    seen.clear()
    with pytest.raises(DataError, match=r"memory ran out .*, and for 1 other reason$") as caught:
        tuned(MODEL, settings(3), failing)
    assert caught.value.actual == ["memory ran out before the first step", "the loss is nan"]


def test_values_that_do_not_go_together_are_refused() -> None:
    model = ModelFamily.model_validate({"family": "ft_transformer"})
    train = settings(20, **{"model.token_dim": {"one_of": [32, 33]}})
    with pytest.raises(SettingsError, match="token_dim is not a multiple"):
        tuned(model, train, trained)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"train.seed": {"low": 1, "high": 9}}, "train.seed cannot be searched; these can: "),
        ({"train.lerning_rate": {"one_of": [1, 9]}}, "; did you mean train.learning_rate?"),
        ({"dropout": {"one_of": [0.1, 0.2]}}, "; did you mean model.dropout?"),
        ({"train.class_weights": {"one_of": ["balanced", [1, 9]]}}, "cannot be searched"),
        ({"train.learning_rate": {"low": 0.1, "high": 0.1}}, "low 0.1 is not below high 0.1"),
        ({"train.learning_rate": {"low": 0, "high": 1, "log": True}}, "a low above 0"),
        ({"model.dropout": {"one_of": [0.1]}}, "at least 2 items"),
        ({}, "at least 1 item"),
    ],
)
def test_what_cannot_be_searched_is_refused(parameters: dict[str, Any], message: str) -> None:
    search = {"parameters": parameters}
    with pytest.raises(ValidationError, match=message):
        Train.model_validate({"validation_share": 0.2, "search": search})


def test_a_search_needs_rows_that_validate() -> None:
    search = {"parameters": {"model.dropout": {"low": 0.0, "high": 0.5}}}
    with pytest.raises(ValidationError, match="search needs a validation_share above 0"):
        Train.model_validate({"search": search})
