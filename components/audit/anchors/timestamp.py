"""Notes with a time stamp of RFC 3161: an authority says that they were there at a time.

Rules: the stamp's response is kept beside the note, below the home, and is worth what the
authority's certificate is: it verifies offline by the root that the home names, over the note's
exact bytes. Like any copy in the home, one that is gone shows nothing; keep the folder elsewhere
too.
"""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.anchors.anchor import Kept, note_path
from components.audit.storage import create_file
from components.core.errors import IntegrityError, PlatformError, SettingsError

_SECONDS = 30.0
_TYPE = "application/timestamp-query"


@dataclass(frozen=True)
class TimestampAnchor:
    """An authority at a URL, the PEM file of the root that it is trusted by, and a folder."""

    url: str
    root: Path
    folder: Path

    @property
    def name(self) -> str:
        """Which anchor this is."""
        return "timestamp"

    def keep(self, note: str) -> str:
        """Have a note stamped, verify the stamp and keep both; return the time, ISO 8601."""
        import rfc3161_client as client

        path = self.folder / note_path(note)
        stamp = path.with_suffix(".tsr")
        if not stamp.exists():
            request = client.TimestampRequestBuilder().data(note.encode()).build()
            answer = self._ask(request.as_bytes())
            self._verified(note, answer, request)
            with contextlib.suppress(FileExistsError):
                create_file(path, note.encode(), mode=0o644)
            with contextlib.suppress(FileExistsError):
                create_file(stamp, answer, mode=0o644)
        return self._verified(path.read_text("utf-8"), stamp.read_bytes())

    def kept(self) -> Iterator[Kept]:
        """Yield the stamped notes; raise IntegrityError for a stamp that does not verify."""
        for stamp in sorted(self.folder.glob("*/[0-9]*.tsr")):
            note = stamp.with_suffix("").read_text("utf-8")
            time = self._verified(note, stamp.read_bytes())
            yield Kept(f"timestamp {stamp.stem} of {time}", note)

    def _ask(self, request: bytes) -> bytes:
        question = urllib.request.Request(  # noqa: S310 - settings allow http and https alone
            self.url, request, {"Content-Type": _TYPE}, method="POST"
        )
        try:
            with urllib.request.urlopen(question, timeout=_SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except (OSError, ValueError) as error:
            raise PlatformError(
                f"the time-stamping authority {self.url} failed: {error}",
                remedy="see that it can be reached",
            ) from error

    def _verified(self, note: str, answer: bytes, request: Any = None) -> str:
        """Return when the note was stamped; raise IntegrityError where it was not."""
        import rfc3161_client as client

        builder = (
            client.VerifierBuilder.from_request(request) if request else client.VerifierBuilder()
        )
        try:
            response = client.decode_timestamp_response(answer)
            builder = builder.add_root_certificate(_certificate(self.root))
            builder.build().verify_message(response, note.encode())
        except (ValueError, client.VerificationError) as error:
            raise IntegrityError(
                f"the time stamp of {note_path(note)} does not verify: {error}",
                remedy="compare the log with another copy of it",
            ) from error
        return str(response.tst_info.gen_time.isoformat())


def _certificate(path: Path) -> Any:
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} is no certificate: {error}", remedy="give the authority's root, as PEM"
        ) from error
