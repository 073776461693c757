"""Words that a person gives with an option: one line, of some length."""

from __future__ import annotations

import re

from components.core.errors import SettingsError

LONGEST_REASON = 2000
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def checked_text(option: str, text: str, longest: int = LONGEST_REASON) -> str:
    """Return words in one line, without space around them; SettingsError for any others."""
    words = text.strip()
    if not words or len(words) > longest:
        raise SettingsError(
            f"{option} must have 1 to {longest} characters", remedy="say it in a few words"
        )
    if _NOT_IN_A_LINE.search(words):
        raise SettingsError(
            f"{option} holds a line break or a control character", remedy="say it in one line"
        )
    return words
