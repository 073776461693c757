"""The API's JSON, read and written by kfp-server-api's own models, and refused where they differ.

The real server reads it with protojson, which refuses a field that the message does not have, an
enumeration's value that it does not know and a value of another type (backend/api/v2beta1/*.proto):
so does this, by the models' own lists of fields, types and values.
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import kfp_server_api

CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 503: 14}
_CLIENT = kfp_server_api.ApiClient(kfp_server_api.Configuration())
_TEXTS = {"str": (str, int), "bool": (bool,), "int": (int,), "datetime": (str,)}


class Refusal(Exception):
    """What the server answers instead: an HTTP status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def body(self) -> dict[str, Any]:
        """Return grpc-gateway's form of an error."""
        return {"code": CODES[self.status], "message": self.message, "details": []}


def parsed(kind: str, text: bytes) -> Any:
    """Return a request's body as a model; Refusal (400) for what is no such message."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Refusal(400, f"invalid character: {error}") from None
    _check(kind, value, kind)
    return _CLIENT._ApiClient__deserialize(value, kind)


def written(model: Any) -> Any:
    """Return a model as the JSON value that the server answers with, times in UTC with a Z."""
    return _zulu(_CLIENT.sanitize_for_serialization(model))


def _zulu(value: Any) -> Any:
    if isinstance(value, dict):
        as_it_is = value.keys() & {"pipeline_spec"}  # which is large, and has no times
        return {key: item if key in as_it_is else _zulu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_zulu(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", value):
        return value.replace("+00:00", "Z")
    return value


def _check(kind: str, value: Any, place: str) -> None:
    """Raise Refusal where a value is not of a model's declared type."""
    if value is None or kind == "object":
        return
    if kind.startswith(("list[", "dict(")):
        _check_many(kind, value, place)
    elif kind in _TEXTS:
        _require(isinstance(value, _TEXTS[kind]), place, value)
        if kind == "datetime":
            _check_time(value, place)
    else:
        _check_model(getattr(kfp_server_api, kind), value, place)


def _check_many(kind: str, value: Any, place: str) -> None:
    inner = kind[5:-1].rpartition(", ")[2]
    wanted = list if kind.startswith("list[") else dict
    _require(isinstance(value, wanted), place, value)
    for item in value if wanted is list else value.values():
        _check(inner, item, place)


def _check_model(model: Any, value: Any, place: str) -> None:
    if values := getattr(model, "allowable_values", None):
        _require(value in values, place, value)
        return
    _require(isinstance(value, dict), place, value)
    fields = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    for name, item in value.items():
        if name not in fields:
            raise Refusal(400, f'unknown field "{name}" in {place}')
        _check(fields[name], item, name)


def _check_time(value: str, place: str) -> None:
    try:
        aware = datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        aware = False
    _require(aware, place, value)


def _require(holds: bool, place: str, value: Any) -> None:
    if not holds:
        raise Refusal(400, f"invalid value for field {place}: {value!r}")
