"""Checkpoints: where an interrupted training goes on from, as files that prove themselves.

    FOLDER/<step>-<sha256 of the file>.safetensors

Rules:
1. a checkpoint is one safetensors file: arrays by name, and a JSON header among its metadata with
   the stage's key, the digest of the settings and the place in the training;
2. it is written beside, forced to the disk and renamed; the last two are kept;
3. its name holds the digest of its bytes, so one cut in half or changed is known by itself: it is
   skipped for the one before it, with a line in the log;
4. the folder bears the stage's key: one that names another key or other settings was put there by
   hand, and is refused;
5. what cannot be written costs safety, not the training: one line of warning says so.
Nothing is written where no folder is given. The folder is removed by who gave it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from components.core.canonical import canonical_json, sha256_bytes, sha256_file, sha256_value
from components.core.errors import SettingsError
from components.core.settings import Section
from components.core.training_settings import Train
from components.training.stopping import Watch

log = logging.getLogger(__name__)
Array = np.ndarray[Any, Any]
State = Mapping[str, Array]
KEPT = 2
SUFFIX = ".safetensors"
_HEADER = "tandem"
_BEST = "best/"


class Place(Section):
    """Where a training stands: steps in all, and what of the epoch under way has been taken.

    `rows` and `loss_sum` are the epoch's so far; `epoch_rows` and `epoch_losses`, the means over an
    epoch's rows, are those of the epochs done.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    rows: int = 0
    loss_sum: float = 0.0
    epoch_rows: tuple[int, ...] = ()
    epoch_losses: tuple[float, ...] = ()
    watch: Watch = Watch()


class Header(Section):
    """What a checkpoint says of itself."""

    version: Literal[1] = 1
    key: str
    settings_sha256: str
    place: Place


@dataclass(frozen=True)
class Checkpoint:
    """A place, the state to go on from, and the best weights so far ({}: there are none)."""

    place: Place
    state: State
    best: State


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one stage with one key; `folder` None keeps none."""

    folder: Path | None
    train: Train

    @property
    def is_on(self) -> bool:
        """Say whether there is a place for checkpoints."""
        return self.folder is not None

    def are_due(self, step: int) -> bool:
        """Say whether the settings ask for a checkpoint after that many steps."""
        every = self.train.checkpoint_steps
        return self.is_on and every > 0 and step % every == 0

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove all but the last two."""
        if self.folder is None:
            return
        header = self._header(checkpoint.place).model_dump(mode="json")
        best = {f"{_BEST}{name}": array for name, array in checkpoint.best.items()}
        arrays = {n: np.asarray(a, order="C") for n, a in {**checkpoint.state, **best}.items()}
        content = save(arrays, {_HEADER: canonical_json(header).decode()})
        name = f"{checkpoint.place.step:012d}-{sha256_bytes(content)}{SUFFIX}"
        try:
            _write(self.folder / name, content)
            for older in self._files()[KEPT:]:
                older.unlink()
        except OSError as error:
            log.warning("no checkpoint of step %d is kept: %s", checkpoint.place.step, error)

    def latest(self) -> Checkpoint | None:
        """Return the last good checkpoint; SettingsError for one of another stage (rule 4)."""
        for path in self._files():
            if path.stem.partition("-")[2] != sha256_file(path):
                log.warning("checkpoint %s is damaged: the one before it is used", path.name)
                continue
            return self._read(path)
        return None

    def _files(self) -> list[Path]:
        """Return the checkpoints, the last step first."""
        folder = self.folder
        return sorted(folder.glob(f"[0-9]*{SUFFIX}"), reverse=True) if folder else []

    def _header(self, place: Place) -> Header:
        key = self.folder.name if self.folder else ""
        digest = sha256_value(self.train.model_dump(mode="json"))
        return Header(key=key, settings_sha256=digest, place=place)

    def _read(self, path: Path) -> Checkpoint:
        try:
            with safe_open(path, framework="numpy") as file:
                header = Header.model_validate_json((file.metadata() or {}).get(_HEADER, ""))
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, ValidationError) as error:
            raise _foreign(path, "is no checkpoint of this version") from error
        own = self._header(header.place)
        if header != own:
            what = "another stage or other inputs" if header.key != own.key else "other settings"
            raise _foreign(path, f"is of {what}", own.key, header.key)
        state = {name: a for name, a in arrays.items() if not name.startswith(_BEST)}
        best = {n.removeprefix(_BEST): a for n, a in arrays.items() if n.startswith(_BEST)}
        return Checkpoint(header.place, state, best)


def _write(path: Path, content: bytes) -> None:
    """Write beside, force to the disk, rename, and force the name to the disk (fsync(2))."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".beside.{os.getpid()}")
    with beside.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _foreign(path: Path, what: str, expected: str = "", actual: str = "") -> SettingsError:
    return SettingsError(
        f"checkpoint {path} {what}",
        remedy="remove it from that folder: it was put there by hand",
        expected=expected or "a checkpoint of this stage",
        actual=actual or path.name,
    )
