"""How the command line speaks: one JSON object, or lines for people.

Errors go to standard error as cause and remedy; with --json they are the object on standard
output. An error that is an answer from the log says of how much it speaks, and its checkpoint, in
both. The traceback of a bug goes to a file in the state folder, or to a temporary one where that
folder cannot be written.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from components.core.errors import Citation, PlatformError, TandemError
from pipelines.home import home_folder


def print_json(value: Any) -> None:
    """Print one JSON object to standard output."""
    print(json.dumps(value, indent=2, sort_keys=True))


def print_error(error: TandemError, *, as_json: bool, verbose: bool) -> None:
    """Print the cause and the remedy, and the traceback where it was asked for."""
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    cited = error.citation
    if as_json:
        said = {**cited.said, "checkpoint": cited.checkpoint} if cited else {}
        print_json({"error": error.to_dict(), "exit_code": error.exit_code, **said})
        return
    print(f"error: {_with_values(error)}", file=sys.stderr)
    print(f"remedy: {error.remedy}", file=sys.stderr)
    if cited:
        print(f"{cited.text}\n\n{_heading(cited)}:\n{cited.checkpoint}", file=sys.stderr)


def _heading(cited: Citation) -> str:
    verified = cited.said.get("checkpoint_verified", True)
    return "covered by checkpoint" if verified else "checkpoint, not verified"


def _with_values(error: TandemError) -> str:
    if error.expected is None and error.actual is None:
        return error.message
    return f"{error.message} (expected {error.expected}, found {error.actual})"


def log_bug(error: Exception, home: str | None) -> TandemError:
    """Write the traceback to a file and return the error that names it, or the absent package."""
    if isinstance(error, ImportError):
        absent = PlatformError(f"a package does not load: {error}", remedy="run `make setup`")
        absent.__cause__ = error
        return absent
    path = _write_log("".join(traceback.format_exception(error)), home_folder(home))
    bug = PlatformError(
        f"unexpected {type(error).__name__}: {error}", remedy=f"the traceback is in {path}"
    )
    bug.__cause__ = error
    return bug


def _write_log(text: str, home: Path) -> Path:
    path = home / "tandem.log"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tandem-", suffix=".log", delete=False, encoding="utf-8"
        ) as temporary:
            temporary.write(text)
        path = Path(temporary.name)
    return path
