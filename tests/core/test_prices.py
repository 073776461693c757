"""What time of processors costs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from components.core.prices import CHIPS_VARIABLE, Prices, chips_held, cost, cost_text, total
from components.core.resources import Stopwatch

EUR = {"currency": "EUR", "cpu_hour": 0.05, "gpu_hour": 2.5, "tpu_hour": 1.2}


@pytest.mark.parametrize(
    ("gpus", "chips", "amount"),
    [(0, 0, 0.05), (2, 0, 0.05 + 2 * 2.5 / 2), (0, 8, 0.05 + 8 * 1.2 / 2)],
)
def test_processors_are_paid_by_what_ran_and_accelerators_by_how_long_they_were_held(
    gpus, chips, amount
):
    found = cost(EUR, cpu_seconds=3600, wall_seconds=1800, gpu_seconds=1800 * gpus, chips=chips)
    assert found == {"amount": pytest.approx(amount), "currency": "EUR"}


def test_a_stopwatch_with_prices_says_the_cost_and_one_without_does_not():
    assert "cost" not in Stopwatch().read()
    priced = Stopwatch(prices={**EUR, "cpu_hour": 3600.0}).read()
    assert priced["cost"] == {"amount": pytest.approx(priced["cpu_seconds"]), "currency": "EUR"}


@pytest.mark.parametrize(("given", "chips"), [(None, 0), ("4", 4), ("many", 0), ("-1", 0)])
def test_the_chips_of_a_tpu_are_those_that_the_platform_names(monkeypatch, given, chips):
    monkeypatch.delenv(CHIPS_VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(CHIPS_VARIABLE, given)
    assert chips_held() == chips


def test_costs_add_up_and_of_none_there_is_none():
    assert total([]) is None
    assert total([{"amount": 0.1, "currency": "EUR"}] * 3) == {"amount": 0.3, "currency": "EUR"}


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0.00 EUR"),
        (0.000123, "0.000123 EUR"),
        (0.12345, "0.12 EUR"),
        (1234.5, "1,234.50 EUR"),
    ],
)
def test_a_cost_is_read_as_money(amount, text):
    assert cost_text({"amount": amount, "currency": "EUR"}) == text
    assert cost_text(None) == "-"


@pytest.mark.parametrize("wrong", [{"currency": "Euro"}, {"cpu_hour": -1}, {"disk_hour": 1}])
def test_prices_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        Prices.model_validate({**EUR, **wrong})
