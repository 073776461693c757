"""What a stage cost: the time that it took of processors, by prices that the settings name.

Rules: a CPU second is one that the stage's processes ran; an accelerator is paid for as long as the
stage holds it, busy or not: its wall time by the number of GPUs that it sees (gpus.py), or of TPU
chips that TANDEM_TPU_CHIPS gives it. What a platform charges for besides (storage, network, idle
nodes) is not in it. Without prices nothing is said, since a cost of 0 would be taken for one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from components.core.settings import NotNegative, Section

CHIPS_VARIABLE = "TANDEM_TPU_CHIPS"
SECONDS_OF_AN_HOUR = 3600
CURRENCY_PATTERN = "^[A-Z]{3}$"
_DIGITS = 9


class Prices(Section):
    """What an hour costs, in one currency."""

    currency: str = Field(pattern=CURRENCY_PATTERN, description="by its three letters (ISO 4217)")
    cpu_hour: NotNegative = Field(description="an hour that one CPU core ran")
    gpu_hour: NotNegative = Field(default=0.0, description="an hour that one GPU was held")
    tpu_hour: NotNegative = Field(default=0.0, description="an hour that one TPU chip was held")


def cost(
    prices: Mapping[str, Any],
    *,
    cpu_seconds: float,
    gpu_seconds: float,
    wall_seconds: float,
    chips: int,
) -> dict[str, Any]:
    """Return {amount, currency} of one attempt; `prices` is a Prices as JSON.

    `gpu_seconds` are those for which GPUs were held, `chips` were for `wall_seconds`.
    """
    hourly = (
        (cpu_seconds, prices["cpu_hour"]),
        (gpu_seconds, prices["gpu_hour"]),
        (wall_seconds * chips, prices["tpu_hour"]),
    )
    amount = sum(seconds / SECONDS_OF_AN_HOUR * price for seconds, price in hourly)
    return {"amount": round(amount, _DIGITS), "currency": prices["currency"]}


def chips_held() -> int:
    """Return the number of TPU chips that this process was given; 0 where none is named."""
    given = os.environ.get(CHIPS_VARIABLE, "")
    return int(given) if given.isascii() and given.isdigit() else 0


def total(costs: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the sum of costs in one currency, None of none."""
    found = list(costs)
    if not found:
        return None
    return {
        "amount": round(sum(item["amount"] for item in found), _DIGITS),
        "currency": found[0]["currency"],
    }


def cost_text(value: Mapping[str, Any] | None) -> str:
    """Return a cost as people read it: two places, more of what is less than a tenth."""
    if value is None:
        return "-"
    places = 2 if value["amount"] >= 0.1 or not value["amount"] else 6
    return f"{value['amount']:,.{places}f} {value['currency']}"
