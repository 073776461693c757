"""The artifacts of TFX's that a model lies in, by the digests that an imported history has of them.

Why: ML Metadata knows whole artifacts, and what is judged is a part of one: a PushedModel's file,
or the folder Format-Serving of a Model. By the artifact's digest both are the same model.

Rules: a model lies in an artifact where the folder holds it, with what names its columns, and no
more, or where it lies so in Format-Serving, whose folder above is the Trainer's Model. One that
holds a link has no digest, as in the history.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from components.core.artifacts import tree_digest
from components.core.errors import IntegrityError

SERVING, SIGNATURE = "Format-Serving", "signature.yaml"


def artifacts_of(model: Path) -> tuple[str, ...]:
    """Return the digests of the artifacts that a model's file or folder is a part of."""
    return tuple(digest for folder in _folders(model) if (digest := _digest(folder)))


def _folders(model: Path) -> Iterator[Path]:
    """Yield the folders, the innermost first."""
    inner = model if model.is_dir() else model.parent
    if inner != model:
        if not {path.name for path in inner.iterdir()} <= {model.name, SIGNATURE}:
            return
        yield inner
    if inner.name == SERVING:
        yield inner.parent


def _digest(folder: Path) -> str | None:
    try:
        return tree_digest(folder)
    except IntegrityError:
        return None
