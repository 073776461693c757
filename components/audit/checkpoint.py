"""A signed statement of the log's size and root: C2SP tlog-checkpoint in a C2SP signed note.

Rules: the origin names the log and is the signer's key name; lines of signers that we do not know
(witnesses, say) are ignored, a bad line of the signer that we know is refused, and so is a note
that our signer did not sign. A note is read only in the one form that we would write.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass

from components.audit import base64_strict
from components.audit.keys import PublicKey, SigningKey, Signs
from components.audit.merkle import HASH_BYTES
from components.core.errors import IntegrityError

_ED25519 = b"\x01"
_COSIGNATURE = b"\x04"
_COSIGNATURE_BYTES = 4 + 8 + 64
_KEY_ID_BYTES = 4
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_SIZE = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def origin_of(key: PublicKey) -> str:
    """Return the name of the log that this key signs."""
    return f"tandem.invalid/log-{key.keyid[:16]}"


@dataclass(frozen=True)
class Checkpoint:
    """The log named `origin` had `size` leaves under `root`; `extensions` are opaque lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the note's text, which is what is signed."""
        lines = [self.origin, str(self.size), base64_strict.encode(self.root), *self.extensions]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Checkpoint:
        """Read the note's text; raise ValueError unless `to_text` would write the same."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise ValueError("a checkpoint has three lines or more, none of them empty")
        origin, size, root, *extensions = lines[:-1]
        if not _SIZE.fullmatch(size):
            raise ValueError(f"not a tree size: {size}")
        checkpoint = cls(origin, int(size), base64_strict.decode(root), tuple(extensions))
        if len(checkpoint.root) != HASH_BYTES:
            raise ValueError("the root is not a SHA-256 hash")
        return checkpoint

    def sign(self, key: Signs) -> str:
        """Return the signed note."""
        text = self.to_text()
        signature = key_id(self.origin, key.public.raw) + key.sign(text.encode())
        return f"{text}\n— {self.origin} {base64_strict.encode(signature)}\n"


@dataclass(frozen=True)
class Note:
    """A signed note that was read, not verified: its text, what that says, and who signed it.

    `signatures` are pairs of a name and of key ID and signature.
    """

    text: str
    checkpoint: Checkpoint
    signatures: tuple[tuple[str, bytes], ...]

    @classmethod
    def read(cls, note: str) -> Note:
        """Read a note; raise IntegrityError for what is none, or not of a checkpoint."""
        text, signatures = split(note)
        try:
            return cls(text, Checkpoint.from_text(text), tuple(signatures))
        except ValueError as error:
            raise _refused(f"the checkpoint cannot be read: {error}") from error

    def signed_by(self, key: PublicKey, origin: str) -> Checkpoint:
        """Return what it says; raise IntegrityError unless the key signed it for that origin."""
        name, text = (origin, key_id(origin, key.raw)), self.text.encode()
        ours = [data for signer, data in self.signatures if (signer, data[:_KEY_ID_BYTES]) == name]
        if not ours:
            raise _refused("the checkpoint is not signed by the log's key")
        if not all(key.verifies(data[_KEY_ID_BYTES:], text) for data in ours):
            raise _refused("a signature on the checkpoint is wrong")
        if self.checkpoint.origin != origin:
            raise _refused("the checkpoint is of another log", origin, self.checkpoint.origin)
        return self.checkpoint


def open_checkpoint(note: str, key: PublicKey, origin: str | None = None) -> Checkpoint:
    """Return what a note says; raise IntegrityError unless the key signed it for that origin.

    The origin is that of the log's first key, which `key` is unless one is given.
    """
    return Note.read(note).signed_by(key, origin or origin_of(key))


def unverified_checkpoint(note: str) -> Checkpoint:
    """Return what a note says without looking at who signed it."""
    return Note.read(note).checkpoint


def cosign(note: str, name: str, key: SigningKey, time: int) -> str:
    """Return a witness's line on a note, at a POSIX time (C2SP tlog-cosignature/v1)."""
    signed = key.sign(_cosigned(split(note)[0], time))
    data = key_id(name, key.public.raw, _COSIGNATURE) + time.to_bytes(8) + signed
    return f"— {name} {base64_strict.encode(data)}\n"


def cosigned_at(note: str, name: str, key: PublicKey) -> int:
    """Return when a witness signed a note; raise IntegrityError where it did not."""
    text, signatures = split(note)
    ours = (name, key_id(name, key.raw, _COSIGNATURE))
    for signer, data in signatures:
        if (signer, data[:_KEY_ID_BYTES]) == ours and len(data) == _COSIGNATURE_BYTES:
            time = int.from_bytes(data[4:12])
            if key.verifies(data[12:], _cosigned(text, time)):
                return time
    raise _refused(f"the checkpoint is not cosigned by {name}")


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


@functools.lru_cache(256)
def key_id(name: str, public: bytes, kind: bytes = _ED25519) -> bytes:
    """Return the key ID of the signed-note format, of a public key and a type of signature."""
    preimage = name.encode() + b"\n" + kind + public
    return hashlib.sha256(preimage).digest()[:_KEY_ID_BYTES]


def split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the note's text and its (name, key ID and signature) pairs."""
    text, separator, block = note.rpartition("\n\n")
    if not separator or not block.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise _refused("the checkpoint is not a signed note")
    pairs = []
    for line in block[:-1].split("\n"):
        match = _SIGNATURE_LINE.fullmatch(line)
        if match is None:
            raise _refused("the checkpoint holds a line that is not a signature")
        try:
            pairs.append((match[1], base64_strict.decode(match[2])))
        except ValueError as error:
            raise _refused(f"a signature on the checkpoint is {error}") from error
    return text + "\n", pairs


def _refused(why: str, expected: object = None, actual: object = None) -> IntegrityError:
    return IntegrityError(
        why,
        remedy="do not rely on this log; compare with an earlier copy of its checkpoints",
        expected=expected,
        actual=actual,
    )
