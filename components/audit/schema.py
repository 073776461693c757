"""The closed JSON Schemas of drafts and records (schemas/audit): nothing unknown gets in.

Rules: every object of a record is closed except the settings, the facts and the environment, which
are the stages' own; a predicate type without a schema is refused. The schemas check form; whether
a record is true is for the notary (before) and the verifier (after). One library says fast whether
a value fits, another why it does not; tests hold both against each other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schemas
from components.audit.predicates import (
    APPROVAL_RECORD,
    IMPORTED_EXECUTION,
    KEY_CHANGE,
    PROVENANCE,
    REGISTRY_CHANGE,
    REGISTRY_CHANGE_1,
    RELEASE,
    RUN_CLOSING,
    SECOND_KEY_CHANGE,
    STAGE_EVENT,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
)
from components.core.canonical import parse_json
from components.core.errors import DataError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_HALVES = r"\ud800-\udfff"
FOLDER = Path(str(schemas.__file__)).parent / "audit"
_FILES = {
    PROVENANCE: "provenance.json",
    TEST_RESULT: "test-result.json",
    VERIFICATION_SUMMARY: "verification-summary.json",
    RELEASE: "release.json",
    STAGE_EVENT: "stage-event.json",
    RUN_CLOSING: "run-closing.json",
    APPROVAL_RECORD: "approval-record.json",
    REGISTRY_CHANGE_1: "registry-change.json",
    REGISTRY_CHANGE: "registry-change-v2.json",
    KEY_CHANGE: "key-change.json",
    SECOND_KEY_CHANGE: "second-key-change.json",
    IMPORTED_EXECUTION: "imported-execution.json",
}


def check_draft(draft: Mapping[str, Any]) -> None:
    """Raise DataError unless the draft has exactly a draft's fields."""
    _check(draft, "draft.json", f"the draft of {draft.get('stage')}")


def check_statement(statement: Mapping[str, Any]) -> None:
    """Raise DataError unless the statement fits the schema of its predicate type."""
    name = _FILES.get(str(statement.get("predicateType")))
    if name is None:
        raise DataError(
            f"no schema for predicate type {statement.get('predicateType')}",
            remedy="use a version of Tandem that knows this record",
        )
    _check(statement, name, "the record")


def check_waiver(statement: Mapping[str, Any]) -> None:
    """Raise DataError unless the statement is a waiver; the log holds none."""
    _check(statement, "waiver.json", "the waiver")


def check_approval(statement: Mapping[str, Any]) -> None:
    """Raise DataError unless the statement is an approval; the log holds it inside a record."""
    _check(statement, "approval.json", "the approval")


def load_validators() -> None:
    """Load every schema now, so that the first record does not wait for it."""
    for name in ("draft.json", *_FILES.values()):
        quick_check(name)


def _check(value: Mapping[str, Any], name: str, what: str) -> None:
    if quick_check(name)(value):
        return
    from jsonschema.exceptions import best_match

    error = best_match(telling_validator(name).iter_errors(value))
    why = f" at {error.json_path}: {error.message[:200]}" if error is not None else ""
    raise DataError(
        f"{what} breaks {name}{why}", remedy="let the stage give what the schema asks for"
    )


@functools.cache
def _contents() -> dict[str, Any]:
    return {path.name: parse_json(path.read_bytes()) for path in FOLDER.glob("*.json")}


@functools.cache
def quick_check(name: str) -> Callable[[Any], bool]:
    """Return the check of a schema by jsonschema-rs, a hundredth of the other's time a record.

    Its texts are UTF-8 and hold no half of a character: what refuses one is left out of patterns,
    and a value with one does not fit, because it cannot be converted.
    """
    import jsonschema_rs

    contents = _without_halves(_contents())
    registry = jsonschema_rs.Registry(list(contents.items()), draft=jsonschema_rs.Draft202012)
    validator = jsonschema_rs.Draft202012Validator(contents[name], registry=registry)

    def fits(value: Any) -> bool:
        try:
            return bool(validator.is_valid(value))
        except ValueError:
            return False

    return fits


def _without_halves(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _without_halves(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_without_halves(item) for item in schema]
    return schema.replace(_HALVES, "") if isinstance(schema, str) else schema


@functools.cache
def telling_validator(name: str) -> Validator:
    """Return a schema's validator, which says what is wrong; 0.1 s to import."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    contents = _contents()
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in contents.items()
    )
    validator: Validator = Draft202012Validator(contents[name], registry=registry)
    return validator
