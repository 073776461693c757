"""The executor's side of the fork servers: starts them, asks for tasks, hears how they ended.

Rules: a server is started when first needed or ahead of time, and never waited for: a request lies
in the socket until the imports are done; ahead of time one server loads after the other, so that
loading takes one core and leaves the others to the tasks; a server that ends takes its tasks with
it, which is reported as a loss for each of them, and the next request starts a new one; nothing
here waits without also waiting for the stop signals. A server has its own process group, so Ctrl-C
in a terminal reaches the executor alone. A server may be started before there is a run: it knows
nothing of one, each request brings the task's environment, and what the server prints stays in
memory until it ends. A task with a process beside its own, of another server, has ended when both
have, and then with what both used; its own end is the other's.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from components.core.errors import PlatformError
from components.core.quiet import QUIET
from pipelines.runners.ended import Ended, Lost, Pair
from pipelines.runners.fork_server import MESSAGE_BYTES
from pipelines.runners.preload import LIGHT
from pipelines.runners.server_environment import SERVER_ENVIRONMENT

_STOP_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


@dataclass
class _Server:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    output: int  # the file descriptor of a file in memory
    tasks: set[str] = field(default_factory=set)
    has_loaded: bool = False


class ForkServers:
    """The servers of one run; a context manager that leaves no process behind."""

    def __init__(self, modules: Mapping[str, Sequence[str]]) -> None:
        self._modules = modules
        self._server_environment = {**QUIET, **os.environ, **SERVER_ENVIRONMENT}
        self._task_environment: Mapping[str, str] = {}
        self._logs: Path | None = None
        self._running: dict[str, _Server] = {}
        self._pairs: dict[str, Pair] = {}
        self._ahead: deque[str] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake: socket.socket | None = None

    def serve(
        self, environment: Mapping[str, str], logs: Path, wake: socket.socket | None = None
    ) -> None:
        """Serve a run: with this environment for every task, and this folder for the logs."""
        self._task_environment, self._logs, self._wake = environment, logs, wake
        if wake is not None:
            self._selector.register(wake, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self._running):
            self._stop(name)
        self._selector.close()

    def start(self, name: str) -> None:
        """Start a server unless it runs; return at once."""
        if name in self._running:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        python = [sys.executable, "-P", "-m", "pipelines.runners.fork_server"]
        output = os.memfd_create(name)
        try:
            with theirs:
                process = subprocess.Popen(
                    [*python, str(theirs.fileno()), *self._modules[name]],
                    env=self._server_environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[theirs.fileno()],
                    process_group=0,
                )
        except OSError as error:
            ours.close()
            os.close(output)
            raise PlatformError(
                f"the fork server {name} does not start: {error.strerror}",
                remedy="free memory or processes, then resume the run",
            ) from error
        self._running[name] = _Server(process, ours, output)
        self._selector.register(ours, selectors.EVENT_READ, name)

    def has_loaded(self, name: str) -> bool:
        """Say whether a server runs, and has imported what its first task would wait for."""
        return name in self._running and self._running[name].has_loaded

    def start_ahead(self, names: Iterable[str]) -> None:
        """Start servers one after the other, each when the one before has loaded."""
        self._ahead.extend(names)
        self._start_next()

    def _start_next(self) -> None:
        while self._ahead:
            running = self._running.get(self._ahead[0])
            if running is None:
                self.start(self._ahead.popleft())
                return
            if not running.has_loaded:  # when it has, this is called again
                return
            self._ahead.popleft()

    def fork(
        self,
        name: str,
        task: str,
        request: Mapping[str, Any],
        beside: tuple[str, str] | None = None,
    ) -> None:
        """Ask a server for a task's process; how it ends comes out of `wait`.

        `beside` names a server and a module: of the process that the task has beside its own.
        """
        given = {**self._task_environment, **request["environment"]}
        request = {**request, "environment": given}
        if beside is None:
            self._ask(name, task, request)
            return
        server, module = beside
        pair = Pair(task, f"{task} {module}")
        self._pairs |= {pair.task: pair, pair.beside: pair}
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._ask(server, pair.beside, {**request, "serve": module}, theirs.fileno())
            self._ask(name, task, request, ours.fileno())

    def _ask(self, name: str, task: str, request: Mapping[str, Any], *descriptors: int) -> None:
        self.start(name)
        self._running[name].tasks.add(task)
        self._send(name, {"fork": task, "request": request}, descriptors)

    def signal(self, task: str, number: int) -> None:
        """Send a signal to a task's process group, if the task still runs.

        A server that is still loading has forked nobody, and would read of the signal at the end:
        it is killed, and its tasks are lost. The light one is left to load, because that is soon
        and the exit task needs it.
        """
        for name, server in self._running.items():
            if task in server.tasks:
                if server.has_loaded or name == LIGHT:
                    self._send(name, {"signal": number, "task": task})
                else:
                    server.process.kill()

    def wait(self, seconds: float | None) -> list[Ended | Lost]:
        """Block until a task ends, a stop signal arrives or the time is up.

        The time starts anew when a server has loaded, and when one of a task and the process beside
        it has ended: once each.
        """
        news: list[Ended | Lost] | None = None
        while news is None:
            news = self._news(seconds)
        return news

    def _news(self, seconds: float | None) -> list[Ended | Lost] | None:
        """Return what was heard; None where servers only said that they have loaded."""
        events = self._selector.select(seconds)
        heard = [self._receive(key.data) for key, _ in events if key.data is not None]
        if len(heard) < len(events):
            self._drain()
        news = [item for items in heard for end in items for item in self._whole(end)]
        return None if heard and not news and len(heard) == len(events) else news

    def _whole(self, end: Ended | Lost) -> list[Ended | Lost]:
        """Return a task's end; none as long as the process beside it has not ended too."""
        if (pair := self._pairs.pop(end.task, None)) is None:
            return [end]
        pair.ended[end.task] = end
        if len(pair.ended) == 2:
            return [pair.whole()]
        if end.task == pair.task:
            self.signal(pair.beside, signal.SIGKILL)
        elif not (isinstance(end, Ended) and end.status == 0):
            _LOG.warning("the process beside %s ended before it: %s", pair.task, end)
        return []

    def _drain(self) -> None:
        if self._wake is not None:
            with suppress(BlockingIOError):
                self._wake.recv(MESSAGE_BYTES)

    def _send(self, name: str, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        # A server that has just ended is reported by the end of file on its socket.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection = self._running[name].connection
            socket.send_fds(connection, [json.dumps(message).encode()], descriptors)

    def _receive(self, name: str) -> list[Ended | Lost]:
        server = self._running[name]
        try:
            message = server.connection.recv(MESSAGE_BYTES)
        except ConnectionResetError:
            message = b""
        if message:
            return self._heard(server, json.loads(message))
        lost = sorted(server.tasks)
        server.tasks.clear()
        self._stop(name)
        cause = f"the fork server {name} ended with status {server.process.returncode}"
        return [Lost(task, f"{cause} ({self._log(name)})") for task in lost]

    def _heard(self, server: _Server, message: dict[str, Any]) -> list[Ended | Lost]:
        if message.pop("ready", False):
            server.has_loaded = True
            self._start_next()
            return []  # no news of a task
        ended = Ended(**message)
        server.tasks.discard(ended.task)
        return [ended]

    def _stop(self, name: str) -> None:
        """End a server: one with tasks ends them first, at the end of file; any other is killed."""
        server = self._running.pop(name)
        self._selector.unregister(server.connection)
        server.connection.close()
        if not server.tasks:
            server.process.kill()
        try:
            server.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
        self._keep_output(name, server.output)

    def _log(self, name: str) -> Path | None:
        return self._logs / f"{name}.fork-server.log" if self._logs else None

    def _keep_output(self, name: str, output: int) -> None:
        """Add what a server printed to the run's logs, where there is a run."""
        with os.fdopen(output, "rb") as printed:
            if (log := self._log(name)) is None:
                return
            printed.seek(0)
            try:
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("ab") as file:
                    shutil.copyfileobj(printed, file)
            except OSError as error:  # the tasks have logs of their own
                _LOG.warning("%s is not kept: %s", log, error.strerror)
