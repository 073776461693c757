"""The time of a record, as the notary writes it."""

from __future__ import annotations

import re
from datetime import datetime

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
"""As `records.timestamp` writes it."""


def check_time(text: str) -> None:
    """Raise ValueError for a time that no calendar has, or that is not written as records are.

    Raises TypeError for no text.
    """
    if datetime.fromisoformat(text).year == datetime.max.year or not _TIME.fullmatch(text):
        raise ValueError(f"{text} is no time of a record")
