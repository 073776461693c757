"""Notes cosigned by a witness: asked for over HTTP, kept beside the home's other anchors.

Rule: what is kept here proves that the witness saw a checkpoint; that it saw no other is what the
witness itself says, by cosigning the newest one: a monitor asks for that.
"""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.audit import base64_strict
from components.audit.anchors.anchor import Kept, note_path
from components.audit.anchors.witness import SIZE_TYPE
from components.audit.checkpoint import cosigned_at, unverified_checkpoint
from components.audit.keys import PublicKey
from components.audit.storage import create_file
from components.core.errors import IntegrityError, PlatformError

Prove = Callable[[int, int], list[bytes]]
"""Gives the proof that the log of a size extends that of an earlier one."""
_SECONDS = 30.0


@dataclass(frozen=True)
class WitnessAnchor:
    """A witness at a URL, by the name and key that it signs with."""

    url: str
    witness: str
    key: PublicKey
    folder: Path
    prove: Prove

    @property
    def name(self) -> str:
        """Which anchor this is."""
        return f"witness {self.witness}"

    def keep(self, note: str) -> str:
        """Have a note cosigned, and keep it so; return when it was signed, as POSIX seconds.

        Raises IntegrityError where the witness knows another log of that name.
        """
        checkpoint = unverified_checkpoint(note)
        old = max((unverified_checkpoint(item.note).size for item in self.kept()), default=0)
        status, answer, kind = self._ask(old, checkpoint.size, note)
        if status == 409 and kind == SIZE_TYPE and answer.strip().isdigit():
            known = int(answer)
            if known > checkpoint.size or known == old:
                raise self._refused(f"it cosigned {known} entries of another log")
            status, answer, kind = self._ask(known, checkpoint.size, note)
        if status in (409, 422):
            raise self._refused("the log does not extend what it cosigned last")
        if status != 200:
            raise self._failed(f"it answered {status}")
        cosigned = note + answer
        time = cosigned_at(cosigned, self.witness, self.key)
        with contextlib.suppress(FileExistsError):
            create_file(self.folder / note_path(note), cosigned.encode(), mode=0o644)
        return str(time)

    def kept(self) -> Iterator[Kept]:
        """Yield the cosigned notes; raise IntegrityError for one that the witness did not sign."""
        for path in sorted(self.folder.glob("*/[0-9]*")):
            note = path.read_text("utf-8")
            cosigned_at(note, self.witness, self.key)
            yield Kept(f"{self.name} {path.name}", note)

    def cosignature(self, note: str) -> tuple[str, int] | None:
        """Return the line that the witness wrote beneath a note, and when; None where it has none.

        Raises IntegrityError for a kept note that the witness did not sign.
        """
        path = self.folder / note_path(note)
        kept = path.read_text("utf-8") if path.is_file() else ""
        if not kept.startswith(note):
            return None
        return kept.removeprefix(note), cosigned_at(kept, self.witness, self.key)

    def _ask(self, old: int, size: int, note: str) -> tuple[int, str, str]:
        hashes = self.prove(old, size) if 0 < old < size else []
        lines = [f"old {old}", *map(base64_strict.encode, hashes), "", note]
        request = urllib.request.Request(  # noqa: S310 - settings allow http and https alone
            f"{self.url.rstrip('/')}/add-checkpoint", "\n".join(lines).encode(), method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return answer.status, answer.read().decode(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers.get_content_type()
        except (OSError, ValueError) as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> PlatformError:
        return PlatformError(
            f"the {self.name} failed: {why}", remedy="see that it runs and knows this log's key"
        )

    def _refused(self, why: str) -> IntegrityError:
        return IntegrityError(
            f"the {self.name} refuses the log: {why}",
            remedy="compare the log with an earlier copy of it",
        )
