"""Exports that a thief of the notary's key wrote: the whole log changed, and packed as before.

The thief signs all records and the checkpoint again, with the digests that follow, and packs the
same entries by hand: what `tandem audit export` would refuse to pack is no help to a verifier.
Used by test_*.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from careful_thief import keyed
from exported_files import Files

from components.audit.answers import AUDIT
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import Envelope
from components.audit.keys import SigningKey
from components.audit.merkle import Tree, leaf_hash
from components.audit.tlog_proof import TlogProof
from components.core.canonical import sha256_bytes

Change = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True)
class Loot:
    """What the thief has: the log's entries, an export of a version, and the key."""

    entries: tuple[bytes, ...]
    files: Files
    key: SigningKey

    def forged(self, *changes: Change, packed: tuple[int, ...] = ()) -> Files:
        """Return the export after changes of the log; `packed` are further entries to pack."""
        leaves = self.entries
        renamed: dict[str, str] = {}
        for change in changes:
            leaves = self._signed_again(leaves, change, renamed)
        tree = Tree()
        for leaf in leaves:
            tree.append(leaf_hash(leaf))
        note = Checkpoint(origin_of(self.key.public), tree.size, tree.root()).sign(self.key)
        others = {name: d for name, d in self.files.items() if not name.startswith("records/")}
        forged = {**others, "checkpoint": note.encode()}
        forged["export.json"] = _named_anew(others["export.json"].decode(), renamed).encode()
        for index in {*packed, *self._packed()}:
            proof = TlogProof(index, tuple(tree.inclusion_proof(index)), note).to_text()
            forged[f"records/{index:09d}.json"] = leaves[index]
            forged[f"records/{index:09d}.tlog-proof"] = proof.encode()
        return forged

    def _packed(self) -> list[int]:
        return [int(name[8:-5]) for name in self.files if re.fullmatch(r"records/\d+\.json", name)]

    def _signed_again(
        self, leaves: tuple[bytes, ...], change: Change, renamed: dict[str, str]
    ) -> tuple[bytes, ...]:
        statements = [json.loads(Envelope.from_bytes(leaf).payload) for leaf in leaves]
        change(statements)
        now: dict[str, str] = {}
        signed = []
        for old, statement in zip(leaves, statements, strict=True):
            said = json.loads(_named_anew(json.dumps(statement), now))
            if said["predicate"][AUDIT]["idempotency_key"] != "0" * 64:
                said = _keyed(said)
            signed.append(Envelope.sign(said, self.key).to_bytes())
            now[sha256_bytes(old)] = sha256_bytes(signed[-1])
        for first, last in list(renamed.items()):
            renamed[first] = now.get(last, last)
        for old, new in now.items():
            renamed.setdefault(old, new)
        return tuple(signed)


def _named_anew(text: str, renamed: dict[str, str]) -> str:
    return re.sub("[0-9a-f]{64}", lambda found: renamed.get(found[0], found[0]), text)


def _keyed(statement: dict[str, Any]) -> dict[str, Any]:
    """Give a record the key of what it says, unless it lacks what is in it."""
    try:
        return keyed(statement)
    except KeyError:
        return statement
