"""DSSE envelopes: a payload, its type, and signatures over both (DSSE protocol 1.0).

Rules: the bytes of an envelope are the log's leaf, so there is one form only (canonical JSON,
strict base 64) and any other bytes are refused; the payload type is under the signature; duplicate
keys and unknown fields are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.audit import base64_strict
from components.audit.keys import PublicKey, Signs
from components.core.canonical import Parsed, canonical_json, parse_canonical, parsed
from components.core.errors import IntegrityError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_FIELDS = {"payload", "payloadType", "signatures"}
_SIGNATURE_FIELDS = {"keyid", "sig"}


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed (PAE of the DSSE protocol)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True)
class Signature:
    """One signature and the identifier of the key that made it."""

    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    """A signed payload."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    @classmethod
    def sign(cls, statement: dict[str, Any], key: Signs) -> Envelope:
        """Return a statement's envelope; raise ValueError for what has no canonical form."""
        payload = canonical_json(statement)
        signed = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
        return cls(payload, PAYLOAD_TYPE, (Signature(key.public.keyid, signed),))

    def to_bytes(self) -> bytes:
        """Return the envelope's only form."""
        return canonical_json(
            {
                "payload": base64_strict.encode(self.payload),
                "payloadType": self.payload_type,
                "signatures": [
                    {"keyid": item.keyid, "sig": base64_strict.encode(item.sig)}
                    for item in self.signatures
                ],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read what `to_bytes` wrote; raise IntegrityError for any other bytes."""
        try:
            value = parse_canonical(data)
            payload_type, signatures = (
                value["payloadType"],
                tuple(map(_signature, value["signatures"])),
            )
            if value.keys() != _FIELDS or not isinstance(payload_type, str):
                raise ValueError("it has other fields than an envelope")
            return cls(base64_strict.decode(value["payload"]), payload_type, signatures)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _refused(f"not an envelope: {error}") from error

    def statement(self, key: PublicKey) -> dict[str, Any]:
        """Return what the key signed; raise IntegrityError for anything it did not sign."""
        return self.signed_by(key).unsigned_statement()

    def signed_by(self, key: PublicKey) -> Envelope:
        """Return the envelope itself; raise IntegrityError where the key did not sign it alone."""
        if self.payload_type != PAYLOAD_TYPE:
            raise _refused("the payload type is not in-toto's", PAYLOAD_TYPE, self.payload_type)
        if [item.keyid for item in self.signatures] != [key.keyid]:
            raise _refused("the envelope is not signed by the log's key alone")
        signed = pre_authentication_encoding(self.payload_type, self.payload)
        if not key.verifies(self.signatures[0].sig, signed):
            raise _refused("the envelope's signature is wrong")
        return self

    def unsigned_statement(self) -> dict[str, Any]:
        """Return what the payload says, whoever signed it; IntegrityError for no JSON object."""
        statement: dict[str, Any] = self.parsed_payload().value
        return statement

    def parsed_payload(self) -> Parsed:
        """Return the same with what digests its parts."""
        try:
            found = parsed(self.payload)
        except (ValueError, RecursionError) as error:
            raise _refused(f"the payload is not canonical JSON: {error}") from error
        if not isinstance(found.value, dict):
            raise _refused("the payload is not a JSON object")
        return found


def _signature(item: Mapping[str, Any]) -> Signature:
    """Read one signature; raise ValueError, or what a value of another kind raises."""
    keyid, sig = item["keyid"], item["sig"]
    if item.keys() != _SIGNATURE_FIELDS or not isinstance(keyid, str):
        raise ValueError("it has other fields than a signature")
    return Signature(keyid, base64_strict.decode(sig))


def vouched_statement(data: bytes) -> dict[str, Any]:
    """Return the statement in an envelope's bytes without looking at the signature.

    For bytes under a checkpoint that was verified: whoever signed it has vouched for every byte of
    them. Raises IntegrityError for what is no envelope.
    """
    try:
        payload = base64_strict.decode(parse_canonical(data)["payload"])
        statement: dict[str, Any] = parse_canonical(payload)
        if not isinstance(statement, dict):
            raise ValueError("the payload is not a JSON object")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _refused(f"not an envelope: {error}") from error
    return statement


def _refused(why: str, expected: object = None, actual: object = None) -> IntegrityError:
    return IntegrityError(
        why,
        remedy="compare the record with another copy of the log",
        expected=expected,
        actual=actual,
    )
