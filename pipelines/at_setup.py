"""What set-up makes once, so that no home has to: `-m` this, in an environment that is installed.

Rules: all of it is found again by what it is of (a source's digest, MLflow's version), so that it
is never out of date, and can be left out: a run makes what is missing.
"""

from __future__ import annotations

import sys

from components.core.canonical import sha256_bytes
from components.core.code import our_sources
from components.core.imports import imports_of, remember
from components.core.installed import INSTALLED
from components.register_models.empty_store import make_tables, tables_file


def main() -> int:
    """Write what our modules import, and an empty registry."""
    INSTALLED.mkdir(exist_ok=True)
    for path in our_sources():
        source = path.read_bytes()
        imports_of(source, sha256_bytes(source))
    remember(INSTALLED)
    make_tables(tables_file())
    return 0


if __name__ == "__main__":
    sys.exit(main())
