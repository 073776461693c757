"""Commands to be typed, as hints show them: they work as they stand.

Rules: a program is named by its path unless the shell finds this very one; --home is there unless
the state folder is the one that the command would take anyway, whatever was exported. Standard
library only.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.home import Home, home_folder

MODULES = {"tandem": "pipelines.cli", "mlflow": "mlflow"}
_SQLITE = "sqlite:///"


def program(name: str) -> str:
    """Return how to start a program of this installation, quoted for the shell."""
    beside, found = Path(sys.executable).with_name(name), shutil.which(name)
    if beside.is_file():
        known = found is not None and Path(found).resolve() == beside.resolve()
        return name if known else shlex.quote(str(beside))
    return name if found else f"{shlex.quote(sys.executable)} -m {MODULES[name]}"


def tandem(home: Home, *words: str) -> str:
    """Return a `tandem` command that works on this state folder."""
    place = [] if _is_default(home) else ["--home", str(home.folder)]
    return f"{program('tandem')} {shlex.join([*words, *place])}"


def resume(home: Home, run_id: str) -> str:
    """Return the command that goes on with a run."""
    return tandem(home, "run", "--resume", run_id)


def registry(home: Home) -> str | None:
    """Return how to open the registry's own page: a command or a server's address.

    None where there is no registry yet.
    """
    address = home.tracking_uri
    if address.startswith(_SQLITE) and not Path(address.removeprefix(_SQLITE)).is_file():
        return None
    url = urlsplit(address)
    if url.scheme in ("http", "https"):
        return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()  # no password
    return f"{program('mlflow')} ui --backend-store-uri {shlex.quote(address)} --host 127.0.0.1"


def _is_default(home: Home) -> bool:
    return home.folder == home_folder(None) == Path(".tandem").resolve()
