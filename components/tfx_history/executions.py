"""What a store of ML Metadata tells: its executions and their artifacts, as plain values.

Rules: texts that TFX or its users chose freely, the properties, are not taken over, because a
record is kept for years and may hold no path, secret or person: the digest of all that the store
says of a thing stands for them, so that whoever has the store can hold it against the record. A
place on a disk keeps only the parts that TFX itself makes, COMPONENT/SLOT/EXECUTION. What changes
after the execution, an artifact's state and the time of its last change, is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.audit.records import timestamp
from components.core.canonical import sha256_value
from components.core.errors import DataError

FINISHED = frozenset({"COMPLETE", "CACHED", "FAILED", "CANCELED"})
_TAKEN = frozenset({"DECLARED_INPUT", "INPUT", "INTERNAL_INPUT"})
_MADE = frozenset({"DECLARED_OUTPUT", "OUTPUT", "INTERNAL_OUTPUT"})
_CONTEXTS = {"pipeline": "name", "pipeline_run": "run", "node": "node"}
_CHANGING = "state"
_NO_SLOT = "artifact"
_AT_ONCE = 500


@dataclass(frozen=True)
class Artifact:
    """An artifact; `uri` is where the store says it lies, whole."""

    id: int
    uri: str
    said: Mapping[str, Any]

    @property
    def folder(self) -> Path | None:
        """The folder on this machine; None where it is said to lie elsewhere."""
        url = urlsplit(self.uri)
        if not self.uri or url.scheme not in ("", "file"):
            return None
        return Path(url.path if url.scheme else self.uri).absolute()


@dataclass(frozen=True)
class Execution:
    """An execution; artifacts by slot and number, in the order of the store."""

    id: int
    state: str
    said: Mapping[str, Any]
    pipeline: Mapping[str, str | None]
    inputs: tuple[tuple[str, int], ...] = ()
    outputs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class History:
    """Finished executions by their numbers, the artifacts, and what had not finished."""

    executions: tuple[Execution, ...]
    artifacts: Mapping[int, Artifact]
    unfinished: tuple[Execution, ...] = ()
    makers: Mapping[int, int] = field(default_factory=dict)
    """By artifact: the first finished execution that gave it out."""

    def of_pipeline(self, name: str) -> History:
        """Return the history of one pipeline, with what it stands on; DataError for none."""
        wanted = {item.id for item in self.executions if item.pipeline["name"] == name}
        if not wanted:
            there = sorted({item.pipeline["name"] or "" for item in self.executions} - {""})
            raise DataError(
                f"no finished execution in the store is of a pipeline {name}",
                remedy=f"name one of: {', '.join(there)}" if there else "import all of it",
            )
        for item in reversed(self.executions):
            if item.id in wanted:
                wanted |= {
                    self.makers[a] for _, a in item.inputs + item.outputs if a in self.makers
                }
        chosen = tuple(item for item in self.executions if item.id in wanted)
        left = tuple(item for item in self.unfinished if item.pipeline["name"] == name)
        return History(chosen, self.artifacts, left, self.makers)


def read_history(client: Any) -> History:
    """Return what a store tells; DataError where it says what cannot be."""
    events = _events(client, [execution.id for execution in client.get_executions()])
    found = [_execution(client, item, events.get(item.id, ())) for item in client.get_executions()]
    found.sort(key=lambda item: item.id)
    finished = tuple(item for item in found if item.state in FINISHED)
    makers: dict[int, int] = {}
    places: dict[int, tuple[str, str]] = {}
    for item in finished:
        for slot, artifact in item.outputs:
            if artifact not in makers:
                makers[artifact] = item.id
                places[artifact] = ((item.pipeline["node"] or "").rpartition(".")[2], slot)
    artifacts = {item.id: _artifact(item, places.get(item.id)) for item in client.get_artifacts()}
    for item in found:
        for _, number in item.inputs + item.outputs:
            if number not in artifacts:
                raise DataError(
                    f"execution {item.id} of the store names artifact {number}, which is not there",
                    remedy="restore the store from a copy",
                )
    return History(finished, artifacts, tuple(i for i in found if i not in finished), makers)


def _events(client: Any, numbers: list[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        for event in client.get_events_by_execution_ids(numbers[start : start + _AT_ONCE]):
            found.setdefault(event.execution_id, []).append(event)
    return found


def _execution(client: Any, item: Any, events: Iterable[Any]) -> Execution:
    contexts = {context.type: context.name for context in client.get_contexts_by_execution(item.id)}
    slots: dict[bool, dict[tuple[str, int], None]] = {True: {}, False: {}}
    for event in events:
        kind = event.Type.Name(event.type)
        if kind in _TAKEN or kind in _MADE:
            keys = [step.key for step in event.path.steps if step.HasField("key")]
            slots[kind in _MADE][(keys[0] if keys else _NO_SLOT, event.artifact_id)] = None
    state = item.State.Name(item.last_known_state)
    created, updated = (
        _time(ms) for ms in (item.create_time_since_epoch, item.last_update_time_since_epoch)
    )
    stored = {"id": item.id, "created": created, "updated": updated, "state": state}
    said = {
        **stored,
        "type": item.type,
        "name": item.name or None,
        "stored_sha256": _stored_sha256(item, stored),
    }
    pipeline = {name: contexts.get(kind) for kind, name in _CONTEXTS.items()}
    return Execution(item.id, state, said, pipeline, tuple(slots[False]), tuple(slots[True]))


def _artifact(item: Any, place: tuple[str, str] | None) -> Artifact:
    created = _time(item.create_time_since_epoch)
    said = {
        "id": item.id,
        "type": item.type,
        "name": item.name or None,
        "uri": _place(item.uri, place),
        "created": created,
        "span": _number(item, "span"),
        "version": _number(item, "version"),
        "splits": _splits(item),
        "stored_sha256": _stored_sha256(item, {"id": item.id, "uri": item.uri, "created": created}),
    }
    return Artifact(item.id, item.uri, said)


def _place(uri: str, made: tuple[str, str] | None) -> str | None:
    """Return where an artifact lies without telling whose disk that is; None for nowhere."""
    url = urlsplit(uri)
    if url.scheme not in ("", "file"):
        return uri
    parts = [part for part in url.path.split("/") if part]
    if not parts:
        return None
    kept = parts[-3:] if len(parts) > 2 and tuple(parts[-3:-1]) == made else parts[-1:]
    return "/".join(["...", *kept])


def _number(item: Any, name: str) -> int | None:
    """Return a number that TFX keeps as a property, of its own or as a custom one."""
    for properties in (item.properties, item.custom_properties):
        if name in properties:
            value = properties[name]
            if value.WhichOneof("value") == "int_value":
                return int(value.int_value)
            if value.string_value.isascii() and value.string_value.isdigit():
                return int(value.string_value)
    return None


def _splits(item: Any) -> list[str] | None:
    if "split_names" not in item.properties:
        return None
    try:
        names = json.loads(item.properties["split_names"].string_value or "[]")
    except ValueError:
        return None
    return names if isinstance(names, list) and all(type(name) is str for name in names) else None


def _stored_sha256(item: Any, stored: Mapping[str, Any]) -> str:
    """Return the digest of all that the store says of a thing, its properties too."""
    return sha256_value(
        {
            **stored,
            "type": item.type,
            "name": item.name,
            "properties": dict(_texts(item.properties)),
            "custom_properties": dict(_texts(item.custom_properties)),
        }
    )


def _texts(properties: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield each property as its kind and its value in one spelling."""
    for name in sorted(properties):
        kind = properties[name].WhichOneof("value") or ""
        if name == _CHANGING or not kind:
            continue
        value = getattr(properties[name], kind)
        if hasattr(value, "SerializeToString"):
            value = base64.b64encode(value.SerializeToString(deterministic=True)).decode()
        yield name, [kind, value if isinstance(value, str) else repr(value)]


def _time(milliseconds: int) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise DataError(
            f"the store says a time that no calendar has: {milliseconds} ms",
            remedy="restore the store from a copy",
        ) from error
    return timestamp(moment)
