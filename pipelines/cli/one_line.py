"""Words that a person gives with an option for a record: one line, of some length, no secret."""

from __future__ import annotations

import re

from components.audit.personal_data import pattern_in
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
    if (found := pattern_in(words)) is not None:
        raise SettingsError(
            f"{option} holds what looks like {found}, and a record is kept for years",
            remedy="name people by pseudonyms, and secrets by the variables that hold them",
        )
    return words
