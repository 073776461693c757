"""The champion of a submitted run: asked of the registry, its bundle put where the stages read it.

Rules: the registry is the environment's, else the target's; it and the bucket are asked before
anything is made, and the bundle is put below the target's root, under its digest, only once the
server has let the run's experiment be there and before the run is made, which needs it. Of a run
that is refused it stays: it is whole, and another run may have found it there by then.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.core.buckets import put_tree, stored_digest
from components.core.errors import IntegrityError, SettingsError
from pipelines.champion import resolve
from pipelines.home import Home
from pipelines.target import Target

REGISTRY = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class ShippedChampion:
    """What a run is told of the champion, {} of none; `bundle` lies on this machine.

    `bundle` is None where nothing is to be put: of no champion, and of one that is there already.
    """

    parameter: Mapping[str, str]
    bundle: Path | None = None

    def put(self) -> None:
        """Put the bundle where the run's stages read it; IntegrityError where another lies then."""
        if self.bundle is None:
            return
        uri, sha256 = self.parameter["path"], self.parameter["bundle_sha256"]
        put_tree(self.bundle, uri)
        if (stored := stored_digest(uri)) != sha256:
            raise IntegrityError(
                f"the champion's bundle at {uri} is not the one that was registered",
                remedy=f"find out who writes below {uri}",
                expected=sha256,
                actual=stored,
            )


@contextmanager
def champion_for(model_name: str, target: Target) -> Iterator[ShippedChampion]:
    """Give the champion of a model, with its bundle as long as the block lasts.

    Raises PlatformError where the registry or the bucket does not answer, SettingsError where no
    registry is named.
    """
    with _registry(model_name, target), tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        found = resolve(model_name, Home(Path(folder)))
        if not found:
            yield ShippedChampion({})
            return
        uri = f"{target.root}/champions/{found['bundle_sha256']}"
        missing = not _is_stored(uri, found["bundle_sha256"])
        yield ShippedChampion({**found, "path": uri}, Path(found["path"]) if missing else None)


def _is_stored(uri: str, sha256: str) -> bool:
    try:
        return stored_digest(uri) == sha256
    except IntegrityError:  # nothing is there yet
        return False


@contextmanager
def _registry(model_name: str, target: Target) -> Iterator[None]:
    """Have the target's registry asked where the environment names none."""
    if os.environ.get(REGISTRY):
        yield
        return
    if (named := target.environment.get(REGISTRY)) is None:
        raise SettingsError(
            f"no registry is named, so that nobody knows the champion of {model_name}",
            remedy=f"export {REGISTRY}=http://HOST:PORT, the registry of the cluster's runs",
        )
    os.environ[REGISTRY] = named
    try:
        yield
    finally:
        del os.environ[REGISTRY]
