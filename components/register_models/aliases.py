"""The aliases of registered versions in MLflow, moved after the log says so, and never before.

Rules: an alias is set only on a version whose tags and stored bytes are those that its registration
recorded, and taken away from any; setting an alias that is set, removing one that is gone and
marking a version again or one that is gone change nothing, so that whoever was stopped calls again.
MLflow keeps no author and no history: those are in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from components.audit.acts import BUNDLE, Registered
from components.core.errors import IntegrityError, PlatformError
from components.register_models.catalogue import Catalogue
from components.register_models.logbook import Release
from components.register_models.store import (
    BUNDLE_TAG,
    RECORD_TAG,
    RUN_TAG,
    opened_store,
    shown,
    sqlite_file,
    tracking_uri,
)

STATE_TAG = "tandem.state"
ARCHIVED, WITHDRAWN = "archived", "withdrawn"


class Aliases:
    """The aliases and marks of one registered model, through an MlflowClient."""

    def __init__(self, client: Any, model: str) -> None:
        self._client = client
        self._model = model

    def require(self, version: Registered) -> None:
        """Raise IntegrityError unless MLflow has the version as the log says it was registered."""
        expected = {
            RUN_TAG: version.run,
            BUNDLE_TAG: version.inputs[BUNDLE].sha256,
            RECORD_TAG: version.trained,
        }
        tags = self._tags(version.version)
        if tags is None:
            raise IntegrityError(
                f"MLflow has no version {version.version} of {self._model}, which the log "
                "registered",
                remedy="see that MLFLOW_TRACKING_URI names the registry of that run; else find "
                "out who deleted it",
            )
        actual = {name: tags.get(name) for name in expected}
        if actual != expected:
            raise IntegrityError(
                f"version {version.version} of {self._model} in MLflow is not the one that the "
                "log registered",
                remedy="find out who changed or replaced it",
                expected=expected,
                actual=actual,
            )

    def require_stored(self, release: Release) -> None:
        """Raise IntegrityError unless a version's stored files, hashed, are the registered ones."""
        stored = Catalogue({}, {}, {}, self._client, tracking_uri()).stored(release.key)
        expected = [release.bundle_sha256, release.model_sha256 or stored.model_sha256]
        actual = [stored.bundle_sha256, stored.model_sha256]
        if actual != expected:
            raise IntegrityError(
                f"the stored files of version {release.version} of {self._model} are not those "
                "that the log registered",
                remedy="run `tandem models reconcile`; find out who writes to the store",
                expected=expected,
                actual=actual,
            )

    def all(self) -> dict[str, str]:
        """Return {alias: version}; {} where MLflow has no such model."""
        model = _found(lambda: self._client.get_registered_model(self._model))
        aliases: Mapping[str, Any] = {} if model is None else model.aliases
        return {alias: str(version) for alias, version in aliases.items()}

    def point(self, alias: str, version: str) -> bool:
        """Have an alias name a version; say whether it did not before."""
        if self.all().get(alias) == version:
            return False
        self._client.set_registered_model_alias(self._model, alias, version)
        return True

    def take_away(self, version: str) -> list[str]:
        """Remove every alias of a version; return their names."""
        names = sorted(alias for alias, named in self.all().items() if named == version)
        for alias in names:
            self._client.delete_registered_model_alias(self._model, alias)
        return names

    def mark(self, version: str, state: str | None) -> bool:
        """Have a version's tag say its state, or nothing; say whether that was a change."""
        tags = self._tags(version)
        if tags is None or tags.get(STATE_TAG) == state:
            return False
        if state is None:
            self._client.delete_model_version_tag(self._model, version, STATE_TAG)
        else:
            self._client.set_model_version_tag(self._model, version, STATE_TAG, state)
        return True

    def _tags(self, version: str) -> dict[str, str] | None:
        """Return a version's tags, None where MLflow has no such version."""
        found = _found(lambda: self._client.get_model_version(self._model, version))
        return None if found is None else dict(found.tags)


def _found(ask: Callable[[], Any]) -> Any | None:
    """Return what MLflow answers, None where it says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


@contextmanager
def opened_aliases(model: str) -> Iterator[Aliases]:
    """Give a model's aliases; PlatformError where there is no registry or it does not answer."""
    file = sqlite_file(tracking_uri())
    if file is not None and not file.is_file():
        raise PlatformError(
            f"there is no registry at {shown(tracking_uri())}",
            remedy="name the home or the MLFLOW_TRACKING_URI of the run that registered the model",
        )
    with opened_store(go_on="call the command again") as client:
        yield Aliases(client, model)
