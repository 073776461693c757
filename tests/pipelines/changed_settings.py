"""Settings changed at one place, and what they are refused with."""

from __future__ import annotations

from typing import Any

import pytest

from components.core.errors import SettingsError
from pipelines.loaded_settings import parse_settings


def refusal(values: dict[str, Any]) -> str:
    """Return the message of the refusal, which there has to be."""
    with pytest.raises(SettingsError) as caught:
        parse_settings(values, "settings.yaml")
    return caught.value.message


def put(values: dict[str, Any], key: str, value: Any) -> None:
    """Set the value of a key with dots."""
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value
