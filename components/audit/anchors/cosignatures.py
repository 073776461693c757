"""What a home's witnesses signed beneath a checkpoint, as it is kept here: nobody is asked.

Rules: a line is given on only where the witness's key verifies it for this very note; a witness
that did not cosign this checkpoint is named, so that its absence is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.audit.anchors.cosigned import WitnessAnchor
from components.audit.anchors.settings import anchors_of


@dataclass(frozen=True)
class Cosigned:
    """A note with the lines of the witnesses in `by`, POSIX seconds by name; `not_by` have none."""

    note: str
    by: Mapping[str, int]
    not_by: tuple[str, ...]


def cosigned(home: Path, note: str) -> Cosigned:
    """Return a note of a home's log with every cosignature that the home keeps of it.

    Raises SettingsError for anchors that cannot be, IntegrityError where what is kept is not the
    witness's.
    """
    by, not_by, signed = {}, [], note
    for anchor in anchors_of(home, lambda first, second: []):
        if not isinstance(anchor, WitnessAnchor):
            continue
        found = anchor.cosignature(note)
        if found is None:
            not_by.append(anchor.witness)
        else:
            line, by[anchor.witness] = found
            signed += line
    return Cosigned(signed, by, tuple(not_by))
