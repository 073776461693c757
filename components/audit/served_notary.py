"""A home's notary as a process: `python -m components.audit.served_notary`, on a socket."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from components.audit.notary import open_notary
from components.audit.service import serve
from components.core.errors import TandemError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a home's notary on a socket until told to stop; print nothing but an error."""
    parser = argparse.ArgumentParser(prog="python -m components.audit.served_notary")
    parser.add_argument("--home", type=Path, required=True, help="Tandem's state folder")
    parser.add_argument("--socket", type=Path, required=True, help="path of the socket to make")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when the starting process ends"
    )
    options = parser.parse_args(arguments)
    try:
        with open_notary(options.home) as notary:
            serve(notary, options.socket, until_stdin_closes=options.until_stdin_closes)
    except TandemError as error:
        sys.stderr.write(f"{error.message}\n{error.remedy}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # whoever stops it waits for its end; what it wrote is on disk
