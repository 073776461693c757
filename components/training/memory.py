"""Lack of memory, whichever library says so, with the batch size to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from components.core.errors import OutOfMemoryError
from components.core.training_settings import Train


@contextmanager
def naming_the_batch_size(
    train: Train,
    kinds: tuple[type[Exception], ...],
    is_lack_of_memory: Callable[[Exception], bool],
) -> Iterator[None]:
    """Turn MemoryError, and what a framework raises for it, into an OutOfMemoryError.

    `kinds` are the framework's errors among which `is_lack_of_memory` tells them.
    """
    try:
        yield
    except MemoryError as error:
        raise _out_of_memory(train) from error
    except kinds as error:
        if not is_lack_of_memory(error):
            raise
        raise _out_of_memory(train) from error


def _out_of_memory(train: Train) -> OutOfMemoryError:
    smaller = max(1, train.batch_size // 2)
    return OutOfMemoryError(
        f"training ran out of memory with batches of {train.batch_size} rows",
        remedy=f"try train.batch_size={smaller}, a smaller model or more memory",
    )
