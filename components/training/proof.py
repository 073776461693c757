"""The proof of all forms of a bundle in fresh processes, side by side.

Why: a form that works in the process that made it may still lean on what lives there: a custom
layer, a registered operator, a traced function. A consumer has none of it.

Rules (docs/adr/0011): a process is fresh that never held an object of the trainer or of the
user's module. It is a new interpreter; or, for the trainer's own framework, whose import costs
seconds, a fork made before the user's module was imported, while this process had one thread (POSIX
says nothing of a fork of more). A trainer with more threads gets a new interpreter. The runtimes
that are no framework share an interpreter that holds none, as their consumers' does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from components.core.artifacts import read_json, write_json
from components.core.contract import Form
from components.core.errors import PlatformError, error_from_dict
from components.core.form_proof import Parity
from components.core.quiet import QUIET
from components.core.runtimes import RUNTIMES
from components.core.settings import FormName
from components.training import prove
from components.training.evidence import Evidence

log = logging.getLogger(__name__)
# A framework, and all of it that loads a form: the trainer needs as much, a fork shares it.
_FRAMEWORKS = {"torch": "torch.export.pt2_archive", "tensorflow": "tensorflow"}
_LIGHT = "light"
_TASKS = Path("/proc/self/task")


@dataclass(frozen=True)
class Written:
    """A form as it was written, not yet proven."""

    name: FormName
    path: str
    takes: Literal["raw_rows", "features"]
    opset: int | None = None


class Prover:
    """Proves forms. To be made before the model function is imported.

    `form` is one of the trainer's own framework: its process is forked now, where that can be done,
    and waits. It ends where the prover is not asked any more.
    """

    def __init__(self, form: FormName) -> None:
        self._waiting: dict[str, _Fork] = {}
        process = _process_of(form)
        if process in sys.modules and len(list(_TASKS.iterdir())) == 1:
            importlib.import_module(_FRAMEWORKS[process])
            self._waiting[process] = _Fork()
        log.info(
            "%s is proven in a %s", form, "fork of now" if self._waiting else "new interpreter"
        )

    def prove(
        self, folder: Path, written: Sequence[Written], evidence: Evidence, threads: int = 1
    ) -> tuple[Form, ...]:
        """Return the forms with their proofs; raise what the first of them failed with."""
        processes: dict[str, list[dict[str, str]]] = {}
        for form in written:
            request = {"name": form.name, "path": str(folder / form.path)}
            processes.setdefault(_process_of(form.name), []).append(request)
        with tempfile.TemporaryDirectory() as name:
            beside = Path(name)
            evidence.write(beside)
            write_json(beside / prove.REQUEST, {"processes": processes, "threads": threads})
            found = self._run(beside, list(processes))
        return tuple(_form(form, found[form.name]) for form in written)

    def _run(self, folder: Path, processes: Sequence[str]) -> dict[str, Any]:
        """Start the processes, wait for all, and return what they found by form."""
        started = {process: self._start([str(folder), process]) for process in processes}
        codes = {process: wait() for process, wait in started.items()}
        found: dict[str, Any] = {}
        for process, code in codes.items():
            found |= _answer(folder / f"{process}.json", code)
        return found

    def _start(self, arguments: list[str]) -> Callable[[], int]:
        """Start one process and return the function that waits for its exit code."""
        fork = self._waiting.pop(arguments[1], None)
        if fork is not None:
            return fork.start(arguments)
        command = [sys.executable, "-P", "-m", prove.__name__, *arguments]
        return subprocess.Popen(command, env={**QUIET, **os.environ}).wait


class _Fork:
    """A process that waits for one request; it ends where this object does."""

    def __init__(self) -> None:
        out, self._into = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._into)
            _stand_by(out)
        os.close(out)
        self._close = weakref.finalize(self, os.close, self._into)

    def start(self, arguments: list[str]) -> Callable[[], int]:
        """Send the request; where the process is gone already, its exit code will say so."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._into, json.dumps(arguments).encode())
        self._close()
        pid = self._pid
        return lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _stand_by(pipe: int) -> NoReturn:
    """Wait for a request, obey it and end; end at once where the trainer is gone."""
    code = 1
    try:
        with os.fdopen(pipe, "rb") as stream:
            request = stream.read()
        code = prove.main(json.loads(request)) if request else 0
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _process_of(form: FormName) -> str:
    return RUNTIMES[form] if RUNTIMES[form] in _FRAMEWORKS else _LIGHT


def _answer(path: Path, code: int) -> dict[str, Any]:
    """Return what a process found, by form; raise its error."""
    answer: Any = read_json(path) if path.is_file() else {"proving": path.stem}
    if "error" in answer:
        raise error_from_dict(answer["error"])
    if "proving" in answer:
        raise PlatformError(
            f"the proof of {answer['proving']} ended without an answer, exit code {code}",
            remedy="look for memory that ran out, or for a crash in the log; train.forms leaves "
            "a form out",
            expected=0,
            actual=code,
        )
    forms: dict[str, Any] = answer["forms"]
    return forms


def _form(written: Written, found: Mapping[str, Any]) -> Form:
    return Form(
        name=written.name,
        path=written.path,
        takes=written.takes,
        opset=written.opset,
        operators=found["operators"],
        parity=Parity.model_validate(found["parity"]) if "parity" in found else None,
        quality=found.get("quality"),
    )
