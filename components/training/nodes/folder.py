"""The folder by which a task and its nodes speak, on the volume that they share.

Rules: each attempt has one of its own, so that nodes of the attempt before miss their task and
write nowhere; a beat in it says that the task is alive. It is gone with the attempt. What a task
left that was killed goes with the next one of its run, or a day later with any.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.core.errors import PlatformError
from components.training.processes import stopped_by_signal
from components.training.worker import BEAT, BEAT_SECONDS

STALE_SECONDS = 24 * 3600.0


@contextmanager
def shared(folder: Path, training: str) -> Iterator[None]:
    """Have an empty folder that beats; those of the training's attempts before are removed."""
    for other in folder.parent.glob("*"):
        if other.name.startswith(f"{training}-") or _is_stale(other):
            shutil.rmtree(other, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise PlatformError(
            f"the volume that the nodes share cannot be written: {error.strerror}",
            remedy=f"look at the target's workspace, which is mounted at {folder.parents[1]}",
        ) from error
    try:
        with _beating(folder):
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_features(features: str, place: Path, stopped: Callable[[], bool]) -> None:
    """Copy the features; PlatformError as soon as SIGTERM has come."""

    def copy(source: str, target: str) -> None:
        if stopped():
            raise stopped_by_signal()
        shutil.copyfile(source, target)

    shutil.copytree(features, place, copy_function=copy)
    if stopped():
        raise stopped_by_signal()


@contextmanager
def _beating(folder: Path) -> Iterator[None]:
    """Say in the folder, again and again, that the task is alive."""
    over = threading.Event()

    def beat() -> None:
        count = 0
        while not over.is_set():
            count += 1
            with contextlib.suppress(OSError):  # a volume that is full, or away, may come back
                (folder / BEAT).write_text(str(count))
            over.wait(BEAT_SECONDS)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _is_stale(folder: Path) -> bool:
    """Say whether no task has been alive there for long."""
    for path in (folder / BEAT, folder):
        with contextlib.suppress(OSError):
            return time.time() - path.stat().st_mtime > STALE_SECONDS
    return False
