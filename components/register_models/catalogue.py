"""What MLflow has: every version and alias, and the digests of the stored files.

Looking creates nothing: a local store that is not there has no versions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from components.core.artifacts import tree_digest
from components.core.errors import IntegrityError
from components.register_models.mlflow_model import stored_digest
from components.register_models.store import BUNDLE_FOLDER, opened_store, sqlite_file

Key = tuple[str, str]


@dataclass(frozen=True)
class Stored:
    """The digests of a version's stored files."""

    bundle_sha256: str
    model_sha256: str

    @classmethod
    def of(cls, folder: Path) -> Stored:
        """Hash a version's files in a folder; IntegrityError where they cannot be a model's."""
        return cls(tree_digest(folder / BUNDLE_FOLDER), stored_digest(folder))


@dataclass(frozen=True)
class Catalogue:
    """Tags and source by model and version, and versions by model and alias."""

    versions: Mapping[Key, Mapping[str, str]]
    aliases: Mapping[Key, str]
    sources: Mapping[Key, str] = field(default_factory=dict)
    _client: Any = None
    _address: str = ""

    def aliases_of(self, key: Key) -> list[str]:
        """Return the aliases of a version."""
        return sorted(alias for (name, alias), at in self.aliases.items() if (name, at) == key)

    def place(self, key: Key) -> str:
        """Return the address that a version's files are loaded from."""
        return str(self._client.get_model_version_download_uri(*key))

    @contextmanager
    def fetched(self, key: Key) -> Iterator[Path]:
        """Give the stored files of a version; IntegrityError where they are gone."""
        from mlflow.artifacts import download_artifacts

        uri = self.place(key)
        parts = urlsplit(uri)
        if parts.scheme in ("", "file") and not Path(url2pathname(parts.path)).is_dir():
            raise IntegrityError("its stored files are gone", remedy="restore them from a copy")
        with tempfile.TemporaryDirectory() as folder:
            fetched = download_artifacts(
                artifact_uri=uri, dst_path=folder, tracking_uri=self._address
            )
            yield Path(fetched)

    def stored(self, key: Key) -> Stored:
        """Hash the stored files of a version; IntegrityError where they cannot be a model's."""
        with self.fetched(key) as folder:
            return Stored.of(folder)


@contextmanager
def opened_catalogue(address: str) -> Iterator[Catalogue]:
    """Read a store, which stays open for its files; PlatformError where it does not answer."""
    file = sqlite_file(address)
    if file is not None and not file.is_file():
        yield Catalogue({}, {})
        return
    with opened_store(address, go_on="call the command again") as client:
        every = {
            (found.name, str(found.version)): found
            for found in _pages(client.search_model_versions)
        }
        aliases = {
            (model.name, alias): str(version)
            for model in _pages(client.search_registered_models)
            for alias, version in model.aliases.items()
        }
        versions = {key: dict(found.tags) for key, found in every.items()}
        sources = {key: str(found.source) for key, found in every.items()}
        yield Catalogue(versions, aliases, sources, client, address)


def _pages(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield everything that a search finds, page by page."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return
