"""Which model is in use: the version of a registered model that has the alias `champion`.

The alias is a person's to move (aliases.py, `tandem models promote`); a run only reads it, when it
begins, so that the champion is an input of the run like any other. Opening MLflow takes seconds, so
a local store is first asked directly (by questions to MLflow's own tables; what they do not answer,
MLflow is asked). Ask MLflow in a process of its own: `python -m ...champion MODEL_NAME` prints the
champion, or {}, as JSON. Whoever answers is held to the records of the home's log.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from components.core.artifacts import tree_digest
from components.core.candidates import CHAMPION
from components.core.errors import IntegrityError, TandemError
from components.core.settings import DIGEST_PATTERN
from components.register_models.recorded_champion import (
    RecordedChampion,
    recorded_champion,
)
from components.register_models.store import (
    BUNDLE_FOLDER,
    BUNDLE_TAG,
    HOME_VARIABLE,
    home,
    opened_store,
    sqlite_file,
    tracking_uri,
)
from components.register_models.taken_name import require_free

LOCAL = ("", "file")
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_ALIASED = """
SELECT v.version, COALESCE(v.storage_location, v.source) FROM registered_model_aliases AS a
JOIN model_versions AS v ON v.name = a.name AND v.version = a.version
WHERE a.name = ? AND a.alias = ? AND v.current_stage <> 'Deleted_Internal'
"""
_TAGS = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"


@dataclass(frozen=True)
class _Aliased:
    """The version that has the alias: its tags, and where its files are."""

    version: str
    tags: Mapping[str, str]
    source: str

    def bundle_sha256(self, model_name: str, recorded: RecordedChampion | None) -> str:
        """Return the registered digest of the bundle; IntegrityError without one, or another."""
        sha256 = self.tags.get(BUNDLE_TAG)
        if sha256 is None:
            raise IntegrityError(
                f"the champion, version {self.version} of {model_name}, has no bundle digest: "
                "it was not registered by Tandem",
                remedy="move the alias to a version that a run registered",
            )
        _require_digest(model_name, self.version, sha256)
        if recorded is not None:
            recorded.require(self.version, sha256)
        return sha256


def resolve_champion(model_name: str) -> dict[str, str]:
    """Return {"version", "bundle_sha256", "path"}; {} where there is no store, model or alias.

    Raises IntegrityError for a champion that Tandem did not register, or that is another than the
    home's log says where it says one; SettingsError for a name that is taken; PlatformError for a
    store that does not answer. The digest is the registered one; whoever opens the bundle checks
    it.
    """
    recorded = recorded_champion(home(), model_name) if os.environ.get(HOME_VARIABLE) else None
    if surely_absent(tracking_uri(), model_name):
        _require_none(recorded)
        return {}
    with opened_store(go_on="start the run again") as client:
        version = _aliased(client, model_name)
        if version is None:
            _require_none(recorded)
            require_free(client, model_name)
            return {}
        sha256 = version.bundle_sha256(model_name, recorded)
        require_free(client, model_name)
        path = _local(f"{version.source}/{BUNDLE_FOLDER}", sha256)
    return {"version": version.version, "bundle_sha256": sha256, "path": str(path)}


def champion_here(uri: str, model_name: str, folder: Path) -> dict[str, str] | None:
    """Return the same of a home whose store and files lie on this machine, without MLflow.

    None means: ask MLflow. Raises what `resolve_champion` raises; whether the name is free, a run
    asks before (pipelines/champion.py).
    """
    version = _stored_here(uri, model_name)
    if version is None:
        return None
    sha256 = version.bundle_sha256(model_name, recorded_champion(folder, model_name))
    path = Path(url2pathname(urlsplit(version.source).path), BUNDLE_FOLDER)
    return {"version": version.version, "bundle_sha256": sha256, "path": str(path)}


def _stored_here(uri: str, model_name: str) -> _Aliased | None:
    file = sqlite_file(uri)
    if file is None or not file.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as store:
            found = store.execute(_ALIASED, (model_name, CHAMPION)).fetchall()
            if len(found) != 1 or urlsplit(found[0][1]).scheme not in LOCAL:
                return None
            version, source = found[0]
            tags = dict(store.execute(_TAGS, (model_name, version)).fetchall())
    except sqlite3.Error:
        return None
    return _Aliased(str(version), tags, source)


def _require_none(recorded: RecordedChampion | None) -> None:
    if recorded is not None:
        recorded.require(None, None)


def _require_digest(model_name: str, version: str, sha256: str) -> None:
    """Raise IntegrityError unless a tag is a digest: whoever writes to MLflow wrote it.

    It becomes the name of a folder that is removed and made anew.
    """
    if not re.fullmatch(DIGEST_PATTERN, sha256):
        raise IntegrityError(
            f"the tag {BUNDLE_TAG} of the champion, version {version} of {model_name}, "
            "is no SHA-256 digest",
            remedy="run `tandem models reconcile`; find out who changed the tag",
            expected=DIGEST_PATTERN,
            actual=sha256,
        )


def surely_absent(uri: str, model_name: str) -> bool:
    """Say whether a local store is missing or has no such alias; False means: ask MLflow."""
    file = sqlite_file(uri)
    if file is None:
        return False
    if not file.is_file():
        return True
    question = "SELECT 1 FROM registered_model_aliases WHERE name = ? AND alias = ?"
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as store:
            return store.execute(question, (model_name, CHAMPION)).fetchone() is None
    except sqlite3.Error:
        return False


def _aliased(client: Any, model_name: str) -> _Aliased | None:
    from mlflow.exceptions import MlflowException

    try:
        version = client.get_model_version_by_alias(model_name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise
    source = client.get_model_version_download_uri(model_name, version.version)
    return _Aliased(str(version.version), version.tags, source)


def _local(uri: str, sha256: str) -> Path:
    """Return the bundle's folder, fetched once where the store is not on this machine."""
    parts = urlsplit(uri)
    if parts.scheme in LOCAL:
        return Path(url2pathname(parts.path))
    folder = home() / "champions" / sha256
    if not (folder.is_dir() and tree_digest(folder) == sha256):
        _fetch(uri, folder)
    return folder


def _fetch(uri: str, folder: Path) -> None:
    """Put what lies at a store's address into a folder, all of it or nothing."""
    from mlflow.artifacts import download_artifacts

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        fetched = download_artifacts(artifact_uri=uri, dst_path=beside, tracking_uri=tracking_uri())
        shutil.rmtree(folder, ignore_errors=True)
        Path(fetched).replace(folder)


def main(argv: list[str]) -> int:
    """Print the champion of argv[0]; print the error as JSON, and return its code, otherwise."""
    try:
        found: dict[str, Any] = {"champion": resolve_champion(argv[0])}
        code = 0
    except TandemError as error:
        found, code = {"error": error.to_dict()}, error.exit_code
    sys.stdout.write(json.dumps(found) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
