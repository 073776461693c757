"""What lies at the bottom of an error of the network, which libraries wrap several times.

A refused connection comes from MLflow as MlflowException, in it requests' ConnectionError, in it
urllib3's MaxRetryError and NewConnectionError, in it the system's own word, which alone is for
people: the others quote Python's objects.
"""

from __future__ import annotations

from collections.abc import Iterator


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was made from, the innermost last; each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = _within(link)


def innermost_words(error: BaseException) -> str:
    """Return what the innermost error says, in one line of 200 characters at most."""
    *_, last = chain_of(error)
    words = (last.strerror if isinstance(last, OSError) else None) or str(last)
    return " ".join(words.split())[:200] or type(last).__name__


def _within(error: BaseException) -> BaseException | None:
    """Return what an error holds (urllib3 and requests) or was raised from (Python)."""
    held = (getattr(error, "reason", None), *error.args)
    found = [one for one in held if isinstance(one, BaseException)]
    return found[0] if found else error.__cause__ or error.__context__
