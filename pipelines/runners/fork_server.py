"""The fork server: imports given modules once, then forks a process for each task it is asked for.

Started as `python -m pipelines.runners.fork_server FD MODULE... [-- MODULE...]`, with FD one end of
a SOCK_SEQPACKET socket pair; the other end is pipelines/runners/servers.py. The modules behind the
dashes are imported one by one while nothing is asked for. One message is one JSON object:
    -> {"ready": true} once, when those before the dashes are imported
    {"fork": TASK, "request": {...}}    -> later {"task", "status", "cpu_seconds", ...}
       with it may come a file descriptor, which the task's process gets (task_process.py)
    {"signal": NUMBER, "task": TASK}    to the task's process group, if it still runs

Rules: imports only before forking, no tensor and no thread, because a fork copies the memory but
only one thread; a task is its own process group, so that what it started ends with it; the server
outlives neither the executor (end of file on the socket) nor a task the server (PR_SET_PDEATHSIG).
The server holds no state that the executor needs: where it dies, its tasks can be tried in another.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pipelines.runners import task_process

MESSAGE_BYTES = 1 << 17
LATER = "--"
_PR_SET_PDEATHSIG = 1
_KIB = 1024


def preload(modules: Iterable[str]) -> None:
    """Import the modules; one that does not import is named in the log and left to its tasks."""
    gc.disable()  # imports leave next to no garbage: looking for it costs a tenth of their time
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            traceback.print_exc()
    gc.freeze()  # the collector would copy the shared pages into every task
    gc.enable()


def _in_two(modules: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return those to be imported before the first fork, and those after it."""
    at = modules.index(LATER) if LATER in modules else len(modules)
    return modules[:at], modules[at + 1 :]


def die_with_parent(number: int) -> None:
    """Ask the kernel for a signal when the parent ends; 0 asks for none (prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


@dataclass
class Server:
    """The loop: requests from the socket, ends of tasks from their pidfds."""

    connection: socket.socket
    later: deque[str] = field(default_factory=deque)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    tasks: dict[str, int] = field(default_factory=dict)

    def serve(self) -> None:
        """Serve until the executor closes its end; then kill what still runs."""
        self._send({"ready": True})
        self.selector.register(self.connection, selectors.EVENT_READ)
        while True:
            events = self.selector.select(0 if self.later else None)
            if not events:
                preload([self.later.popleft()])
            for key, _ in events:
                if key.data is not None:
                    self._reap(key.fd, key.data)
                elif not self._obey(*socket.recv_fds(self.connection, MESSAGE_BYTES, 1)[:2]):
                    for pid in self.tasks.values():
                        os.killpg(pid, signal.SIGKILL)
                    return

    def _obey(self, message: bytes, descriptors: Sequence[int]) -> bool:
        """Do what one message asks for; False at the end of file."""
        if not message:
            return False
        order = json.loads(message)
        if "fork" in order:
            if "serve" in order["request"]:  # nothing is to run beside what that process does
                self.later.clear()
            self._fork(order["fork"], order["request"], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        elif order["task"] in self.tasks:
            os.killpg(self.tasks[order["task"]], order["signal"])
        return True

    def _fork(self, task: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        server = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(server, request, descriptors)
        with suppress(ProcessLookupError, PermissionError):  # the child does the same, or ended
            os.setpgid(pid, pid)
        self.tasks[task] = pid
        self.selector.register(os.pidfd_open(pid), selectors.EVENT_READ, task)

    def _become(
        self, server: int, request: Mapping[str, Any], descriptors: Sequence[int]
    ) -> NoReturn:
        """Leave the server behind and be the task's process; never returns."""
        code = task_process.EXIT_UNWRITTEN  # it stays where the task cannot write its cause
        try:
            os.setpgid(0, 0)
            die_with_parent(signal.SIGKILL)
            if os.getppid() != server:  # it died before the line above
                os._exit(code)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            for key in list(self.selector.get_map().values()):
                os.close(key.fd)
            self.selector.close()
            code = task_process.run(request, *descriptors)
        finally:
            os._exit(code)

    def _reap(self, pidfd: int, task: str) -> None:
        """Report how a task ended; first kill what it left running in its process group."""
        pid = self.tasks.pop(task)
        with suppress(ProcessLookupError):  # nothing was left
            os.killpg(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        self.selector.unregister(pidfd)
        os.close(pidfd)
        self._send(
            {
                "task": task,
                "status": os.waitstatus_to_exitcode(status),
                "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
                "peak_memory_bytes": usage.ru_maxrss * _KIB,
            }
        )

    def _send(self, message: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # the executor is gone; recv says so next
            self.connection.send(json.dumps(message).encode())


def main(arguments: list[str]) -> int:
    """Import, then serve."""
    os.environ["_KFP_RUNTIME"] = "true"  # before kfp is imported: its runtime half only
    connection = socket.socket(fileno=int(arguments[0]))
    die_with_parent(signal.SIGKILL)  # while importing, the socket is not read
    first, later = _in_two(arguments[1:])
    preload(first)
    die_with_parent(0)
    Server(connection, deque(later)).serve()
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
