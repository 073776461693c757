"""tlog-proof files (C2SP tlog-proof): a record's place in the log, and the checkpoint it is under.

    c2sp.org/tlog-proof@v1
    index N
    HASH in base 64, from the leaf's sibling up

    the signed note

Rules: the record's bytes are not in it; a file is read only in the one form that we would write,
and what it says is verified by whoever reads it (proof.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from components.audit import base64_strict
from components.audit.merkle import HASH_BYTES
from components.core.errors import IntegrityError

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
_INDEX = re.compile(r"index (0|[1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True)
class TlogProof:
    """An index, the hashes of the inclusion proof, and the signed note."""

    index: int
    hashes: Sequence[bytes]
    note: str

    def to_text(self) -> str:
        """Return the file's text."""
        lines = [HEADER, f"index {self.index}", *map(base64_strict.encode, self.hashes)]
        return "\n".join(lines) + f"\n\n{self.note}"

    @classmethod
    def from_text(cls, text: str) -> TlogProof:
        """Read what `to_text` wrote; raise IntegrityError for anything else.

        The line `extra`, which the form allows, is refused: we have no meaning for it.
        """
        proof, separator, note = text.partition("\n\n")
        header, *lines = proof.split("\n")
        found = _INDEX.fullmatch(lines[0]) if lines else None
        if header != HEADER or not separator or found is None:
            raise _refused("it is no tlog-proof")
        try:
            hashes = tuple(base64_strict.decode(line) for line in lines[1:])
        except ValueError as error:
            raise _refused(str(error)) from error
        if any(len(item) != HASH_BYTES for item in hashes):
            raise _refused("it has a hash that is none")
        return cls(int(found[1]), hashes, note)


def _refused(why: str) -> IntegrityError:
    return IntegrityError(
        f"a proof cannot be read: {why}", remedy="get the proof again from whoever has the log"
    )
