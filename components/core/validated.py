"""The first gate as later stages ask for it: these very examples have passed their validation."""

from __future__ import annotations

from pathlib import Path

from components.core.artifacts import read_json, tree_digest
from components.core.canonical import sha256_bytes
from components.core.errors import GateError, IntegrityError


def require_validated(examples: Path, validation: Path, schema_text: str) -> None:
    """Raise unless the validation passed for exactly these examples and this schema."""
    verdict = read_json(validation / "validation.json")
    if not isinstance(verdict, dict) or verdict.get("passed") is not True:
        raise GateError(
            "the examples have no validation that passed",
            remedy="correct the data or the schema, then run validate_examples again",
            gates=verdict.get("gates", ()) if isinstance(verdict, dict) else (),
        )
    actual = {
        "examples_sha256": tree_digest(examples),
        "schema_sha256": sha256_bytes(schema_text.encode("utf-8")),
    }
    for name, digest in actual.items():
        if verdict.get(name) != digest:
            raise IntegrityError(
                f"the validation is of another {name.removesuffix('_sha256')}",
                remedy="validate these examples against this schema",
                expected=verdict.get(name),
                actual=digest,
            )
