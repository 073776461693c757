"""Our statements are in-toto's: they fit the protocol buffers that in-toto publishes.

in-toto has none for release v0.1. Our extension of a predicate is left out of what is compared: a
predicate may have fields beyond its specification's, which a strict parser of it refuses. Nor are
the verified levels of a summary, a list by SLSA's specification and one string in the buffer.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from components.audit.envelope import Envelope

GOLDEN = Path(__file__).parent / "golden"
PREDICATES = {
    "https://slsa.dev/provenance/v1": ("provenance.v1.provenance_pb2", "Provenance"),
    "https://slsa.dev/verification_summary/v1": ("vsa.v1.vsa_pb2", "VerificationSummary"),
    "https://in-toto.io/attestation/test-result/v0.1": (
        "test_result.v0.test_result_pb2",
        "TestResult",
    ),
}


def statement(name: str) -> dict[str, Any]:
    payload = Envelope.from_bytes((GOLDEN / f"{name}.json").read_bytes()).payload
    value: dict[str, Any] = json.loads(payload)
    return value


def parsed(value: dict[str, Any], module: str, message: str) -> Any:
    from google.protobuf.json_format import MessageToDict, ParseDict

    made = getattr(import_module(f"in_toto_attestation.{module}"), message)()
    return MessageToDict(ParseDict(value, made))


LOGGED = sorted(
    path.stem
    for path in GOLDEN.glob("*.json")
    if path.stem != "approval" and not path.stem.startswith("control-matrix")
)


@pytest.mark.parametrize("name", LOGGED)
def test_a_record_is_a_statement_of_in_toto(name: str) -> None:
    value = statement(name)
    read = parsed(value, "v1.statement_pb2", "Statement")
    assert read["subject"] == value["subject"]
    assert (read["type"] if "type" in read else read["_type"]) == value["_type"]
    assert read["predicateType"] == value["predicateType"]
    with pytest.raises(Exception, match="no field named"):
        parsed(value | {"unknown": 1}, "v1.statement_pb2", "Statement")


@pytest.mark.parametrize("name", ["provenance", "verification-summary", "test-result"])
def test_a_predicate_is_of_its_published_form(name: str) -> None:
    value = statement(name)
    module, message = PREDICATES[value["predicateType"]]
    left_out = ("tandem_audit", "verifiedLevels")
    predicate = {key: item for key, item in value["predicate"].items() if key not in left_out}
    read = parsed(predicate, f"predicates.{module}", message)
    assert read.keys() == {key for key, item in predicate.items() if item}
    with pytest.raises(Exception, match="no field named"):
        parsed(predicate | {"unknown": 1}, f"predicates.{module}", message)
