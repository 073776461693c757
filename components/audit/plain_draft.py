"""The draft of an event that no stage's code made: an act, a change of keys, an import, an erasure.

Rule: what is said of a stage's code is null, and what is not given is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.core.canonical import sha256_value


def plain_draft(
    event: str,
    stage: str,
    run: Mapping[str, Any],
    *,
    now: str,
    settings: Mapping[str, Any] | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """Return a draft; `now` is the claimed time, `run` has id, actor and trigger."""
    settings = dict(settings or {})
    return {
        "event": event,
        "run": dict(run),
        "stage": stage,
        "attempt": 1,
        "inputs": [],
        "outputs": [],
        "settings": settings,
        "settings_sha256": sha256_value(settings),
        "code_sha256": None,
        "environment": {},
        "cache_key": None,
        "facts": {},
        "gates": [],
        "cause": None,
        "resources": None,
        "claimed_time": now,
    } | parts
