"""What signs a log's entries and checkpoints: the private keys that its history names, when needed.

Rule: a key is read from the disk once, at its first use; one that is gone is an IntegrityError.
"""

from __future__ import annotations

from components.audit.checkpoint import Checkpoint
from components.audit.key_history import KeyHistory
from components.audit.keyring import Keyring
from components.audit.keys import PublicKey, Signs
from components.audit.second_history import second_line
from components.audit.second_key import SecondPublicKey, SecondSigningKey


class Signers:
    """The private keys of a log's notary, by their public halves."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._keys: dict[PublicKey, Signs] = {}
        self._second: dict[SecondPublicKey, SecondSigningKey] = {}

    def require(self, history: KeyHistory, size: int) -> None:
        """Raise IntegrityError unless what signs a log of that size is there."""
        self.of_entry(history, size)
        if history.second.key is not None:
            self._second_key(history.second.key)

    def of_entry(self, history: KeyHistory, index: int) -> Signs:
        """Return the key that signs an entry."""
        return self._key(history.holder(index))

    def note(self, history: KeyHistory, size: int, root: bytes) -> str:
        """Return the signed note over a tree, with a second signature where the log asks for it."""
        checkpoint = Checkpoint(history.origin, size, root, history.extensions)
        note = checkpoint.sign(self._key(history.of_size(size)))
        second = history.second.of_size(size)
        return note if second is None else note + second_line(checkpoint, self._second_key(second))

    def _key(self, public: PublicKey) -> Signs:
        if public not in self._keys:
            self._keys[public] = self._keyring.signing_key(public)
        return self._keys[public]

    def _second_key(self, public: SecondPublicKey) -> SecondSigningKey:
        if public not in self._second:
            self._second[public] = self._keyring.second_key(public)
        return self._second[public]
