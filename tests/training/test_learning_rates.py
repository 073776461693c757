"""The learning rate of each step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.errors import SettingsError
from components.core.training_settings import Train
from components.training.schedule import Schedule


def rates(steps: int, **train: object) -> list[float]:
    schedule = Schedule(Train.model_validate({"learning_rate": 0.8} | train), steps)
    return [schedule.rate(step) for step in range(steps)]


def test_a_constant_rate_is_the_settings_own_number() -> None:
    assert rates(5) == [0.8] * 5


def test_a_line_falls_to_zero_over_all_steps() -> None:
    assert rates(4, schedule="linear") == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_a_cosine_falls_to_zero_along_half_a_wave() -> None:
    expected = [0.4 * (1 + math.cos(math.pi * part / 4)) for part in range(4)]
    assert rates(4, schedule="cosine") == pytest.approx(expected)


def test_the_warm_up_rises_in_equal_parts_to_the_full_rate() -> None:
    assert rates(8, warmup_steps=4) == pytest.approx([0.2, 0.4, 0.6, 0.8] + [0.8] * 4)
    assert rates(8, warmup_steps=4, schedule="linear")[4:] == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_a_warm_up_that_is_longer_than_the_training_is_refused() -> None:
    with pytest.raises(SettingsError, match="takes 5 of the training's 5 steps"):
        rates(5, warmup_steps=5)


@given(st.integers(1, 300), st.integers(0, 299), st.sampled_from(["constant", "cosine", "linear"]))
def test_every_rate_is_above_zero_and_at_most_the_full_one(
    steps: int, warmup: int, schedule: str
) -> None:
    found = rates(max(steps, warmup + 1), warmup_steps=warmup, schedule=schedule)
    assert all(0 < rate <= 0.8 for rate in found)
    falling = found[max(0, warmup - 1) :]
    assert falling == sorted(falling, reverse=True)
