"""A witness: cosigns a log's checkpoint only where it extends the one cosigned last.

Rules (https://c2sp.org/tlog-witness, add-checkpoint): the log's signature first, then the old size,
then the consistency proof; the new checkpoint is on disk before the cosignature is given, and one
request is looked at after another, so no two answers tell different stories. It knows nothing of
records. A log whose keys changed is known by all its keys.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from components.audit import base64_strict
from components.audit.checkpoint import Checkpoint, cosign, open_checkpoint, unverified_checkpoint
from components.audit.keys import PublicKey, SigningKey
from components.audit.merkle import verify_consistency
from components.audit.storage import create_file
from components.core.errors import IntegrityError

MOST_HASHES = 63
SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True)
class Answer:
    """What is sent back: a cosignature, or why there is none."""

    status: HTTPStatus
    body: str = ""
    type: str = "text/plain; charset=utf-8"


class Witness:
    """A witness of the logs that it is told of, by their names; state lies in a folder."""

    def __init__(
        self,
        name: str,
        key: SigningKey,
        logs: Mapping[str, Sequence[PublicKey]],
        folder: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._key, self._logs, self._folder = name, key, logs, folder
        self._clock = clock
        self._mutex = threading.Lock()

    def add_checkpoint(self, body: str) -> Answer:
        """Return the answer to a request of that body."""
        try:
            old, proof, note = _request(body)
            claimed = unverified_checkpoint(note)
        except (ValueError, IntegrityError) as error:
            return Answer(HTTPStatus.BAD_REQUEST, f"{error}\n")
        if claimed.origin not in self._logs:
            return Answer(HTTPStatus.NOT_FOUND)
        checkpoint = self._signed(note, claimed.origin)
        if checkpoint is None:
            return Answer(HTTPStatus.FORBIDDEN)
        if old > checkpoint.size:
            return Answer(HTTPStatus.BAD_REQUEST)
        with self._mutex:
            return self._decide(old, proof, checkpoint, note)

    def _signed(self, note: str, origin: str) -> Checkpoint | None:
        for key in self._logs[origin]:
            try:
                return open_checkpoint(note, key, origin)
            except IntegrityError:
                continue
        return None

    def _decide(
        self, old: int, proof: Sequence[bytes], checkpoint: Checkpoint, note: str
    ) -> Answer:
        last = self._last(checkpoint.origin)
        size = last.size if last else 0
        if old != size or (old == checkpoint.size and last and last.root != checkpoint.root):
            return Answer(HTTPStatus.CONFLICT, f"{size}\n", SIZE_TYPE)
        try:
            if last is not None and size:
                verify_consistency(size, checkpoint.size, last.root, checkpoint.root, proof)
            elif proof:
                raise IntegrityError("a proof from the empty tree", remedy="send none")
        except IntegrityError as error:
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error.message}\n")
        with contextlib.suppress(FileExistsError):
            name = f"{checkpoint.size:012d}"
            create_file(self._place(checkpoint.origin) / name, note.encode(), mode=0o644)
        return Answer(HTTPStatus.OK, cosign(note, self._name, self._key, int(self._clock())))

    def _last(self, origin: str) -> Checkpoint | None:
        path = max(self._place(origin).glob("[0-9]*"), default=None)
        return unverified_checkpoint(path.read_text("utf-8")) if path else None

    def _place(self, origin: str) -> Path:
        return self._folder / sha256(origin.encode()).hexdigest()


def _request(body: str) -> tuple[int, list[bytes], str]:
    """Return the old size, the proof and the note of a request; raise ValueError for another."""
    head, separator, note = body.partition("\n\n")
    first, *lines = head.split("\n")
    digits = first.removeprefix("old ")
    if not separator or first == digits or not digits.isascii() or not digits.isdigit():
        raise ValueError("the request does not begin with an old size")
    if str(int(digits)) != digits or len(lines) > MOST_HASHES:
        raise ValueError("the old size or the proof is of another form")
    return int(digits), [base64_strict.decode(line) for line in lines], note
