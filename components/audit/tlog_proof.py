"""Proof files that others can read: C2SP tlog-proof, one file for one record.

Rules: a file holds a record's index, the hashes that lead from it to the checkpoint's root, and the
checkpoint as it was signed; the envelope goes beside it. It is read only in the form that we would
write. The extra data of the format is unauthenticated: it is kept, and nothing is made of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from components.audit import base64_strict
from components.audit.answers import InclusionProof
from components.audit.checkpoint import Checkpoint, unverified_checkpoint
from components.audit.key_history import KeyHistory, open_note
from components.audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from components.core.errors import IntegrityError

SUFFIX = ".tlog-proof"
_HEAD = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True)
class TlogProof:
    """A record's place in a log, and the signed note that covers it."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes | None = None

    @classmethod
    def of(cls, proof: InclusionProof, note: str) -> TlogProof:
        """Return the proof of a record under a note."""
        return cls(proof.index, proof.hashes, note)

    def to_text(self) -> str:
        """Return the file's text."""
        extra = [] if self.extra is None else [f"extra {base64_strict.encode(self.extra)}"]
        hashes = [base64_strict.encode(item) for item in self.hashes]
        return "\n".join([_HEAD, *extra, f"index {self.index}", *hashes, "", self.note])

    @classmethod
    def from_text(cls, text: str) -> TlogProof:
        """Read what `to_text` wrote; raise IntegrityError for anything else."""
        head, separator, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        try:
            if not separator or first != _HEAD:
                raise ValueError("its first line is another, or it has no checkpoint")
            extra = _extra(lines)
            match = _INDEX.fullmatch(lines.pop(0)) if lines else None
            if match is None:
                raise ValueError("it names no index")
            hashes = tuple(base64_strict.decode(line) for line in lines)
            if any(len(item) != HASH_BYTES for item in hashes):
                raise ValueError("a hash is not of SHA-256")
        except ValueError as error:
            raise IntegrityError(
                f"it is no tlog-proof: {error}", remedy="have the proof made again"
            ) from error
        unverified_checkpoint(note)
        return cls(int(match[1]), hashes, note, extra)

    def verify(self, envelope: bytes, keys: KeyHistory) -> Checkpoint:
        """Return the checkpoint, verified, under which these bytes lie; else IntegrityError."""
        checkpoint = open_note(self.note, keys)
        verify_inclusion(
            leaf_hash(envelope), self.index, checkpoint.size, self.hashes, checkpoint.root
        )
        return checkpoint


def _extra(lines: list[str]) -> bytes | None:
    """Take the optional line of extra data off the others."""
    if not lines or not lines[0].startswith("extra "):
        return None
    return base64_strict.decode(lines.pop(0).removeprefix("extra "))
