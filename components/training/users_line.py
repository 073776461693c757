"""Where the user's code failed: file, line and its text, out of whatever the failure came as.

Why: a traceback through three frameworks helps no one whose own line is at fault.

Rules: the line is the last of the user's own that the error came through: of the module that the
settings name, or of a file in the use case's folder. Code that TensorFlow or Beam runs fails with
a text that holds the traceback, or names the node of a graph whose line was kept before. What else
would end a process (sys.exit) is a failure like any other. Where rows are at hand, what the error
says is left to the log, for it may quote them.
"""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from components.core.errors import SettingsError, TandemError
from components.core.sources import named_folder

BUILT_IN = "components."
_MOST_TEXT = 160
_FILE_LINE = re.compile(r'File "([^"\n]+)", line (\d+)')
_KIND = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)
_NODE = re.compile(r"Detected at node (\S+) defined at|\{\{node ([^}\s]+)\}\}")


@dataclass(frozen=True)
class Line:
    """One line of the user's code."""

    file: str
    number: int

    def __str__(self) -> str:
        """Return the file's name, the number and, where it can be read, what the line says."""
        text = linecache.getline(self.file, self.number).strip()
        line = f"{Path(self.file).name}, line {self.number}"
        return f"{line}, `{text[:_MOST_TEXT]}`" if text else line


@contextmanager
def naming_the_users_line(
    name: str,
    what: str,
    *,
    on_rows: bool = False,
    lines_of_nodes: Mapping[str, Line] = MappingProxyType({}),
) -> Iterator[None]:
    """Turn what the user's code raises into a SettingsError with its file and line.

    `name` is the `module:function` that the settings name and `what` it is; an error that did not
    come through the user's code is left as it is, and so is one of a built-in family.
    """
    if name.startswith(BUILT_IN):
        yield
        return
    try:
        yield
    except (TandemError, MemoryError):
        raise
    except BaseException as error:
        found = _failure(error, name.partition(":")[0], on_rows, lines_of_nodes)
        if found is None:
            raise
        raise SettingsError(
            f"{what} {name}: {found}",
            remedy="correct that file; --verbose shows the traceback",
        ) from error


def came_through(error: BaseException, name: str) -> bool:
    """Say whether an error was raised through a line of the user's, of `module:function`."""
    module = name.partition(":")[0]
    return not name.startswith(BUILT_IN) and bool(_raised_in(error, module))


def is_users(file: str, module: str) -> bool:
    """Say whether a file is the user's own: the module's, or one beside the settings."""
    if file == getattr(sys.modules.get(module), "__file__", None):
        return True
    folder, path = named_folder(), Path(file)
    if folder is None or path.is_relative_to(sys.prefix):
        return False
    return path.is_relative_to(folder) or path.resolve().is_relative_to(folder)


def _failure(
    error: BaseException, module: str, on_rows: bool, lines_of_nodes: Mapping[str, Line]
) -> str | None:
    """Return the line and what went wrong there; None where no line of the user's is known."""
    raised = _raised_in(error, module)
    if raised and not on_rows:
        return f"{raised[-1]}: {_one_line(error)}"
    told = _told(str(error), module) or _of_node(str(error), lines_of_nodes)
    if told is None and raised:
        return f"{raised[-1]}: {type(error).__name__}"
    return told


def _raised_in(error: BaseException, module: str) -> list[Line]:
    """Return the user's lines that an error came through, the last one last."""
    return [
        Line(frame.f_code.co_filename, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == module or is_users(frame.f_code.co_filename, module)
    ]


def _told(text: str, module: str) -> str | None:
    """Return the last line of the user's in a traceback within a text, and the error's kind."""
    found = [at for at in _FILE_LINE.finditer(text) if is_users(at[1], module)]
    if not found:
        return None
    kind = _KIND.search(text, found[-1].end())
    return f"{Line(found[-1][1], int(found[-1][2]))}: {kind[1] if kind else 'an error'}"


def _of_node(text: str, lines: Mapping[str, Line]) -> str | None:
    """Return the line that made the node which a text names, or the one it lies in."""
    for at in _NODE.finditer(text):
        name = at[1] or at[2]
        parts = name.split("/")
        for first in range(len(parts)):
            for last in range(len(parts), first, -1):
                if line := lines.get("/".join(parts[first:last])):
                    return f"{line}: TensorFlow's {parts[-1]} failed"
    return None


def _one_line(error: BaseException) -> str:
    """Return the error's kind and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'no message'}"
