"""Which second key signs which checkpoint: what the log's records of its second key say.

Rules: a log has none until a record says `begin`; from the checkpoint that covers that record on,
each needs the second signature, and one without it is refused. `rotate` names the next key, by a
signature of the key before it (the handover), because the Ed25519 key that signs the record is what
the second one is there to outlast. `revoke` says from which last entry on the checkpoints of a
former key do not count. A second signature cannot be given up again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from components.audit import base64_strict
from components.audit.checkpoint import Checkpoint, Note, key_id
from components.audit.second_key import SIGNATURE_BYTES, SecondPublicKey, SecondSigningKey
from components.audit.tenure import Tenure, revoked
from components.core.errors import IntegrityError

BEGIN, ROTATE, REVOKE = "begin", "rotate", "revoke"
_KIND = b"\x06"
_NO_TIME = bytes(8)


@dataclass(frozen=True)
class SecondHistory:
    """The tenures of a log's second keys, in order; none in a log that never asked for one."""

    tenures: tuple[Tenure[SecondPublicKey], ...] = ()

    @property
    def key(self) -> SecondPublicKey | None:
        """The key that signs now."""
        return self.tenures[-1].key if self.tenures else None

    def of_size(self, size: int) -> SecondPublicKey | None:
        """Return the key whose signature the checkpoint of a size needs, None where none is."""
        return next((t.key for t in reversed(self.tenures) if t.first < size), None)

    def require_signed(self, note: Note) -> None:
        """Raise IntegrityError unless a note has the second signature that its size needs."""
        checkpoint = note.checkpoint
        key = self.of_size(checkpoint.size)
        if key is None:
            return
        name = (checkpoint.origin, key_id(checkpoint.origin, key.raw, _KIND))
        found = [data[4:] for signer, data in note.signatures if (signer, data[:4]) == name]
        if not found:
            raise _refused("the checkpoint lacks the second signature, of ML-DSA-44")
        if not all(_signs(key, data, checkpoint) for data in found):
            raise _refused("the second signature on the checkpoint, of ML-DSA-44, is wrong")

    @property
    def revoked(self) -> list[Tenure[SecondPublicKey]]:
        """The tenures some of whose checkpoints, by their last entries, do not count."""
        return [item for item in self.tenures if item.revoked_entries]

    def after(
        self, said: Mapping[str, Any], index: int, origin: str, previous: str
    ) -> SecondHistory:
        """Return the history after a change that an entry records, verified by its holder.

        `previous` is the digest of the record of the change before it.
        """
        key = SecondPublicKey(bytes.fromhex(said["key"]["public"]))
        if said["key"]["keyid"] != key.keyid:
            raise _refused(f"entry {index} names a second key by another's id")
        if said["change"] == REVOKE:
            return SecondHistory(tuple(revoked(self.tenures, key, said["from"], index)))
        if not key.verifies(
            base64_strict.signature(said["possession"]), possession_message(origin, key)
        ):
            raise _refused(f"the second key that entry {index} names has not signed for itself")
        if any(item.key == key for item in self.tenures):
            raise _refused(f"entry {index} names a second key that the log had before")
        self._require_handover(said, key, index, handover_message(origin, key, previous))
        former = [replace(item, end=index) for item in self.tenures[-1:]]
        return SecondHistory((*self.tenures[:-1], *former, Tenure(key, index)))

    def _require_handover(
        self, said: Mapping[str, Any], key: SecondPublicKey, index: int, message: bytes
    ) -> None:
        if (said["change"] == BEGIN) != (self.key is None):
            raise _refused(f"entry {index} begins a second key beside another, or rotates none")
        if self.key is not None and not self.key.verifies(
            base64_strict.signature(said["handover"]), message
        ):
            raise _refused(f"the second key before it did not hand over to that of entry {index}")


def second_line(checkpoint: Checkpoint, key: SecondSigningKey) -> str:
    """Return the second signature's line on a checkpoint's note."""
    signed = _NO_TIME + key.sign(cosigned_message(checkpoint))
    data = key_id(checkpoint.origin, key.public.raw, _KIND) + signed
    return f"— {checkpoint.origin} {base64_strict.encode(data)}\n"


def cosigned_message(checkpoint: Checkpoint) -> bytes:
    """Return what is signed: tlog-cosignature's cosigned_message; without the extension lines."""
    name = checkpoint.origin.encode()
    named = len(name).to_bytes(1) + name
    span = bytes(8) + checkpoint.size.to_bytes(8)
    return b"subtree/v1\n\x00" + named + _NO_TIME + named + span + checkpoint.root


def change_of_second_key(
    previous: Mapping[str, Any] | None,
    change: str,
    key: SecondPublicKey,
    reason: str,
    **parts: Any,
) -> dict[str, Any]:
    """Return the fields of a change: `handed_over` of a new key, `from` of a revocation."""
    return {
        "change": change,
        "key": {"keyid": key.keyid, "public": key.raw.hex()},
        "possession": None,
        "handover": None,
        "from": None,
        "previous": previous,
        "reason": reason,
    } | parts


def handed_over(
    origin: str,
    previous: Mapping[str, Any] | None,
    made: SecondSigningKey,
    former: SecondSigningKey | None,
) -> dict[str, str | None]:
    """Return a new key's signature for itself, and that of the key before it, if there is one."""
    message = handover_message(origin, made.public, previous["record"] if previous else "")
    own = made.sign(possession_message(origin, made.public))
    handover = base64_strict.encode(former.sign(message)) if former else None
    return {"possession": base64_strict.encode(own), "handover": handover}


def possession_message(origin: str, key: SecondPublicKey) -> bytes:
    """Return what a new second key signs, to show that whoever names it has it."""
    return f"tandem second key of {origin}\n{key.raw.hex()}\n".encode()


def handover_message(origin: str, key: SecondPublicKey, previous: str) -> bytes:
    """Return what the key before signs, for this one place among the changes of keys."""
    return f"tandem next second key of {origin}\nafter {previous}\n{key.raw.hex()}\n".encode()


def _signs(key: SecondPublicKey, data: bytes, checkpoint: Checkpoint) -> bool:
    time, signed = data[:8], data[8:]
    whole = time == _NO_TIME and len(signed) == SIGNATURE_BYTES and checkpoint.size < 2**64
    return whole and key.verifies(signed, cosigned_message(checkpoint))


def _refused(why: str) -> IntegrityError:
    return IntegrityError(why, remedy="compare the log with another copy of it")
