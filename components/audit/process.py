"""The notary as a process of its own, for as long as a run or a test needs one.

Rules: the process ends with its owner, however that ends (it watches its standard input); its
socket lies in a private folder with a short path, because a socket's path is limited to 107 bytes
and a home's is not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from components.audit.client import Notary
from components.audit.service import SOCKET_PATH_LIMIT
from components.audit.time_taken import waiting_for
from components.core.errors import (
    IntegrityError,
    PlatformError,
    TandemError,
    UnverifiableError,
)

_ROOT = Path(__file__).resolve().parents[2]
# A notary that will not start says why by its exit code.
_KINDS: dict[int, type[TandemError]] = {
    kind.exit_code: kind for kind in (IntegrityError, UnverifiableError)
}
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_SOCKET = "notary.sock"


class NotaryProcess:
    """A context in which a notary of a home answers at `address`."""

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What TANDEM_NOTARY must say."""
        return f"unix:{self._socket}"

    @property
    def pid(self) -> int:
        """The process's number; raise PlatformError where it was not started."""
        if self._process is None:
            raise PlatformError("the notary was not started", remedy="enter its context first")
        return self._process.pid

    @property
    def _socket(self) -> Path:
        return self._folder / _SOCKET

    def __enter__(self) -> Self:
        """Start the process and wait until it answers; raise PlatformError where it does not."""
        self._folder = _short_folder()
        try:
            with waiting_for("the notary's start"):
                self._process = self._start()
                self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, after the record that it is writing, and remove its socket."""
        if self._process is not None:
            with waiting_for("the notary's end"):
                _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        module = [sys.executable, "-P", "-m", "components.audit.served_notary"]
        places = ["--home", str(self._home), "--socket", str(self._socket)]
        search = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [*module, *places, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(search)},
            # Ctrl-C in a terminal reaches the whole group; the run still has records to write.
            start_new_session=True,
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._socket.exists():
            self._check_alive()
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"the notary did not start within {_START_SECONDS:.0f} s",
                    remedy="look at the machine's load, then try again",
                )
            time.sleep(0.01)
        Notary(self.address).ready()

    def _check_alive(self) -> None:
        process = self._process
        if process is None or process.poll() is None:
            return
        said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
        message, _, remedy = said.partition("\n")
        kind = _KINDS.get(process.returncode, PlatformError)
        raise kind(
            message or f"the notary ended with {process.returncode}",
            remedy=remedy.strip() or "start it by hand to see why",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    for pipe in (process.stdin, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _short_folder() -> Path:
    """Return a new private folder whose path leaves room for the socket's name."""
    usual = Path(tempfile.gettempdir())
    fits = len(str(usual / "tandem-12345678" / _SOCKET).encode()) <= SOCKET_PATH_LIMIT
    return Path(tempfile.mkdtemp(prefix="tandem-", dir=usual if fits else "/tmp"))  # noqa: S108
