"""The boundary of a stage: what comes out of it is a TandemError, whatever was raised inside.

Rules: the machine's failures are a PlatformError, which may be retried; every other is a DataError,
told by its kind and place alone, because its words may quote rows: the task's log has them.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.core.errors import DataError, PlatformError, TandemError


@contextmanager
def in_our_terms(stage: str) -> Iterator[None]:
    """Turn what Python and libraries raise into an error with a cause and a remedy.

    A TandemError is left as it is; KeyboardInterrupt and SystemExit are no errors.
    """
    try:
        yield
    except TandemError:
        raise
    except OSError as error:
        raise PlatformError(
            f"{stage}: {error.strerror or error} ({error.filename or 'no file'})",
            remedy="free disk space or fix permissions, then resume the run",
        ) from error
    except MemoryError as error:
        raise PlatformError(
            f"{stage} ran out of memory", remedy="use a smaller window or more memory"
        ) from error
    except ImportError as error:
        raise PlatformError(
            f"{stage} needs a package that does not load: {error}", remedy="run `make setup`"
        ) from error
    except Exception as error:
        raise DataError(
            f"{stage} failed: {type(error).__name__} in {_place(error)}",
            remedy="read the task's log, which has its words; --verbose shows the traceback",
        ) from error


def _place(error: Exception) -> str:
    """Return where an error was raised; its words may quote data, and go to the log alone."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
