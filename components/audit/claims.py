"""What a stage claims: made fit for signing, and its outputs hashed where they lie.

Rules: NaN and infinities are refused, naming the field; numbers of 2**53 and more become strings,
because other readers of JSON would round them; absolute paths in facts and causes keep only their
last part, because a record must not tell what the machine it came from looks like.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.audit.answers import DONE_EVENTS, IMPORTED
from components.core.artifacts import tree_digest
from components.core.buckets import require_allowed, stored_digest
from components.core.errors import DataError, IntegrityError

FAILED_EVENTS = frozenset({"FAIL", "ABORT"})
_LARGEST = 2**53
_ABSOLUTE_PATH = re.compile(
    r"(?<![\w:/.~-])(?:file://)?/(?:[^\s/:'\"()\[\],]+/)+([^\s/:'\"()\[\],]*)"
)


def signable(value: Any, where: str = "draft") -> Any:
    """Return the value as it can be signed; raise DataError for what has no JSON form."""
    if isinstance(value, Mapping):
        return {_key(key, where): signable(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [signable(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value, where)
    raise DataError(
        f"{where} is a {type(value).__name__}, which a record cannot hold",
        remedy="let the step return plain numbers, strings, lists and mappings",
    )


def _number(value: float, where: str) -> int | float | str:
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(
            f"{where} is {value}, which a record cannot hold",
            remedy="let the step leave out what could not be computed",
        )
    return value if abs(value) < _LARGEST else str(value)


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise DataError(f"{where} has the key {key!r}, not a string", remedy="use strings as keys")
    return key


def without_paths(value: Any) -> Any:
    """Return a JSON value whose strings name files, but not where they lie."""
    if isinstance(value, dict):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    return _ABSOLUTE_PATH.sub(r".../\1", value) if isinstance(value, str) else value


def check_cause(draft: Mapping[str, Any]) -> None:
    """Raise DataError for a failure that does not say why, and for a cause of anything else."""
    if (draft["event"] in FAILED_EVENTS) != (draft["cause"] is not None):
        raise DataError(
            f"{draft['event']} of {draft['stage']} has {'a' if draft['cause'] else 'no'} cause",
            remedy="FAIL and ABORT say why, other events have no cause",
        )


def check_outputs(draft: Mapping[str, Any]) -> None:
    """Re-hash the outputs where the stage says they lie: in their bucket, where they have one.

    Raises IntegrityError where the bytes are not what the stage claims, DataError where an event
    has outputs that has none, or none that has some.
    """
    done = draft["event"] in DONE_EVENTS
    if draft["event"] != IMPORTED and done != bool(draft["outputs"]):
        raise DataError(
            f"{draft['event']} of {draft['stage']} has {len(draft['outputs'])} outputs",
            remedy="COMPLETE and CACHED have outputs, IMPORTED may have, other events have none",
        )
    for output in draft["outputs"]:
        actual = _actual(output)
        if actual != output["sha256"]:
            raise IntegrityError(
                f"output {output['name']} of {draft['stage']} is not what the stage claims",
                remedy="find out what else writes to the artifact's folder",
                expected=output["sha256"],
                actual=actual,
            )


def _actual(output: Mapping[str, str]) -> str:
    if (uri := output.get("uri")) is None:
        return tree_digest(Path(output["path"]))
    require_allowed(uri)
    return stored_digest(uri)
