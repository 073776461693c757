"""Lists as the API server gives them: filtered, sorted, in pages.

Taken from backend/src/apiserver: pages hold 20 by default and 200 at most, a token that belongs to
another order or filter is refused (server/list_request_util.go); what may be sorted and filtered by
is each model's APIToModelFieldMap (model/run.go, job.go, pipeline.go, pipeline_version.go,
experiment.go); operations are those of backend/api/v2beta1/filter.proto, by number or by name.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from kfp_wire import Refusal

DEFAULT_PAGE, LARGEST_PAGE = 20, 200
RUN_KEYS = (
    "run_id", "id", "display_name", "name", "created_at", "finished_at", "description",
    "scheduled_at", "storage_state", "namespace", "experiment_id", "state", "recurring_run_id",
)  # fmt: skip
JOB_KEYS = ("recurring_run_id", "id", "display_name", "name", "created_at", "updated_at", "mode",
            "status", "namespace", "experiment_id", "description")  # fmt: skip
PIPELINE_KEYS = ("pipeline_id", "id", "display_name", "name", "created_at", "description",
                 "namespace")  # fmt: skip
VERSION_KEYS = ("pipeline_version_id", "id", "display_name", "name", "created_at", "description",
                "pipeline_id")  # fmt: skip
EXPERIMENT_KEYS = ("experiment_id", "id", "display_name", "name", "created_at", "namespace",
                   "storage_state", "last_run_created_at", "description")  # fmt: skip
_OWN_ID = {
    "V2beta1Run": "run_id",
    "V2beta1RecurringRun": "recurring_run_id",
    "V2beta1Pipeline": "pipeline_id",
    "V2beta1PipelineVersion": "pipeline_version_id",
    "V2beta1Experiment": "experiment_id",
}
_NUMBERS = {1: "EQUALS", 2: "NOT_EQUALS", 3: "GREATER_THAN", 5: "GREATER_THAN_EQUALS",
            6: "LESS_THAN", 7: "LESS_THAN_EQUALS", 8: "IN", 9: "IS_SUBSTRING"}  # fmt: skip
_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "NOT_EQUALS": lambda value, wanted: value != wanted,
    "GREATER_THAN": lambda value, wanted: value > wanted,
    "GREATER_THAN_EQUALS": lambda value, wanted: value >= wanted,
    "LESS_THAN": lambda value, wanted: value < wanted,
    "LESS_THAN_EQUALS": lambda value, wanted: value <= wanted,
    "IN": lambda value, wanted: value in wanted,
    "IS_SUBSTRING": lambda value, wanted: wanted.lower() in value.lower(),
}


def page_of(
    items: Sequence[Any], keys: Sequence[str], query: Mapping[str, str]
) -> tuple[list[Any], int, str]:
    """Return a page of what a query asks for, how many there are in all, and the next token."""
    size = _size(query.get("page_size", ""))
    asked = [query.get("sort_by", ""), query.get("filter", "")]
    start = 0
    if token := query.get("page_token", ""):
        start, *of = _opened(token)
        if any(asked) and of != asked:
            raise Refusal(400, "page token does not match the supplied sort by and/or filtering")
        asked = of
    found = _sorted(_filtered(items, keys, asked[1]), keys, asked[0])
    rest = start + size < len(found)
    token = base64.b64encode(json.dumps([start + size, *asked]).encode()).decode() if rest else ""
    return found[start : start + size], len(found), token


def _size(text: str) -> int:
    size = int(text or 0)
    if size < 0:
        raise Refusal(400, f"The page size should be greater than 0. Got {size}")
    return min(size or DEFAULT_PAGE, LARGEST_PAGE)


def _opened(token: str) -> list[Any]:
    try:
        return list(json.loads(base64.b64decode(token, validate=True)))
    except ValueError:
        raise Refusal(400, "Invalid package token.") from None


def _sorted(items: list[Any], keys: Sequence[str], sort_by: str) -> list[Any]:
    words = (sort_by or "created_at").lower().split()
    if len(words) > 2 or words[1:] not in ([], ["asc"], ["desc"]):
        raise Refusal(400, f"Received invalid sort by format `{sort_by}`")
    if words[0] not in keys:
        raise Refusal(400, f"Cannot sort on field {words[0]}")

    def by(item: Any) -> tuple[bool, Any]:
        value = _value(item, words[0])
        return value is not None, value

    return sorted(items, key=by, reverse=words[1:] == ["desc"])


def _filtered(items: Sequence[Any], keys: Sequence[str], text: str) -> list[Any]:
    found = list(items)
    for predicate in _predicates(text):
        operation, key, wanted = predicate
        if key not in keys:
            raise Refusal(400, f"key {key!r} is not recognized as a filter key")
        found = [
            item
            for item in found
            if (value := _value(item, key)) is not None and _HOLDS[operation](value, wanted)
        ]
    return found


def _predicates(text: str) -> list[tuple[str, str, Any]]:
    if not text:
        return []
    try:
        listed = json.loads(unquote(text))["predicates"]
        return [_predicate(one) for one in listed]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(400, f"failed to parse valid filter from {text!r}: {error}") from None


def _predicate(one: Mapping[str, Any]) -> tuple[str, str, Any]:
    fields = {re.sub("([A-Z])", lambda m: f"_{m[1].lower()}", key): v for key, v in one.items()}
    operation, key = fields.pop("operation"), fields.pop("key")
    (kind, wanted), *more = fields.items()
    if more:
        raise ValueError("a predicate has one value")
    if kind == "timestamp_value":
        wanted = datetime.datetime.fromisoformat(wanted)
    elif kind.endswith("_values"):
        wanted = wanted["values"]
    elif kind not in ("string_value", "int_value", "long_value"):
        raise ValueError(f"unknown field {kind}")
    return _NUMBERS[operation] if isinstance(operation, int) else operation, key, wanted


def _value(item: Any, key: str) -> Any:
    name = {"id": _OWN_ID[type(item).__name__], "name": "display_name"}.get(key, key)
    return getattr(item, name, None)
