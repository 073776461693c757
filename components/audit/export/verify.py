#!/usr/bin/env python3
"""Verify an export of Tandem's audit log: who needs neither Tandem nor a network nor trust in it.

    python verify.py [FOLDER_OR_ZIP] [--key log.pub] [--second FINGERPRINT] [--witness NAME=KEY]
                     [--revoked FINGERPRINT=ENTRY] [--newest FINGERPRINT] [--json]

Needs Python 3.11 or newer and `cryptography`; version 48 or newer to check the second signature of
a log that has one (ML-DSA-44, FIPS 204): with an older one it says so and checks the rest. Exit
codes: 0 it verifies, 4 findings, 5 it could not be verified, 2 wrong usage. What is checked, in
this order:

1. the log's keys: the first, which is given, and the changes that the log records, each signed by
   the key before; a record whose key was revoked from there on is a finding;
2. the checkpoint (C2SP tlog-checkpoint in a signed note) is signed by the key of its last entry and
   speaks of these changes; each record is a DSSE envelope over an in-toto statement, signed by the
   key of its place alone, and lies under the checkpoint (RFC 6962 inclusion proof, verified as in
   RFC 9162, 2.1.3.2); where the records name a second key, the checkpoint has its signature too;
3. each record has the fields of the format and the type of its stage and event, and says nothing
   twice that is not the same; no time runs backwards, and no record is there twice; a START, where
   it is in the export, agrees with what closes it. The schemas are not read: the form of a text
   or a number in a field that nothing is concluded from is not checked;
4. the records are one chain: the parents of each are the records of its inputs, and of what it took
   from the cache, and no others; each is there and made what the next one says it was given; each
   gate passed or failed as its numbers say; none was left out that the settings of a validation or
   a decision ask for, and each waiver is in the settings of the record that needs it and is about
   its gate, whoever signed it; what was only imported, as the claim of another system, stands
   behind nothing but what was imported too, and made the model that was given;
5. the registration names the model's version and its bundle, which is the one that it was given of
   its framework, and a validation, an evaluation and a decision stand behind it; neither it nor one
   of these has a gate that failed and nobody waived, but for the decision's gates of candidates
   that were not registered;
6. each exported artifact, the release policy and the data card are those of the records, log.pub
   is the key; what no record speaks of (a page for people, the schemas, this program) is named as
   unproven;
7. each witness that is named by --witness cosigned the checkpoint (C2SP tlog-cosignature, v1);
8. each act is about the version as it was registered; each approval is signed by the key that its
   record names, for this version, evaluation and bundle, and not later than its record; a promotion
   asks for what the settings of the registration ask for, and has as many approvals, signed after
   the decision and not expired, by others than who submitted the run; other acts name none; a
   version that was withdrawn is not promoted. What became of the version is said, each act by the
   number of its record. That two keys are one person's is seen by the approvals in the export
   alone, and which version was champion before not at all: both take the whole log.

It reads what is there and evaluates nothing of it. The key is the root of trust: get it, or its
fingerprint, from somebody who is not the one that gave you the export, and name it by --key. Who
can forge its signatures can tell of a log that never had a second key: name by --second the
fingerprint of one that it had, and such a log is refused. An export knows of no key that was
revoked after it was made: what you know of (`tandem audit keys list` of the log says it) name by
--revoked, and what that key signed from that entry on is refused, the checkpoint no less. A key
that was stolen before it was rotated signed the record of its rotation too, which only the next one
can vouch for: name by --newest the fingerprint of the key that signed the checkpoint, which you
have from somebody else. Then the changes of keys under it count, whoever signed them.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import math
import operator
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

SCHEMA = "https://tandem.invalid/export/v1"
AUDIT = "tandem_audit"
DSSE_TYPE = "application/vnd.in-toto+json"
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
KEY_CHANGE = "https://tandem.invalid/key-change/v1"
SECOND_KEY_CHANGE = "https://tandem.invalid/second-key-change/v1"
CHANGES = (KEY_CHANGE, SECOND_KEY_CHANGE)
NO_TIME = bytes(8)
SECOND_BYTES = 2420
NO_MLDSA = "this Python's cryptography has no ML-DSA-44; version 48 or newer has"
DONE = ("COMPLETE", "CACHED")
IMPORTED = "IMPORTED"
CLOSING = ("COMPLETE", "FAIL", "ABORT")
EVENTS = ("START", "ACT", "KEY", IMPORTED, "CACHED", *CLOSING)
BEHIND = ("ingest_examples", "validate_examples", "evaluate_models", "decide_release")
CANDIDATES = {"pytorch", "tensorflow", "imported"}
MORE_IS_BETTER = frozenset((
    "auc", "pr_auc", "accuracy", "precision", "recall", "auc_macro", "auc_weighted",
    "top_k_accuracy", "f1", "r2",
))  # fmt: skip
FIRST_METRICS = ("auc", "log_loss", "mean_squared_error")
COLUMN = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)
LEAST_LINES = 3
COSIGNATURE_BYTES = 4 + 8 + 64
SAID = ("schema", "model", "version", "bundle_sha256", "registration")
READ = ("checkpoint", "export.json")
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# An export has some megabytes in some hundred files; an entry of the log has 16 MiB at most.
MOST_BYTES, MOST_FILES, LARGEST_JSON, LARGEST_NOTE = 256 * 2**20, 10_000, 16 * 2**20, 2**20
DIRECTORY_ENTRY = b"PK\x01\x02"
UNREADABLE = (
    OSError, EOFError, RuntimeError, ValueError, OverflowError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
RECORD = re.compile(r"(records/[0-9]{9,})\.(json|tlog-proof)", re.ASCII)
OPERATORS = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
}
OURS = "https://tandem.invalid"
STATEMENT = "https://in-toto.io/Statement/v1"
APPROVAL = f"{OURS}/approval/v1"
APPROVAL_RECORD = f"{OURS}/approval-record/v1"
REGISTRY_CHANGE_1, REGISTRY_CHANGE_2 = (f"{OURS}/registry-change/v{n}" for n in (1, 2))
IMPORTED_EXECUTION = f"{OURS}/imported-execution/v1"
WAIVER = f"{OURS}/waiver/v1"
WAIVES = frozenset(("useCase", "gate", "reason", "issuedOn", "until"))
APPROVE, PROMOTE, ROLL_BACK, ARCHIVE, WITHDRAW = (
    f"{act}_model" for act in ("approve", "promote", "roll_back", "archive", "withdraw")
)
DONE_TO_IT = {
    PROMOTE: "promoted",
    ROLL_BACK: "rolled back to",
    ARCHIVE: "archived",
    WITHDRAW: "WITHDRAWN",
}
MOVED = frozenset(("model", "version", "reason", "aliases", "required", "approvals"))
CHANGED = frozenset(("change", "key", "possession", "from", "previous", "reason"))
# The fields of the predicates that do not follow from the block, beside the block.
FIELDS = {
    APPROVAL_RECORD: frozenset(("model", "version", "approval", "publicKey")),
    REGISTRY_CHANGE_1: MOVED,
    REGISTRY_CHANGE_2: MOVED | {"keys"},
    KEY_CHANGE: CHANGED,
    SECOND_KEY_CHANGE: CHANGED | {"handover"},
    IMPORTED_EXECUTION: frozenset(("store", "pipeline", "execution", "inputs", "outputs")),
}
HANDED_IN = (
    "event", "stage", "attempt", "inputs", "settings", "settings_sha256", "code_sha256",
    "environment", "cache_key", "facts", "gates", "cause", "resources",
)  # fmt: skip
BLOCK = frozenset(HANDED_IN) | {
    "schema_version", "record_id", "idempotency_key", "actor", "trigger", "run", "parents", "start",
    "clocks", "outputs", "policy_sha256", "controls", "retain_until", "observed",
}  # fmt: skip
GATE = frozenset(("name", "metric", "operator", "value", "threshold", "passed"))
GATE_MAY = GATE | {"slice", "n", "baseline", "interval", "waived_by"}
NO_WORK: dict[str, Any] = {"event": "", "gates": [], "inputs": [], "settings": {}, "facts": {}}
SIGNED = frozenset(("model", "version", "name", "meaning", "signedAt", "until"))
FIRST = {"approval": 1, "review": 0}
PROVENANCE = (
    "ingest_examples", "transform_features", "import_model", "train_pytorch", "train_tensorflow",
)  # fmt: skip
TESTS = ("validate_examples", "evaluate_models", "measure_models")
DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.ASCII)
TOLERANCE = timedelta(minutes=5)
LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
# Nothing is concluded from these, and no record has their digest.
UNPROVEN = ("VERIFY.md", "verify.py", "report.html", "schemas")


MALFORMED = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError,
)  # fmt: skip


class Refused(Exception):
    """One thing that is not as it should be."""


class Unverifiable(Exception):
    """What was given is no export, or cannot be read at all."""


class Checkpoint(NamedTuple):
    """What the log's key signed: the log had `size` entries under `root`."""

    size: int
    root: bytes


@dataclass(frozen=True)
class Record:
    """A verified record: its digest, its place in the log, and what it says."""

    sha256: str
    number: int
    statement: dict[str, Any]

    @cached_property
    def audit(self) -> dict[str, Any]:
        """The block that Tandem adds to each predicate."""
        return dict(self.statement["predicate"][AUDIT])

    @property
    def time(self) -> str:
        """When the notary signed it."""
        return str(self.audit["clocks"]["notary"])

    @cached_property
    def made(self) -> frozenset[str]:
        """The digests of what it made: of an imported record, what another system made."""
        if self.audit["event"] == IMPORTED:
            return frozenset(self.subjects.values())
        return frozenset(self.subjects[name] for name in self.audit["outputs"])

    @cached_property
    def subjects(self) -> dict[str, str]:
        """The digests of what the record is about, by name."""
        return {item["name"]: item["digest"]["sha256"] for item in self.statement["subject"]}


def need(holds: Any, what: str) -> None:
    """Refuse what does not hold."""
    if not holds:
        raise Refused(what)


# --- bytes, JSON, keys -------------------------------------------------------------------------


def sha256(data: bytes) -> str:
    """Return the lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def parsed(data: bytes | str) -> Any:
    """Parse JSON strictly: duplicate keys, NaN and infinities are refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise Refused("a JSON object has a key twice")
        return dict(pairs)

    def constant(name: str) -> NoReturn:
        raise Refused(f"{name} is not JSON")

    need(len(data) <= LARGEST_JSON, f"its JSON has more than {LARGEST_JSON} bytes")
    try:
        return json.loads(data, object_pairs_hook=unique, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from error


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value; refuse one too deep to be written."""
    try:
        return _canonical(value).encode()
    except RecursionError as error:
        raise Refused("its JSON is nested too deep") from error


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(name)}:{_canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Return a number as ECMAScript writes it (RFC 8785, 3.2.2.3)."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value!r}e0".partition("e")
    shift = int(exponent.removesuffix("e0") or 0)
    sign, mantissa = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    point = len(whole) + shift - (len(whole + part) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    shown = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{sign}{shown}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def decoded(text: Any) -> bytes:
    """Return the bytes of base 64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Refused(f"not base 64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise Refused("not the canonical base 64 of any bytes")
    return data


class Key:
    """An Ed25519 public key (RFC 8032), and its names in DSSE and in signed notes."""

    def __init__(self, raw: bytes) -> None:
        """Take the key's 32 bytes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        named = {"keytype": "ed25519", "keyval": {"public": raw.hex()}, "scheme": "ed25519"}
        self.keyid = sha256(canonical(named))

    @classmethod
    def from_pem(cls, pem: bytes) -> Key:
        """Read a PEM file."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
            load_pem_public_key,
        )

        try:
            key = load_pem_public_key(pem)
            return cls(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Unverifiable(f"not an Ed25519 public key: {error}") from error

    def check(self, signature: bytes, message: bytes, what: str) -> None:
        """Refuse a signature that is not this key's over the message."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise Refused(f"the signature of {what} is wrong") from None

    def note_id(self, origin: str) -> bytes:
        """Return the key ID of the signed-note format, in the notes of a log of that name."""
        return hashlib.sha256(origin.encode() + b"\n\x01" + self.raw).digest()[:4]


class SecondKey:
    """An ML-DSA-44 public key (FIPS 204), which signs checkpoints beside the first."""

    def __init__(self, raw: bytes) -> None:
        """Take the key's 1312 bytes."""
        self.raw = raw
        named = {"keytype": "ml-dsa", "keyval": {"public": raw.hex()}, "scheme": "ml-dsa-44"}
        self.keyid = sha256(canonical(named))

    def check(self, signature: bytes, message: bytes, what: str) -> bool:
        """Refuse a wrong signature; return False where this cryptography knows no ML-DSA-44."""
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

        try:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

            MLDSA44PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (ImportError, UnsupportedAlgorithm):
            return False
        except InvalidSignature:
            raise Refused(f"the second signature of {what} is wrong") from None
        return True

    def note_id(self, origin: str) -> bytes:
        """Return the key ID of tlog-cosignature's ML-DSA-44 lines, in the notes of that log."""
        return hashlib.sha256(origin.encode() + b"\n\x06" + self.raw).digest()[:4]


class Keys:
    """Which key signs which entry of the log: its place decides, never a date."""

    def __init__(self, first: Key) -> None:
        """Begin with the log's first key, whose name the log has."""
        self.origin = f"tandem.invalid/log-{first.keyid[:16]}"
        self.tenures = [(0, first)]
        self.revoked: dict[str, int] = {}
        self.last: tuple[int, str] | None = None
        self.second: list[SecondKey] = []
        self.second_ends: dict[str, int] = {}
        self.second_unchecked = False

    def holder(self, index: int) -> Key:
        """Return the key that an entry needs."""
        return next(key for first, key in reversed(self.tenures) if first <= index)

    def require_valid(self, index: int) -> None:
        """Refuse an entry whose key was revoked from there on."""
        since = self.revoked.get(self.holder(index).keyid)
        if since is not None and since <= index:
            raise Refused(f"its key was revoked from entry {since} on")

    def follow(self, envelope: bytes, index: int) -> None:
        """Take a change of keys, signed by the key of its place, after the one before it."""
        statement = statement_of(envelope, self.holder(index), "a change of keys")
        said = statement["predicate"]
        before = {"index": self.last[0], "record": self.last[1]} if self.last else None
        if said["previous"] != before:
            raise Refused(f"entry {index} does not follow the change of keys before it")
        if statement["predicateType"] == SECOND_KEY_CHANGE:
            self._follow_second(said, index)
        else:
            self._follow_first(said, index)
        self.last = index, sha256(envelope)

    def _follow_first(self, said: dict[str, Any], index: int) -> None:
        named = Key(bytes.fromhex(said["key"]["public"]))
        if said["key"]["keyid"] != named.keyid:
            raise Refused(f"entry {index} names a key by another's id")
        if said["change"] == "rotate":
            message = f"tandem key of {self.origin}\n{named.raw.hex()}\n".encode()
            named.check(decoded(said["possession"]), message, "the new key for itself")
            if named.keyid in [key.keyid for _, key in self.tenures]:
                raise Refused(f"entry {index} names a key that the log had before")
            self.tenures.append((index + 1, named))
        else:
            if named.keyid not in [key.keyid for _, key in self.tenures[:-1]]:
                raise Refused(f"entry {index} revokes no former key")
            self.revoke(named.keyid, said["from"])

    def _follow_second(self, said: dict[str, Any], index: int) -> None:
        """Take a change of the second key; the one before must have handed over to a new one."""
        named, former = SecondKey(bytes.fromhex(said["key"]["public"])), self.second[-1:]
        known = [key.keyid for key in self.second]
        if said["key"]["keyid"] != named.keyid:
            raise Refused(f"entry {index} names a second key by another's id")
        if said["change"] == "revoke":
            if named.keyid not in known[:-1]:
                raise Refused(f"entry {index} revokes no former second key")
            self.revoke(named.keyid, said["from"])
            return
        if (said["change"] == "begin") != (not former) or named.keyid in known:
            raise Refused(f"entry {index} begins or rotates the second key out of turn")
        public = f"{named.raw.hex()}\n"
        own = f"tandem second key of {self.origin}\n{public}"
        self._check(named, decoded(said["possession"]), own.encode(), "the new key for itself")
        for key in former:
            after = self.last[1] if self.last else ""
            next_one = f"tandem next second key of {self.origin}\nafter {after}\n{public}"
            self._check(key, decoded(said["handover"]), next_one.encode(), "the key for the next")
            self.second_ends[key.keyid] = index
        self.second.append(named)

    def revoke(self, keyid: str, since: int) -> None:
        """Have nothing count that a key signs from an entry on; of two such entries the lower."""
        self.revoked[keyid] = min(since, self.revoked.get(keyid, since))

    def require_newest(self, keyid: str, size: int) -> None:
        """Refuse a checkpoint that another key signed than the one that is vouched for."""
        found = self.holder(max(size - 1, 0)).keyid
        if keyid != found:
            raise Refused(f"the key {found[:16]} signed it, not the one that --newest names")

    def require_known(self, keyid: str) -> None:
        """Refuse the name of a key that the log never had."""
        first = [key.keyid for _, key in self.tenures]
        if keyid not in [*first, *(key.keyid for key in self.second)]:
            raise Refused(f"the log never had the key {keyid[:16]} that --revoked names")

    def require_handed_over(self, keyid: str) -> None:
        """Refuse a second key that was revoked before it handed over to the next, or a later one.

        Whoever has its fingerprint knows nothing by it of the key that signs now.
        """
        names = [key.keyid for key in self.second]
        for name in names[names.index(keyid) : -1]:
            since = self.revoked.get(name, self.second_ends[name])
            if since < self.second_ends[name]:
                raise Refused(
                    f"the second key {name[:16]} was revoked from entry {since} on, and handed "
                    f"over to the next in entry {self.second_ends[name]}: name a later one"
                )

    def check_second(self, size: int, root: bytes, lines: list[tuple[str, bytes]]) -> None:
        """Refuse a checkpoint without the second key's signature, if the log has such a key."""
        for key in self.second[-1:]:
            mine = (self.origin, key.note_id(self.origin))
            found = [data[4:] for name, data in lines if (name, data[:4]) == mine]
            if not found:
                raise Refused("it lacks the second signature, of ML-DSA-44")
            since = self.revoked.get(key.keyid, size)
            if since < size:
                raise Refused(f"its second key was revoked from entry {since} on")
            if size >= 2**64:
                raise Refused("its size is of no log")
            name = len(self.origin).to_bytes(1) + self.origin.encode()
            span = bytes(8) + size.to_bytes(8)
            message = b"subtree/v1\n\x00" + name + NO_TIME + name + span + root
            for data in found:
                if data[:8] != NO_TIME:
                    raise Refused("its second signature, of ML-DSA-44, is of another form")
                self._check(key, data[8:], message, "the checkpoint")

    def _check(self, key: SecondKey, signature: bytes, message: bytes, what: str) -> None:
        if len(signature) != SECOND_BYTES:
            raise Refused(f"the second signature of {what} is of another form")
        if not key.check(signature, message, what):
            self.second_unchecked = True


# --- the log -----------------------------------------------------------------------------------


def checkpoint_of(note: str, keys: Keys) -> Checkpoint:
    """Return what a signed note says; refuse one that the key of its size did not sign."""
    need(len(note) <= LARGEST_NOTE, f"it has more than {LARGEST_NOTE} characters")
    text, separator, block = note.rpartition("\n\n")
    lines = text.split("\n")
    if not separator or not block.endswith("\n") or len(lines) < LEAST_LINES or not all(lines):
        raise Refused("it is no signed note")
    origin, size, root, *extensions = lines
    if origin != keys.origin or not size.isdecimal() or str(int(size)) != size:
        raise Refused("it is of another log, or of no size: the log's key did not sign it")
    if extensions != ([] if keys.last is None else [f"tandem-keys {keys.last[0]}"]):
        raise Refused("it speaks of other changes of keys than the records")
    last = max(int(size) - 1, 0)
    keys.require_valid(last)
    key, signed, signatures = keys.holder(last), False, []
    for line in block[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, signature = rest.partition(" ")
        data = decoded(signature)
        if dash != "\u2014":
            raise Refused("it has a line that is no signature")
        signatures.append((name, data))
        if (name, data[:4]) == (origin, key.note_id(origin)):
            key.check(data[4:], f"{text}\n".encode(), "the checkpoint")
            signed = True
    if not signed:
        raise Refused("the log's key did not sign it")
    keys.check_second(int(size), decoded(root), signatures)
    return Checkpoint(int(size), decoded(root))


def check_inclusion(leaf: bytes, index: int, path: list[bytes], under: Checkpoint) -> None:
    """Refuse a leaf that its proof does not lead to the checkpoint's root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < under.size:
        raise Refused(f"index {index} is not in a log of {under.size}")
    position, last, found = index, under.size - 1, hashlib.sha256(b"\x00" + leaf).digest()
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise Refused("the inclusion proof is too long, or has a hash that is none")
        if position & 1 or position == last:
            found = hashlib.sha256(b"\x01" + sibling + found).digest()
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + sibling).digest()
        position, last = position >> 1, last >> 1
    if last or found != under.root:
        raise Refused("the inclusion proof does not lead to the checkpoint's root")


def cosigned_at(note: str, name: str, key: Key) -> int:
    """Return when a witness cosigned a note, as POSIX seconds (C2SP tlog-cosignature, v1)."""
    text, _, block = note.rpartition("\n\n")
    own = hashlib.sha256(name.encode() + b"\n\x04" + key.raw).digest()[:4]
    for line in block[:-1].split("\n"):
        _, signer, signature = line.split(" ", 2)
        data = decoded(signature)
        if (signer, data[:4], len(data)) == (name, own, COSIGNATURE_BYTES):
            time = int.from_bytes(data[4:12])
            need(time < LAST_SECOND, f"the witness {name} cosigned it at no time of a calendar")
            message = f"cosignature/v1\ntime {time}\n{text}\n".encode()
            key.check(data[12:], message, f"the witness {name}")
            return time
    raise Refused(f"the witness {name} did not cosign it with this key")


def statement_of(envelope: bytes, key: Key, what: str) -> dict[str, Any]:
    """Return what the key, and no other, signed in a DSSE envelope."""
    value = parsed(envelope)
    try:
        payload, kind = decoded(value["payload"]), value["payloadType"]
        [signature] = value["signatures"]
        if len(value) != 3 or len(signature) != 2:
            raise ValueError("it has more fields")
        keyid, signed = signature["keyid"], decoded(signature["sig"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{what} is no envelope with one signature: {error}") from error
    if canonical(value) != envelope:
        raise Refused(f"{what} is not in its canonical form")
    if kind != DSSE_TYPE or keyid != key.keyid:
        raise Refused(f"{what} is of another type, or of another key")
    key.check(
        signed, b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload), what
    )
    statement = parsed(payload)
    if canonical(statement) != payload or not isinstance(statement, dict):
        raise Refused(f"the payload of {what} is no canonical JSON object")
    return statement


# --- what a record says ------------------------------------------------------------------------


def check_form(record: Record) -> None:
    """Refuse a record that has other fields than the format, or a time that is none."""
    statement, audit = record.statement, record.audit
    fields = {"_type", "subject", "predicateType", "predicate"}
    need(set(statement) == fields and statement["_type"] == STATEMENT, "it is no in-toto statement")
    other = ", ".join(sorted(set(audit) ^ BLOCK))
    need(not other, f"it is no record of Tandem's, by {other}")
    need(type(audit["stage"]) is str and type(audit["attempt"]) is int, "it is of no stage")
    need(audit["event"] in EVENTS, f"no record is of the event {audit['event']}")
    actor = audit["actor"]
    wanted = {"id", "assurance"} | ({"account"} if audit["schema_version"] == 2 else set())
    need(audit["schema_version"] in (1, 2) and set(actor) == wanted, "its actor is of no form")
    known = actor["id"] is None or (type(actor["id"]) is str and actor["id"])
    need(known, "its actor is of no form")
    assurance = "authenticated" if "account" in actor else "self-asserted"
    need(actor["assurance"] == assurance, "its actor is of no form")
    need(set(audit["clocks"]) == {"notary", "claimed"}, "its clocks are of no form")
    need(is_moment(record.time), f"its time {record.time} is no time of a record")
    for item in audit["inputs"]:
        digests = [item[name] for name in ("sha256", "record")]
        one = len(item) == 3 and all(text == "" or is_digest(text) for text in digests)
        need(one, f"its input {item['name']} is of no form")
    need(all(map(is_digest, audit["parents"])), "its parents are no digests")
    served = all(type(control) is str and control for control in audit["controls"])
    need(served, "the requirements that it serves are no texts")
    need(DAY.fullmatch(audit["retain_until"]), "it is kept until no day")


def is_digest(value: Any) -> bool:
    """Say whether a value is a SHA-256 in lower-case hexadecimal."""
    return type(value) is str and DIGEST.fullmatch(value) is not None


def is_moment(text: Any) -> bool:
    """Say whether a text is a time of the calendar, written as the notary writes it."""
    if type(text) is not str or not MOMENT.fullmatch(text):
        return False
    try:
        return datetime.fromisoformat(text).year < 9999
    except ValueError:
        return False


def digest_of(value: Any) -> str:
    """Return the digest of a value's canonical JSON."""
    return sha256(canonical(value))


def named(name: str, value: str) -> dict[str, Any]:
    """Return a name and a digest, as in-toto writes them."""
    return {"name": name, "digest": {"sha256": value}}


def once(items: Any) -> list[Any]:
    """Return each item once, in order."""
    return list(dict.fromkeys(items))


def path_of(audit: dict[str, Any]) -> str:
    """Return what an attempt of a stage is called."""
    return f"{audit['run']['id']}/{audit['stage']}/{audit['attempt']}"


def check_twice(record: Record) -> None:
    """Refuse a record that says something twice, and not the same."""
    audit = record.audit
    need(record.statement["subject"] == about(record), "its subjects are not what it is about")
    own = audit["settings_sha256"] == digest_of(audit["settings"])
    need(own, "settings_sha256 is not the digest of its settings")
    policy = audit["settings"].get("policy")
    of_policy = None if policy is None else digest_of(policy)
    need(audit["policy_sha256"] == of_policy, "policy_sha256 is not the digest of its policy")
    name, tilde, number = audit["record_id"].partition("~")
    counted = re.fullmatch("[2-9]|[1-9][0-9]{1,8}", number) if tilde else True
    need(name == f"{path_of(audit)}/{audit['event']}" and counted, "record_id is not its own")
    account = ["actor.account"] if "account" in audit["actor"] else []
    outputs = [f"subject.{name}" for name in audit["outputs"]]
    observed = [*account, "clocks.notary", "parents", "start", *outputs]
    need(audit["observed"] == observed, "observed does not name its outputs")
    need(is_handed_in(record), "idempotency_key is not the digest of what it says")


def about(record: Record) -> list[dict[str, Any]]:
    """Return the subjects that a record should have, by its other fields."""
    audit, predicate = record.audit, record.statement["predicate"]
    event = audit["event"]
    if event == "ACT":
        return [named(item["name"], item["sha256"]) for item in audit["inputs"]]
    if event == IMPORTED:
        return about_imported(audit, predicate)
    if event == "KEY":
        key = predicate["key"]
        return [named(f"key/{key['keyid']}", sha256(bytes.fromhex(key["public"])))]
    if event in DONE:
        made = [named(name, record.subjects[name]) for name in audit["outputs"]]
        versions = checked_versions(audit) if audit["stage"] == "register_models" else {}
        roles = sorted(versions)
        return made + [named(f"model/{r}", versions[r]["bundle_sha256"]) for r in roles]
    attempt = {"attempt": audit["attempt"], "run": audit["run"]["id"], "stage": audit["stage"]}
    return [named(f"attempt/{path_of(audit)}", digest_of(attempt))]


def checked_versions(audit: dict[str, Any]) -> dict[str, Any]:
    """Return what a registration says of its versions, each of a bundle that it was given."""
    versions = audit["facts"].get("versions", {})
    given = {item["name"]: item["sha256"] for item in audit["inputs"]}
    for role, version in versions.items():
        need(version["version"], f"its {role} has no version")
        bundle = given.get(f"{version['framework']}_model")
        need(version["bundle_sha256"] == bundle, f"the bundle of its {role} is none of its inputs")
    return dict(versions)


def about_imported(audit: dict[str, Any], said: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the subjects of an imported record, whose other fields are checked here."""
    known, subjects = dict[str, str](), []
    for kind in ("inputs", "outputs"):
        items = {f"{item['slot']}/{item['id']}": item for item in said[kind]}
        need(len(items) == len(said[kind]), f"it names one of its {kind} twice")
        for name, item in items.items():
            own = {key: value for key, value in item.items() if key not in ("slot", "sha256")}
            known[name] = item["sha256"] or digest_of(own)
            if kind == "outputs":
                subjects.append(named(name if item["sha256"] else f"claimed/{name}", known[name]))
    fed = {item["name"]: item["sha256"] for item in audit["inputs"]}
    need(all(known.get(name) == value for name, value in fed.items()), "it names other inputs")
    hashed = {f"{i['slot']}/{i['id']}" for i in said["outputs"] if i["sha256"]}
    need(hashed <= {*fed, *audit["outputs"]}, "it has a digest that nobody vouches for")
    pipeline, execution = said["pipeline"], said["execution"]
    run = {"id": f"imported-{digest_of({n: pipeline[n] for n in ('name', 'run')})[:16]}"}
    run |= {"name": pipeline["name"]} if pipeline["name"] else {}
    need(audit["run"] == run, "its run is not that of its pipeline")
    need(audit["clocks"]["claimed"] == execution["updated"], "it claims another time")
    return subjects or [named(f"execution/{execution['id']}", digest_of(execution))]


def is_handed_in(record: Record) -> bool:
    """Say whether the idempotency key is that of the draft, as whoever handed it in wrote it."""
    audit, predicate = record.audit, record.statement["predicate"]
    if audit["event"] == IMPORTED:
        told = {name: predicate[name] for name in ("pipeline", "execution")}
        for kind in ("inputs", "outputs"):
            told[kind] = [{k: v for k, v in i.items() if k != "sha256"} for i in predicate[kind]]
        return bool(audit["idempotency_key"] == digest_of({"event": IMPORTED, **told}))
    draft = {name: audit[name] for name in HANDED_IN}
    draft["outputs"] = [{"name": n, "sha256": record.subjects[n]} for n in audit["outputs"]]
    draft["claimed_time"] = audit["clocks"]["claimed"]
    if audit["event"] in ("ACT", "KEY"):
        draft["facts"] = {name: value for name, value in predicate.items() if name != AUDIT}
    return audit["idempotency_key"] in possible_keys(audit, draft)


def possible_keys(audit: dict[str, Any], draft: dict[str, Any]) -> Iterator[str]:
    """Yield a draft's digests: a null actor or trigger may have been left out of it."""
    both = {"actor": audit["actor"]["id"], "trigger": audit["trigger"]}
    for gone in ((), ("actor",), ("trigger",), ("actor", "trigger")):
        if all(both[name] is None for name in gone):
            kept = {name: value for name, value in both.items() if name not in gone}
            yield digest_of({**draft, "run": {**audit["run"], **kept}})


def check_kind(record: Record, began: str | None) -> None:
    """Refuse a predicate of another type or with other fields than stage, event and block give.

    `began` is the time of the record's START, where it is known.
    """
    audit, predicate = record.audit, record.statement["predicate"]
    kind = record.statement["predicateType"]
    rest = {name: value for name, value in predicate.items() if name != AUDIT}
    if audit["event"] in ("ACT", "KEY", IMPORTED):
        need(kind in kinds_of(audit, rest), f"its stage {audit['stage']} has another type")
        need(set(rest) == FIELDS[kind], "its predicate has other fields than its type")
        bare = not (audit["outputs"] or audit["facts"] or audit["gates"] or audit["cause"])
        need(bare or audit["event"] == IMPORTED, "it says what only a stage says")
        return
    wanted, fields = standard(audit)
    need(kind == wanted, f"its predicate is not {wanted}")
    if audit["start"] is not None and "runDetails" in fields:
        claimed = rest["runDetails"]["metadata"]["startedOn"]
        need(is_moment(claimed) and claimed <= record.time, "it began at no time before its end")
        fields["runDetails"]["metadata"]["startedOn"] = began or claimed
    same = canonical(rest) == canonical(fields)
    need(same, "its predicate and its audit block do not say the same")


def kinds_of(audit: dict[str, Any], said: dict[str, Any]) -> tuple[str, ...]:
    """Return the types that an act, a change of keys or an imported record may have."""
    event, stage = audit["event"], audit["stage"]
    if event == "ACT" and stage in DONE_TO_IT:
        return (REGISTRY_CHANGE_1, REGISTRY_CHANGE_2)
    kinds = {("ACT", APPROVE): APPROVAL_RECORD, (IMPORTED, "import_execution"): IMPORTED_EXECUTION}
    if event == "KEY":
        kinds["KEY", f"{said['change']}_key"] = KEY_CHANGE
        kinds["KEY", f"{said['change']}_second_key"] = SECOND_KEY_CHANGE
    return (kinds[event, stage],) if (event, stage) in kinds else ()


def standard(audit: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the type of a stage's predicate, and its fields."""
    stage, failed = audit["stage"], audit["event"] == "FAIL"
    done = audit["event"] in DONE
    judged = done or (failed and audit["gates"])
    if done and stage in PROVENANCE:
        return "https://slsa.dev/provenance/v1", provenance(audit)
    if judged and stage in TESTS:
        return "https://in-toto.io/attestation/test-result/v0.1", test_result(audit)
    if judged and stage == "decide_release":
        return "https://slsa.dev/verification_summary/v1", summary(audit)
    if done and stage == "register_models":
        return "https://in-toto.io/attestation/release/v0.1", {"purl": purl(audit["facts"])}
    if done and stage == "seal_run":
        names = ("state", "records", "events", "stages")
        known = {name: audit["facts"][name] for name in names if name in audit["facts"]}
        return f"{OURS}/run-closing/v1", known
    return f"{OURS}/stage-event/v1", {"dependencies": dependencies(audit)}


def dependencies(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an attempt needed, by digest."""
    run, environment = audit["run"], audit["environment"]
    listed = [(f"input/{item['name']}", item["sha256"]) for item in audit["inputs"]]
    listed += [("code/modules", audit["code_sha256"]), ("pipeline", run.get("ir_sha256"))]
    listed += [("lock", environment.get("lock_sha256"))]
    listed += [("image", environment.get("image", "").partition("@sha256:")[2])]
    found = [named(name, value) for name, value in listed if value]
    commit = (run.get("code") or {}).get("commit") or ""
    if len(commit) in (40, 64):
        found.append({"name": "code/repository", "digest": {"gitCommit": commit}})
    return found


def provenance(audit: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a SLSA provenance, but for when it was begun."""
    metadata = {"invocationId": path_of(audit), "finishedOn": audit["clocks"]["notary"]}
    return {
        "buildDefinition": {
            "buildType": f"{OURS}/stage/v1",
            "externalParameters": {"stage": audit["stage"], "settings": audit["settings"]},
            "internalParameters": {"environment": audit["environment"]},
            "resolvedDependencies": dependencies(audit),
        },
        "runDetails": {
            "builder": {"id": f"{OURS}/builder/{audit['actor']['assurance']}/v1"},
            "metadata": metadata,
        },
    }


def test_result(audit: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an in-toto test result."""
    tests: dict[str, list[str]] = {"passed": [], "warned": [], "failed": []}
    for gate in audit["gates"]:
        how = "passed" if gate["passed"] else "warned" if "waived_by" in gate else "failed"
        tests[how].append(gate["name"] + (f" ({gate['slice']})" if gate.get("slice") else ""))
    bad = audit["event"] == "FAIL" or tests["failed"]
    return {
        "result": "FAILED" if bad else "WARNED" if tests["warned"] else "PASSED",
        "configuration": [named("settings", audit["settings_sha256"])],
        **{f"{how}Tests": names for how, names in tests.items()},
    }


def summary(audit: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a SLSA verification summary."""
    run, failed = audit["run"], audit["event"] == "FAIL"
    fed = once(item["record"] for item in audit["inputs"] if item["record"])
    use_case = quote(run.get("name") or run["id"], safe="")
    policy = audit["policy_sha256"] or audit["settings_sha256"]
    return {
        "verifier": {"id": f"{OURS}/stage/decide_release/v1"},
        "timeVerified": audit["clocks"]["notary"],
        "resourceUri": f"pkg:generic/{use_case}@{quote(run['id'], safe='')}",
        "policy": {"uri": f"{OURS}/policy/v1", "digest": {"sha256": policy}},
        "inputAttestations": [{"digest": {"sha256": item}} for item in fed],
        "verificationResult": "FAILED" if failed else "PASSED",
        "verifiedLevels": ["FAILED" if failed else "TANDEM_RELEASE_POLICY"],
        "slsaVersion": "1.0",
    }


def purl(facts: dict[str, Any]) -> str:
    """Return the package's address that a registration has."""
    version = facts.get("versions", {}).get("candidate", {}).get("version", "")
    model, number = (quote(str(v), safe="") for v in (facts.get("model_name", ""), version))
    return f"pkg:mlflow/{model}@{number}"


def check_gate(gate: dict[str, Any]) -> None:
    """Refuse a gate that passed or failed otherwise than its numbers say."""
    name, passed = gate["name"], gate["passed"]
    need(set(gate) >= GATE and set(gate) <= GATE_MAY, f"its gate {name} is of no form")
    threshold = number_of(gate["threshold"], name)
    value = None if gate["value"] is None else number_of(gate["value"], name)
    met = value is not None and OPERATORS[gate["operator"]](value, threshold)
    need(passed is met, f"its gate {name} says otherwise than its numbers")
    if "waived_by" in gate:
        need(not passed and is_digest(gate["waived_by"]), f"its gate {name} was waived by nothing")


def number_of(value: Any, name: str) -> float:
    """Return a gate's number, which may be a text where it is large; never an infinity."""
    text = type(value) is str and NUMBER.fullmatch(value)
    need(text or type(value) in (int, float), f"its gate {name} has a number that is none")
    found = float(value) if text else value
    need(math.isfinite(found), f"its gate {name} has a number that is none")
    return float(found) if text else value


# --- gates that settings ask for ----------------------------------------------------------------


class Asked(NamedTuple):
    """A gate that must have been judged; None is whatever the record says."""

    name: str
    operator: str | None
    threshold: float | None
    of: str | None = "overall"

    def is_among(self, gates: dict[str, list[dict[str, Any]]]) -> bool:
        """Say whether it was judged; a name that ends in a colon goes on as the data has it."""
        begins = [n for n in gates if n.startswith(self.name)] if self.name.endswith(":") else []
        return any(
            self.operator in (None, gate["operator"])
            and self.threshold in (None, number_of(gate["threshold"], gate["name"]))
            and (self.of is None or is_slice(self.of, gate.get("slice", "overall")))
            for name in (self.name, *begins)
            for gate in gates.get(name, ())
        )


def asked_of_model(policy: dict[str, Any], model: str) -> Iterator[list[Asked]]:
    """Yield what a policy asks of every candidate, as lists of which one gate must be there."""
    for row in listed(policy, "gates"):
        at = [setting(row[name]) for name in ("at", "k") if row.get(name) is not None][:1]
        name = f"{model} {row['metric']}" + "".join(f"@{number:g}" for number in at)
        if row.get("of_class") is not None:
            name = f"{model} {row['metric']} of {row['of_class']}"
        yield [asked(name, row, row.get("slice", "overall"))]
    for row in listed(policy, "fairness_gates"):
        yield [asked(f"{model} {row['metric']} {row['compare']} by {row['column']}", row)]
    for form in listed(policy, "forms", str):
        yield [Asked(f"{model} {form}", ">=", 1)]


def asked_of_forms(policy: dict[str, Any], model: str, has: Any) -> Iterator[list[Asked]]:
    """Yield what a policy asks of the forms that a candidate has; an imported one has them all."""
    for row in listed(policy, "form_gates"):
        own = asked(f"{model} {row['form']} {row['metric']}", row)
        if row["form"] in has:
            yield [own]
        elif model == "imported":
            yield [own, Asked(f"{model} {row['form']}", ">=", 1)]


def asked_over_champion(policy: dict[str, Any], model: str) -> Iterator[list[Asked]]:
    """Yield what a policy asks of a candidate where there is a champion."""
    for row in listed(policy, "champion_gates"):
        margin, found = setting(row.get("margin")) or 0.0, []
        for metric in [row["metric"]] if row.get("metric") else FIRST_METRICS:
            sign, least = (">", margin) if metric in MORE_IS_BETTER else ("<", 0.0 - margin)
            name, sign = f"{model} {metric}_over_champion", sign + ("=" if margin < 0 else "")
            found.append(Asked(name, sign, least, row.get("slice", "overall")))
        yield found


def asked_of_data(settings: dict[str, Any]) -> Iterator[list[Asked]]:
    """Yield what the checks of a validation ask for."""
    checks, target = section(settings, "checks"), section(settings, "source").get("target")
    for split in ("train", "eval") if checks else ():
        if isinstance(target, dict) and not target.get("number"):
            share = setting(checks.get("minimum_class_share"))
            yield [Asked(f"class_share:{target['name']}", ">=", share, split)]
        yield [Asked("minimum_rows", ">=", setting(checks.get("minimum_rows")), split)]
        yield [Asked("schema", "==", 0, split), Asked("schema:", None, None, split)]
    if checks:
        yield [Asked(name, "==", 0, "all splits") for name in ("leakage", "leakage:")]
    for name, of in (("duplicate_rows", "all splits"), ("label_shift:", None)):
        if (limit := setting(checks.get(name.rstrip(":")))) is not None:
            yield [Asked(name, "<=", limit, of)]
    for kind in ("drift", "skew"):
        for column, limit in section(checks, kind).items():
            name = f"{kind}:{column}"
            yield [Asked(name, "<=", setting(limit), None), Asked(name, "==", 1, None)]


def asked(name: str, row: dict[str, Any], of: str = "overall") -> Asked:
    """Return a gate that an entry of a policy asks for."""
    return Asked(name, row["operator"], setting(row.get("threshold")), of)


def judged(audit: dict[str, Any]) -> list[str]:
    """Return the candidates that a decision judged, or chose."""
    first = {gate["name"].split(" ")[0] for gate in audit["gates"]}
    chosen = [audit["facts"].get(role) for role in ("winner", "challenger")]
    return [name for name in sorted(CANDIDATES) if name in first or name in chosen]


def is_slice(wanted: str, found: str) -> bool:
    """Say whether a slice is the one asked for; `*` is any value, commas are escaped in values."""
    columns = [[c.partition("=") for c in COLUMN.findall(text)] for text in (wanted, found)]
    return wanted == found or (
        len(columns[0]) == len(columns[1])
        and all(
            name == other and value in ("*", given)
            for (name, _, value), (other, _, given) in zip(*columns, strict=True)
        )
    )


def section(value: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a section of settings or facts, empty where it is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def listed(value: dict[str, Any], name: str, kind: type = dict) -> list[Any]:
    """Return the entries of a list in settings, none where it is none."""
    found = value.get(name)
    return [item for item in found if isinstance(item, kind)] if isinstance(found, list) else []


def setting(value: Any) -> float | None:
    """Return a setting's number, which may be a text where it is large; None where it is none."""
    if type(value) is str and NUMBER.fullmatch(value):
        return float(value)
    return value if type(value) in (int, float) else None


def check_waiver(gate: dict[str, Any], audit: dict[str, Any]) -> None:
    """Refuse a gate that was waived by what is not in the settings, or is about something else."""
    what = f"the waiver of its gate {gate['name']}"
    texts = listed(audit["settings"], "waivers", str)
    held = [text for text in texts if sha256(text.encode()) == gate["waived_by"]]
    need(held, f"{what} is not in its settings")
    envelope = parsed(held[0])
    signed = parsed(decoded(envelope["payload"]))
    said, subject = signed["predicate"], signed["subject"]
    own = canonical(envelope) == held[0].encode() and signed["_type"] == STATEMENT
    need(own and signed["predicateType"] == WAIVER and len(subject) == 1, f"{what} is none")
    need(set(said) == WAIVES and set(said["gate"]) <= {"name", "slice"}, f"{what} is of no form")
    of = (said["gate"]["name"], said["gate"].get("slice", gate.get("slice")))
    need(of == (gate["name"], gate.get("slice")), f"{what} is of another gate")
    need(said["useCase"] == audit["run"].get("name"), f"{what} is of another use case")
    schema = audit["settings"].get("schema_text")
    same = type(schema) is not str or subject == [named("schema", sha256(schema.encode()))]
    need(same, f"{what} is of another schema")


# --- what people did ---------------------------------------------------------------------------


class Version(NamedTuple):
    """A registered version, as acts must be about it, and what is asked for."""

    inputs: dict[str, tuple[str, str]]
    run: str
    submitter: str | None
    decided: datetime
    asked: dict[str, int]


class Approval(NamedTuple):
    """What a person signed, in which record, whose, and by which key."""

    number: int
    said: dict[str, Any]
    actor: str | None
    keyid: str


def asked_by(settings: dict[str, Any]) -> dict[str, int]:
    """Return how many people must sign, by meaning, as the settings of a registration say."""
    found = settings.get("registry", {}).get("approvals", FIRST)
    one = set(found) == set(FIRST) and all(type(n) is int and n >= 0 for n in found.values())
    need(one, "the registration does not say which approvals it asks for")
    return dict(found)


def check_approval(signed: dict[str, Any]) -> dict[str, Any]:
    """Return what a person said; refuse what is no approval."""
    said = signed["predicate"]
    need(len(signed) == 4 and signed["_type"] == STATEMENT, "what was signed is no statement")
    need(signed["predicateType"] == APPROVAL, "what was signed is no approval")
    need(set(said) - {"reason"} == SIGNED, "the approval is of no form")
    need(all(type(value) is str and value for value in said.values()), "the approval is of no form")
    need(said["meaning"] in FIRST, "the approval has no meaning")
    need(is_moment(said["signedAt"]), "the approval was signed at no time")
    need(DAY.fullmatch(said["until"]), "the approval has no last day")
    date.fromisoformat(said["until"])
    return dict(said)


def check_keys(keys: Any, counted: list[Approval]) -> bool:
    """Return whether any key was trusted; refuse other keys than those of the approvals."""
    need(keys is not None, "it does not say which keys were trusted")
    need(set(keys) == {"counted", "trusted_sha256"}, "it does not say which keys were trusted")
    own = sorted({approval.keyid for approval in counted})
    need(keys["counted"] == own, "the keys that it names are not those of its approvals")
    trusted = bool(keys["trusted_sha256"] != digest_of([]))
    need(trusted or not own, "it counts approvals where no key was trusted")
    return trusted


class Persons:
    """Who is one person: keys and actors that approvals join, directly or through others."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.joined: list[set[tuple[str, str]]] = []

    def join(self, approval: Approval) -> None:
        """Go on with an approval; one without an actor joins nothing."""
        if approval.actor is not None:
            marks = {("actor", approval.actor), ("key", approval.keyid)}
            one = marks.union(*(part for part in self.joined if part & marks))
            self.joined = [part for part in self.joined if not part & one] + [one]

    def of(self, kind: str, name: str) -> frozenset[tuple[str, str]]:
        """Return all marks of the person that has this one."""
        mark = (kind, name)
        return frozenset(next((part for part in self.joined if mark in part), {mark}))


# --- the export --------------------------------------------------------------------------------


class Export:
    """The files of an export, by name; a zip is read as it is, nothing is unpacked."""

    def __init__(self, place: Path) -> None:
        """Read every file; Unverifiable for what is no export, or larger than any."""
        self.left, self.files = MOST_BYTES, dict[str, bytes]()
        try:
            self._read_folder(place) if place.is_dir() else self._read_zip(place)
        except UNREADABLE as error:
            raise Unverifiable(f"{place} cannot be read: {error}") from error
        if "export.json" not in self.files or "checkpoint" not in self.files:
            raise Unverifiable(f"{place} is no export: it has no export.json or no checkpoint")

    def _read_folder(self, place: Path) -> None:
        paths = [path for path in place.rglob("*") if path.is_file()]
        self._require_few(len(paths))
        for path in paths:
            with path.open("rb") as file:
                self.files[path.relative_to(place).as_posix()] = self._taken(file)

    def _read_zip(self, place: Path) -> None:
        with place.open("rb") as file:
            data = self._taken(file)
        self.left = MOST_BYTES
        self._require_few(data.count(DIRECTORY_ENTRY))  # before any of them is read
        with zipfile.ZipFile(BytesIO(data)) as packed:
            names = packed.namelist()
            if len(set(names)) != len(names):
                raise ValueError("it holds a name twice")
            if any(item.compress_type not in PLAIN for item in packed.infolist()):
                raise ValueError("it is no plain zip")
            for item in packed.infolist():
                with packed.open(item) as member:
                    self.files[item.filename] = self._taken(member)
                if len(self.files[item.filename]) != item.file_size:
                    raise ValueError("it says another size of a file than that has")

    def _require_few(self, count: int) -> None:
        if count > MOST_FILES:
            raise ValueError(f"it has more than {MOST_FILES} files, which no export has")

    def _taken(self, file: Any) -> bytes:
        """Return the bytes of a file; ValueError where all together are too many, unpacked."""
        data = bytes(file.read(self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise ValueError(f"it has more than {MOST_BYTES} bytes, which no export has")
        return data

    def read(self, name: str) -> bytes:
        """Return a file's bytes; refuse one that is not there."""
        if name not in self.files:
            raise Refused(f"{name} is missing")
        return self.files[name]


class Verification:
    """One pass over an export; `findings` are all that is wrong, as (where, what)."""

    def __init__(
        self, export: Export, key: Key, revoked: list[tuple[str, int]], newest: str | None
    ) -> None:
        self.export, self.keys, self.newest = export, Keys(key), newest
        self.findings: list[tuple[str, str]] = []
        self.records: dict[str, Record] = {}
        self.closed: dict[str, int] = {}  # which record closed a START first
        self.manifests: dict[str, Any] = {}
        self.approvals: dict[str, Approval] = {}
        self.acts: list[Record] = []
        self.persons = Persons()
        self.files = 0
        self.witnesses: dict[str, int] = {}
        self.unproven: list[str] = []
        self.said = parsed(export.read("export.json"))
        texts = isinstance(self.said, dict) and [self.said.get(name) for name in SAID]
        if not texts or self.said["schema"] != SCHEMA or not all(type(v) is str for v in texts):
            raise Unverifiable("export.json is not of a form that this verifier knows")
        for index, envelope in sorted(self._changes()):
            self.keys.follow(envelope, index)
        for keyid, since in revoked:
            self.keys.require_known(keyid)
            self.keys.revoke(keyid, since)
        self.checkpoint = checkpoint_of(export.read("checkpoint").decode(), self.keys)
        if newest is not None:
            self.keys.require_newest(newest, self.checkpoint.size)

    def _changes(self) -> Iterator[tuple[int, bytes]]:
        """Yield what says to change the log's keys; what cannot be read is found later."""
        for name, data in self.export.files.items():
            found = RECORD.fullmatch(name)
            if found is None or found[2] != "json":
                continue
            try:
                kind = parsed(decoded(parsed(data)["payload"]))["predicateType"]
                if kind in CHANGES:
                    yield int(found[1].removeprefix("records/")), data
            except (Refused, KeyError, TypeError, ValueError):
                continue

    def run(self) -> None:
        """Check everything, and go on after a finding."""
        proofs = [name for name in self.export.files if name.startswith("records/")]
        for name in sorted(name for name in proofs if name.endswith(".json")):
            self._try(name, lambda name=name: self._record(name))
        self.records = {r.sha256: r for r in sorted(self.records.values(), key=lambda r: r.number)}
        for record in self.records.values():
            for check in (
                self._chain, self._start, self._kind, self._gates, self._left_out, self._passed,
            ):  # fmt: skip
                self._try_record(check, record)
            self._try_record(check_twice, record)
        self._try("records", self._in_order)
        registration = self.records.get(self.said["registration"])
        if registration is None:
            self.findings.append(("export.json", "the registration is not among the records"))
            return
        self._try("registration", lambda: self._registration(registration))
        for name in sorted(self.export.files):
            self._try(name, lambda name=name: self._file(name))
        for record in self.records.values():
            if record.audit["event"] == "ACT":
                self._try_record(lambda act: self._act(act, registration), record)

    def _try_record(self, check: Any, record: Record) -> None:
        self._try(f"record {record.number}", lambda: check(record))

    def witnessed(self, name: str, key: Key) -> None:
        """Check that a witness cosigned the checkpoint; a finding where it did not."""
        note = self.export.read("checkpoint").decode()

        def check() -> None:
            self.witnesses[name] = cosigned_at(note, name, key)

        self._try("checkpoint", check)

    def _try(self, where: str, check: Any) -> None:
        try:
            check()
        except Refused as error:
            self.findings.append((where, str(error)))
        except MALFORMED as error:
            self.findings.append((where, f"it lacks what it should have: {error!r}"))

    def _record(self, name: str) -> None:
        envelope = self.export.read(name)
        header, index, *hashes = self._proof(name.removesuffix(".json") + ".tlog-proof")
        if header != PROOF_HEADER or not index.startswith("index "):
            raise Refused("its proof is no tlog-proof")
        number = int(index.removeprefix("index "))
        if name != f"records/{number:09d}.json":
            raise Refused("its proof is of another place")
        check_inclusion(envelope, number, [decoded(item) for item in hashes], self.checkpoint)
        statement = statement_of(envelope, self.keys.holder(number), "the envelope")
        if statement["predicateType"] not in CHANGES:
            self.keys.require_valid(number)
        elif self.newest is None:
            self._change_is_doubted(number)
        record = Record(sha256(envelope), number, statement)
        check_form(record)
        self.records[record.sha256] = record

    def _change_is_doubted(self, number: int) -> None:
        """Refuse a change of keys by a key that is revoked, for which nobody vouches."""
        try:
            self.keys.require_valid(number)
        except Refused as error:
            raise Refused(
                f"{error}: name by --newest the checkpoint's key, if you know it"
            ) from None

    def _proof(self, name: str) -> list[str]:
        text = self.export.read(name).decode()
        proof, _, note = text.partition("\n\n")
        if note.encode() != self.export.read("checkpoint"):
            raise Refused("its proof is under another checkpoint")
        return proof.split("\n")

    def _chain(self, record: Record) -> None:
        for parent in record.audit["parents"]:
            if parent not in self.records:
                raise Refused(f"its parent {parent[:12]} is not here")
            if self.records[parent].number >= record.number:
                raise Refused(f"its parent {parent[:12]} is not before it")
        given = [(item["name"], item["record"], item["sha256"]) for item in record.audit["inputs"]]
        if record.audit["event"] == "FAIL":
            given = [item for item in given if self._why_not_made(record, *item) is None]
        if record.audit["event"] == "CACHED":
            origin, outputs = record.audit["facts"]["origin"], record.audit["outputs"]
            need(sorted(origin) == sorted(outputs), "its origin does not name its outputs")
            given += [(name, origin[name], record.subjects[name]) for name in outputs]
        for item in given:
            why = self._why_not_made(record, *item)
            need(why is None, str(why))
        makers = once(source for _, source, _ in given)
        need(record.audit["parents"] == makers, "its parents are not the records of its inputs")

    def _why_not_made(self, record: Record, name: str, source: str, digest: str) -> str | None:
        """Return why a record did not make what another one was given, None where it did."""
        maker = self.records.get(source)
        # What was only imported stands behind nothing but what was imported too.
        makers = (IMPORTED,) if record.audit["event"] == IMPORTED else DONE
        if maker is None or maker.audit["event"] not in makers or maker.number >= record.number:
            return f"nothing here made its {name}"
        return None if digest in maker.made else f"record {maker.number} made another {name}"

    def _start(self, record: Record) -> None:
        """Refuse a record that closes what is no START of its own, where that is in the export."""
        audit, start = record.audit, record.audit["start"]
        need(start is None or audit["event"] in CLOSING, "it closes a START, and is no end")
        need(start is not None or audit["event"] != "COMPLETE", "it has no START")
        if start is None:
            return
        need(is_digest(start), "what it closes is no START before it")
        first = self.closed.setdefault(start, record.number)
        need(first == record.number, "its START was closed before")
        begun = self.records.get(start)
        if begun is None:
            return
        own = begun.audit["event"] == "START" and begun.number < record.number
        need(own, "what it closes is no START before it")
        same = ["run", "stage", "attempt", "trigger", "inputs"]
        same += [] if audit["event"] == "FAIL" else ["settings_sha256"]
        if audit["event"] == "COMPLETE":
            same += ["code_sha256", "environment", "cache_key"]
        for field in same:
            need(audit[field] == begun.audit[field], f"its {field} is not that of its START")
        need(audit["actor"]["id"] == begun.audit["actor"]["id"], "its START is another actor's")

    def _kind(self, record: Record) -> None:
        begun = self.records.get(record.audit["start"] or "")
        check_kind(record, begun.time if begun else None)

    def _in_order(self) -> None:
        """Refuse times that run backwards, and a record that is there twice."""
        known, time = dict[str, int](), ""
        for record in self.records.values():
            key = record.audit["idempotency_key"]
            need(key not in known, f"record {record.number} repeats record {known.get(key)}")
            need(time <= record.time, f"record {record.number}: its time is before {time}")
            known[key], time = record.number, record.time

    def _gates(self, record: Record) -> None:
        for gate in record.audit["gates"]:
            check_gate(gate)

    def _left_out(self, record: Record) -> None:
        """Refuse a record without a gate that its settings ask for, or without a waiver."""
        audit, stage = record.audit, record.audit["stage"]
        if audit["event"] not in DONE:
            return
        for gate in audit["gates"]:
            if not gate["passed"] and "waived_by" in gate:
                check_waiver(gate, audit)
        gates: list[dict[str, Any]] = []
        some: Iterator[list[Asked]] = iter(())
        if stage == "decide_release":
            judge = self._work(audit, "decision")
            gates, some = judge["gates"], self._asked_of_models(audit["settings"], judge)
        elif stage == "validate_examples":
            gates = self._work(audit, "validation")["gates"]
            some = asked_of_data(audit["settings"])
        elif stage == "register_models":
            self._judged(audit)
        by_name: dict[str, list[dict[str, Any]]] = {}
        for gate in gates:
            by_name.setdefault(gate["name"], []).append(gate)
        for one_of in some:
            wanted = " or ".join(once(item.name for item in one_of))
            there = any(item.is_among(by_name) for item in one_of)
            need(there, f"its settings ask for the gate {wanted}, which it did not judge so")

    def _asked_of_models(
        self, settings: dict[str, Any], judge: dict[str, Any]
    ) -> Iterator[list[Asked]]:
        policy, models = section(settings, "policy"), judged(judge)
        need(models or not policy.get("gates"), "it judged no candidate")
        sizes = section(self._made_by(judge, "measurements")["facts"], "size_bytes")
        overall = section(self._made_by(judge, "evaluation")["facts"], "overall")
        for model in models:
            yield from asked_of_model(policy, model)
            yield from asked_of_forms(policy, model, section(sizes, model))
            yield from asked_over_champion(policy, model) if "champion" in overall else ()

    def _judged(self, audit: dict[str, Any]) -> None:
        """Refuse a registration of a framework that its decision judged nothing of."""
        judge = self._made_by(audit, "decision")
        if section(judge["settings"], "policy").get("gates"):
            for version in audit["facts"].get("versions", {}).values():
                known = version["framework"] in judged(judge)
                need(known, f"its decision judged no gate of {version['framework']}")

    def _made_by(self, audit: dict[str, Any], name: str) -> dict[str, Any]:
        """Return the block of the work that made an input."""
        sources = [item["record"] for item in audit["inputs"] if item["name"] == name]
        found = [self.records[source].audit for source in sources if source in self.records]
        return self._work(found[0], name) if found else NO_WORK

    def _work(self, audit: dict[str, Any], name: str) -> dict[str, Any]:
        """Return the block of the work by which what came from the cache was made."""
        while audit["event"] == "CACHED":
            source = self.records.get(audit["facts"]["origin"].get(name))
            audit = source.audit if source else NO_WORK
        return audit

    def _registration(self, registration: Record) -> None:
        audit, wanted = registration.audit, self.said
        facts = audit["facts"]
        need(audit["event"] in DONE, "it was not done")
        if (audit["stage"], facts["model_name"]) != ("register_models", wanted["model"]):
            raise Refused("it registers another model")
        if self._version_of(registration)["bundle_sha256"] != wanted["bundle_sha256"]:
            raise Refused("it registers no such version of that bundle")
        behind = self._ancestors(registration)
        stages = {record.audit["stage"] for record in behind if record.audit["event"] in DONE}
        for stage in BEHIND:
            if stage not in stages:
                raise Refused(f"no record of {stage} stands behind it")
        if wanted["bundle_sha256"] not in {made for r in behind for made in r.made}:
            raise Refused("nothing behind it made the bundle")
        self._imported(behind)

    def _version_of(self, registration: Record) -> dict[str, Any]:
        """Return what the registration says of the version; of several roles the first."""
        for _, version in sorted(registration.audit["facts"]["versions"].items()):
            if str(version["version"]) == self.said["version"]:
                return dict(version)
        raise Refused("it registers no such version of that bundle")

    def _passed(self, record: Record) -> None:
        """Refuse a registration over a gate that failed and nobody waived, its own too."""
        audit = record.audit
        if audit["stage"] != "register_models" or audit["event"] not in DONE:
            return
        registered = {v["framework"] for v in audit["facts"].get("versions", {}).values()}
        rivals = CANDIDATES - registered
        for found in (record, *self._ancestors(record)):
            for gate in found.audit["gates"] if found.audit["event"] in DONE else ():
                # a decision holds the gates of each candidate, by its name
                rival = gate["name"].partition(" ")[0] in rivals
                if gate["passed"] or (found.audit["stage"] == "decide_release" and rival):
                    continue
                waived = is_digest(gate.get("waived_by"))
                need(waived, f"the gate {gate['name']} of record {found.number} failed")

    def _imported(self, behind: list[Record]) -> None:
        """Refuse imported records that are not of the model that a stage was given."""
        told = [record for record in self.records.values() if record.audit["event"] == IMPORTED]
        if not told:
            return
        given: set[str] = set()
        for record in behind:
            if record.audit["stage"] == "import_model" and record.audit["event"] in DONE:
                model = record.audit["facts"]["given"]
                given |= {model["sha256"], *model.get("artifacts", ())}
        ends = [record for record in told if given & set(record.subjects.values())]
        known = {found.sha256 for end in ends for found in (end, *self._ancestors(end))}
        for record in told:
            if record.sha256 not in known:
                raise Refused(f"the imported record {record.number} is of no model that was given")

    def _ancestors(self, record: Record) -> list[Record]:
        found: dict[str, Record] = {}
        waiting = list(record.audit["parents"])
        while waiting:
            digest = waiting.pop()
            if digest not in found and digest in self.records:
                found[digest] = self.records[digest]
                waiting += self.records[digest].audit["parents"]
        return list(found.values())

    def _file(self, name: str) -> None:
        """Hold a file against the records; what no record speaks of is counted as unproven."""
        kind = name.split("/")[0]
        if kind == "artifacts":
            _, artifact, *rest = name.split("/")
            self._artifact(artifact, name, "/".join(rest))
        elif name == "policies/release.json":
            self._setting(name, "decide_release", "policy")
        elif name == "data-card.json":
            self._setting(name, "ingest_examples", "card")
        elif name == "log.pub":
            self._log_key(name)
        elif kind in UNPROVEN and is_below(name):
            self.unproven.append(name)
        elif name not in READ and not self._is_of_record(name):
            raise Refused("it is no part of an export")

    def _is_of_record(self, name: str) -> bool:
        """Say whether a file is a record or its proof, of which there are both."""
        found = RECORD.fullmatch(name)
        both = [f"{found[1]}.{kind}" for kind in ("json", "tlog-proof")] if found else [""]
        return all(name in self.export.files for name in both)

    def _log_key(self, name: str) -> None:
        """Refuse a copy of the log's key that is another than the one that is verified by."""
        try:
            same = Key.from_pem(self.export.read(name)).keyid == self.keys.tenures[0][1].keyid
        except Unverifiable:
            same = False
        if not same:
            raise Refused("it is not the key that the log is verified by")

    def _artifact(self, artifact: str, name: str, path: str) -> None:
        """Hold a manifest's digest against the records, and a file against its manifest."""
        if artifact not in self.manifests:
            listed_in = f"artifacts/{artifact}/manifest.json"
            self.manifests[artifact] = parsed(self.export.read(listed_in))
        manifest = self.manifests[artifact]
        if path == "manifest.json":
            digest = sha256(canonical(manifest))
            made = {record.subjects.get(artifact) for record in self.records.values()}
            if digest not in made:
                raise Refused(f"no record made {artifact} with this manifest")
        elif sha256(self.export.read(name)) != manifest.get(path.removeprefix("files/")):
            raise Refused("it is not the file that was recorded")
        else:
            self.files += 1

    def _setting(self, name: str, stage: str, section: str) -> None:
        """Hold a section of the settings against the record of the stage that read it."""
        value = canonical(parsed(self.export.read(name)))
        records = [r for r in self.records.values() if r.audit["stage"] == stage]
        read = [r.audit["settings"][section] for r in records if r.audit["event"] in DONE]
        if not read or any(canonical(item) != value for item in read):
            raise Refused(f"{stage} read another one")
        self.files += 1

    def _act(self, record: Record, registration: Record) -> None:
        """Hold an act against the rules, and take it, whether or not it should have been."""
        predicate, stage = record.statement["predicate"], record.audit["stage"]
        about = (predicate["model"], predicate["version"])
        need(about == (self.said["model"], self.said["version"]), "it is about another version")
        before = [act.audit["stage"] for act in self.acts]
        if stage != APPROVE:
            self.acts.append(record)
        version = self._version(registration)
        inputs = {item["name"]: (item["sha256"], item["record"]) for item in record.audit["inputs"]}
        own = inputs == version.inputs and record.audit["run"]["id"] == version.run
        need(own, "it is not about the version as it was registered")
        if stage == APPROVE:
            self._approval(record, version)
            return
        need(stage == WITHDRAW or WITHDRAW not in before, "the version was withdrawn")
        self._aliases(predicate["aliases"], stage)
        if stage == PROMOTE:
            self._promotion(record, version)
            return
        asks = predicate["approvals"] or predicate["required"] is not None or predicate.get("keys")
        need(not asks, "it names approvals, keys or how many are asked for, and is no promotion")
        if stage == ROLL_BACK:
            promoted = [s for s in before if s in (PROMOTE, ARCHIVE)][-1:] == [PROMOTE]
            need(promoted, "the version was not promoted before, or was archived since")

    def _version(self, registration: Record) -> Version:
        """Return the version as it was registered; refuse what does not say all that acts need."""
        audit = registration.audit
        fed = {item["name"]: (item["sha256"], item["record"]) for item in audit["inputs"]}
        bundle = f"{self._version_of(registration)['framework']}_model"
        inputs = {"evaluation": fed["evaluation"], "bundle": fed[bundle]}
        inputs["registration"] = registration.subjects["registration"], registration.sha256
        decision = self.records.get(fed["decision"][1])
        need(decision, "the registration names no decision that is here")
        decided = datetime.fromisoformat(decision.time if decision else "")
        asked = asked_by(audit["settings"])
        return Version(inputs, audit["run"]["id"], audit["actor"]["id"], decided, asked)

    def _aliases(self, moved: list[dict[str, Any]], stage: str) -> None:
        """Refuse an alias that moves elsewhere; where it was, the whole log knows alone."""
        version = self.said["version"]
        if stage in (ARCHIVE, WITHDRAW):
            taken = all((item["from"], item["to"]) == (version, None) for item in moved)
            need(taken, "it moves an alias, and may only take those of the version away")
            return
        [only] = moved
        need(only == {"alias": "champion", "from": only["from"], "to": version}, "it moves others")
        again = only["from"] == version
        need(not again or (self.keys.revoked and stage == PROMOTE), "it is the champion already")

    def _approval(self, record: Record, version: Version) -> None:
        """Take what a person signed, by the key that the record names and for this version."""
        predicate = record.statement["predicate"]
        key = Key(bytes.fromhex(predicate["publicKey"]))
        signed = statement_of(canonical(predicate["approval"]), key, "the approval")
        said = check_approval(signed)
        of_version = (said["model"], said["version"]) == (self.said["model"], self.said["version"])
        need(of_version, "the person signed for another version")
        judged = [named(name, version.inputs[name][0]) for name in ("evaluation", "bundle")]
        need(signed["subject"] == judged, "the person signed for another evaluation or bundle")
        latest = datetime.fromisoformat(record.time) + TOLERANCE
        need(datetime.fromisoformat(said["signedAt"]) <= latest, "it was signed after its record")
        approval = Approval(record.number, said, record.audit["actor"]["id"], key.keyid)
        self.approvals[record.sha256] = approval
        self.persons.join(approval)

    def _why_not(self, approval: Approval, version: Version) -> str | None:
        """Return why an approval does not count for a promotion on any day."""
        if approval.actor is None or version.submitter is None:
            return "the log does not say who submitted the run or who handed it in"
        submitter = self.persons.of("actor", version.submitter)
        if approval.actor == version.submitter or submitter == self.persons.of(
            "key", approval.keyid
        ):
            return "the approver submitted the run"
        if datetime.fromisoformat(approval.said["signedAt"]) < version.decided:
            return "it was signed before the gates were decided on"
        return None

    def _promotion(self, record: Record, version: Version) -> None:
        """Refuse a promotion without the approvals that the settings of the run ask for."""
        predicate, counted = record.statement["predicate"], []
        own = predicate["required"] == version.asked
        need(own, "it does not ask for what the settings of the version's run ask for")
        need(len(set(predicate["approvals"])) == len(predicate["approvals"]), "it names one twice")
        for digest in predicate["approvals"]:
            found = self.approvals.get(digest)
            if found is None or self._why_not(found, version):
                raise Refused(f"its approval {digest[:12]} is not here, or does not count")
            expired = found.said["until"] < record.time[:10]
            need(not expired, f"its approval {digest[:12]} had expired")
            counted.append(found)
        least = dict(version.asked)
        if "keys" in predicate and check_keys(predicate["keys"], counted):
            least["approval"] = max(least["approval"], 1)
        for meaning, count in least.items():
            keys = [item.keyid for item in counted if item.said["meaning"] == meaning]
            people = {self.persons.of("key", keyid) for keyid in keys}
            lacking = f"fewer than {count} people signed with meaning {meaning}"
            need(len(people) >= count, lacking)

    def _approvals(self) -> Iterator[dict[str, Any]]:
        """Yield each approval for the answer; `why_not` says why it does not count, if so."""
        for approval in self.approvals.values():
            version = self._version(self.records[self.said["registration"]])
            shown = {name: approval.said[name] for name in ("name", "meaning", "signedAt", "until")}
            why = self._why_not(approval, version)
            yield {"index": approval.number, "keyid": approval.keyid, "why_not": why, **shown}

    def answer(self) -> dict[str, Any]:
        """Return what was verified, as JSON."""
        return {
            "model": f"{self.said['model']}@{self.said['version']}",
            "bundle_sha256": self.said["bundle_sha256"],
            "verified": not self.findings,
            "findings": [{"where": where, "what": what} for where, what in self.findings],
            "records": len(self.records),
            "imported": [
                record.number
                for record in self.records.values()
                if record.audit["event"] == IMPORTED
            ],
            "files": self.files,
            "unproven": self.unproven,
            "approvals": list(self._approvals()),
            "acts": [
                {"index": act.number, "act": act.audit["stage"], "at": act.time}
                for act in self.acts
            ],
            "withdrawn": any(act.audit["stage"] == WITHDRAW for act in self.acts),
            "checkpoint": {"size": self.checkpoint.size, "root": self.checkpoint.root.hex()},
            "witnesses": self.witnesses,
            "keyid": self.keys.tenures[0][1].keyid,
            "keys": len(self.keys.tenures),
            "revoked": self.keys.revoked,
            "second": [key.keyid for key in self.keys.second],
            "second_checked": None if not self.keys.second else not self.keys.second_unchecked,
        }


def told(answer: dict[str, Any], *, given: bool) -> str:
    """Return the answer for people."""
    lines = [f"{item['where']}: {item['what']}" for item in answer["findings"]]
    lines.append(f"{answer['model']}: bundle {answer['bundle_sha256']}")
    for item in answer["acts"]:
        done = DONE_TO_IT.get(item["act"], item["act"])
        lines.append(f"{done} at {item['at']} (record {item['index']})")
    if answer["withdrawn"]:
        lines.append("the version was WITHDRAWN: that its records verify is no leave to use it")
    for item in answer["approvals"]:
        signed = f"{item['meaning']} by {item['name']} at {item['signedAt']}"
        why = f"; does not count: {item['why_not']}" if item["why_not"] else ""
        lines.append(f"{signed} (key {item['keyid'][:16]}){why}")
    result = "all verify" if answer["verified"] else f"findings: {len(answer['findings'])}"
    size = answer["checkpoint"]["size"]
    lines.append(
        f"{answer['records']} records under a checkpoint of {size} entries, "
        f"{answer['files']} files: {result}"
    )
    if answer["imported"]:
        numbers = ", ".join(map(str, answer["imported"]))
        lines.append(f"records {numbers} were only imported: what another system claims")
    for name, time in answer["witnesses"].items():
        lines.append(f"cosigned by {name} at {datetime.fromtimestamp(time, UTC).isoformat()}")
    if answer["unproven"]:
        pages = [name for name in answer["unproven"] if not name.startswith("schemas/")]
        lines.append(f"unproven, for people: {', '.join(pages)}, schemas")
    if answer["second"]:
        lines.append(second_told(answer))
    for keyid, since in answer["revoked"].items():
        lines.append(f"key {keyid} is revoked: what it signed from entry {since} on does not count")
    whose = "given" if given else "from the export itself: compare its fingerprint with its owner"
    return "\n".join(map(one_line, [*lines, f"key {answer['keyid']}, {whose}"]))


def is_below(name: str) -> bool:
    """Say whether a name is one below the folder in which an export is unpacked."""
    return not name.startswith("/") and ".." not in name.split("/") and "\\" not in name


def one_line(text: str) -> str:
    """Return text of an export as it may be shown: what a terminal would obey is spelled out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def witness(text: str) -> tuple[str, bytes]:
    """Return a witness's name and public key, of an option."""
    name, _, key = text.partition("=")
    raw = bytes.fromhex(key)
    if len(raw) != 32:
        raise ValueError("not 32 bytes")
    return name, raw


def revocation(text: str) -> tuple[str, int]:
    """Return a key's fingerprint and the first entry that does not count, of an option."""
    keyid, _, since = text.partition("=")
    if len(bytes.fromhex(keyid)) != 32 or int(since) < 0:
        raise ValueError("no fingerprint of 64 hexadecimal digits, or no entry")
    return keyid.lower(), int(since)


def second_told(answer: dict[str, Any]) -> str:
    """Return what became of the second signature, for people."""
    if answer["second_checked"]:
        return f"second signature (ML-DSA-44) verified; key {answer['second'][-1]}"
    return (
        "the second signature (ML-DSA-44) is there and COULD NOT BE CHECKED: "
        f"{NO_MLDSA}; all else was checked without it"
    )


def require_second(keys: Keys, wanted: str) -> None:
    """Refuse a log that this second key says nothing of; Unverifiable where nothing checks it."""
    if wanted not in [key.keyid for key in keys.second]:
        raise Refused("the log never had the second key that --second names")
    keys.require_handed_over(wanted)
    if keys.second_unchecked:
        raise Unverifiable(f"the second signature: {NO_MLDSA}")


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    words = argparse.ArgumentParser(description="Verify an export of Tandem's audit log.")
    here = str(Path(__file__).resolve().parent)
    words.add_argument("export", nargs="?", default=here, help="the zip or its unpacked folder")
    words.add_argument("--key", help="the log's public key, a PEM file that you trust")
    words.add_argument(
        "--second", type=str.lower, help="the fingerprint of a second key (ML-DSA-44) of the log"
    )
    words.add_argument(
        "--revoked",
        type=revocation,
        action="append",
        default=[],
        metavar="FINGERPRINT=ENTRY",
        help="a key that you know to be revoked, and the first entry that does not count",
    )
    words.add_argument(
        "--newest",
        type=str.lower,
        help="the fingerprint of the key that you know to sign the checkpoint",
    )
    words.add_argument("--json", action="store_true", help="answer with one JSON object")
    words.add_argument(
        "--witness",
        type=witness,
        action="append",
        default=[],
        metavar="NAME=KEY",
        help="who must have cosigned the checkpoint, and its key of 64 hexadecimal digits",
    )
    return words


def main(arguments: list[str] | None = None) -> int:
    """Verify, print, and return the exit code."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # one that has not every letter spells it out
            stream.reconfigure(errors="backslashreplace")
    try:
        return answered(options)
    except MemoryError:
        print("cannot be verified: it takes more memory than there is", file=sys.stderr)
        return 5


def answered(options: argparse.Namespace) -> int:
    """Verify what is asked for, print, and return the exit code."""
    try:
        export = Export(Path(options.export))
        pem = Path(options.key).read_bytes() if options.key else export.read("log.pub")
        key = Key.from_pem(pem)
        verification = Verification(export, key, options.revoked, options.newest)
        if options.second:
            require_second(verification.keys, options.second)
    except (Refused, *MALFORMED) as error:
        print(one_line(f"the checkpoint or export.json: {error}"), file=sys.stderr)
        return 4
    except (Unverifiable, OSError, ImportError) as error:
        print(one_line(f"cannot be verified: {error}"), file=sys.stderr)
        return 5
    verification.run()
    for name, raw in options.witness:
        verification.witnessed(name, Key(raw))
    answer = verification.answer()
    print(json.dumps(answer, indent=2) if options.json else told(answer, given=bool(options.key)))
    return 4 if verification.findings else 0


if __name__ == "__main__":
    sys.exit(main())
