"""Drafts on their way into the log, each under the digest of its own bytes.

    waiting/SHA256    a draft that is not in the log yet
    settled/SHA256    the record that a draft became which nobody waited for
    refused/SHA256    why a draft can be no record, and which attempt it said it was of

Rules: whoever has a draft puts it, without any lock, since the same draft has the same name; only
the notary that holds the log takes one away, when it is in the log or was refused. Nothing here is
trusted: a draft meets all the notary's rules when it is drained, and bytes that are not those of
their name are none. A record is named SPOOLED and the draft's digest until it has one of its own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from components.audit.storage import ObjectExists, PosixStorage, Storage, create_files
from components.core.errors import PlatformError, TandemError

SPOOLED = "spooled:"
_WAITING, _SETTLED, _REFUSED = "waiting", "settled", "refused"


class RemovableStorage(Storage, Protocol):
    """A store whose objects can go again."""

    def place(self, key: str) -> str:
        """Return where an object lies, for people."""

    def remove(self, key: str) -> None:
        """Remove an object; nothing where there is none."""


@dataclass(frozen=True)
class PosixSpoolStorage(PosixStorage):
    """Files below a folder, on disk before `create` returns only if durable."""

    durable: bool = True

    def create(self, key: str, data: bytes) -> None:
        """Create a file of that name; raise PlatformError where the machine refuses."""
        files = [(self.folder / key, data)]
        try:
            create_files(files, mode=0o644, beside=self._beside, durable=self.durable)
        except FileExistsError:
            raise ObjectExists(key) from None
        except OSError as error:
            raise PlatformError(
                f"the spool cannot be written: {error.strerror or error}",
                remedy=f"make room or fix permissions in {self.folder}",
            ) from error

    def place(self, key: str) -> str:
        """Return the file's path."""
        return str(self.folder / key)

    def remove(self, key: str) -> None:
        """Remove a file."""
        (self.folder / key).unlink(missing_ok=True)


@dataclass(frozen=True)
class Spool:
    """The drafts that wait, and what became of those that did."""

    storage: RemovableStorage

    def put(self, data: bytes) -> str:
        """Keep a draft's bytes and return their digest, its name."""
        name = sha256(data).hexdigest()
        self._create(_WAITING, name, data)
        return name

    def waiting(self) -> Iterator[tuple[str, bytes]]:
        """Yield the drafts that wait; what a crash of the machine spoilt goes."""
        for key in list(self.storage.keys(_WAITING)):
            name = key.rpartition("/")[2]
            data = self.storage.read(key)
            if data is None or sha256(data).hexdigest() != name:
                self.storage.remove(key)
            else:
                yield name, data

    def take(self, name: str) -> None:
        """Take a draft away whose sender knows what became of it."""
        self.storage.remove(f"{_WAITING}/{name}")

    def settle(self, name: str, record: str) -> None:
        """Say which record a draft became, and take it away."""
        self._create(_SETTLED, name, record.encode())
        self.take(name)

    def refuse(self, name: str, error: TandemError, of: Mapping[str, str | None]) -> None:
        """Say why a draft is no record and what it was `of`, and take it away."""
        self._create(_REFUSED, name, json.dumps(error.to_dict() | {"of": of}).encode())
        self.take(name)

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names of what waits and of what was refused."""
        return list(self.storage.keys(_WAITING)), list(self.storage.keys(_REFUSED))

    def looked_at(self) -> Iterator[tuple[str, bytes]]:
        """Yield where each draft that waits lies, and its bytes; nothing is taken away."""
        return self._looked_at(_WAITING)

    def refusals(self) -> Iterator[tuple[str, bytes]]:
        """Yield where each refusal lies, and its bytes."""
        return self._looked_at(_REFUSED)

    def _looked_at(self, state: str) -> Iterator[tuple[str, bytes]]:
        for key in list(self.storage.keys(state)):
            if (data := self.storage.read(key)) is not None:
                yield self.storage.place(key), data

    def record(self, reference: str) -> str:
        """Return the record that a reference stands for: itself, or what a draft became, or it."""
        if not reference.startswith(SPOOLED):
            return reference
        settled = self.storage.read(f"{_SETTLED}/{reference.removeprefix(SPOOLED)}")
        return settled.decode("ascii", "replace") if settled else reference

    def _create(self, state: str, name: str, data: bytes) -> None:
        with contextlib.suppress(ObjectExists):
            self.storage.create(f"{state}/{name}", data)


def folder_spool(folder: Path, *, durable: bool = True) -> Spool:
    """Return the spool in a folder, there or not yet."""
    return Spool(PosixSpoolStorage(folder, durable))
