"""How many examples a property test tries where the profile's number is not right for it."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def tries(examples: int, **others: Any) -> settings:
    """Ask for so many examples, and in the inner loop for no more than its profile tries.

    A number given to hypothesis itself would hold in the inner loop too.
    """
    if settings.get_current_profile_name() == "fast":
        examples = min(examples, settings.default.max_examples)
    return settings(max_examples=examples, **others)
