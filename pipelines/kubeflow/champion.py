"""The champion of a submitted run: asked of the registry, its bundle put where the stages read it.

Rules: the registry is the environment's, else the target's; it and the bucket are asked before
anything is made, and the bundle is put below the target's root, under its digest, only once the
server has let the run's experiment be there and before the run is made, which needs it. Of a run
that is refused it does not stay; another's that was made meanwhile has it put once more.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from components.core.buckets import put_tree, remove_tree, stored_digest
from components.core.errors import IntegrityError, SettingsError
from pipelines.champion import resolve
from pipelines.home import Home
from pipelines.kubeflow.take_back import take_back
from pipelines.target import Target

REGISTRY = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class ShippedChampion:
    """What a run is told of the champion, {} of none; `bundle` lies on this machine.

    `is_there` says that the bucket had the bundle when it was asked.
    """

    parameter: Mapping[str, str]
    bundle: Path | None = None
    is_there: bool = False

    @contextmanager
    def stored(self) -> Iterator[None]:
        """Have the bundle stored for the run that the block makes; taken back if that is refused.

        Raises IntegrityError where another lies there then.
        """
        if self.bundle is None:
            yield
            return
        uri, sha256 = self.parameter["path"], self.parameter["bundle_sha256"]
        if not self.is_there:
            _put(self.bundle, uri, sha256)
        try:
            yield
        except SettingsError as error:
            if not self.is_there:
                take_back(f"the champion's bundle at {uri}", error, partial(remove_tree, uri))
            raise
        if self.is_there and not _is_stored(uri, sha256):
            _put(self.bundle, uri, sha256)


def _put(bundle: Path, uri: str, sha256: str) -> None:
    put_tree(bundle, uri)
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
        is_there = _is_stored(uri, found["bundle_sha256"])
        yield ShippedChampion({**found, "path": uri}, Path(found["path"]), is_there)


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
