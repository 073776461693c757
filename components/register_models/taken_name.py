"""A model's name that somebody else uses in MLflow, told before anything is written under it.

Rules: a version is ours that says of which run it is and of which bundle; a name that has any other
version is taken; one without versions is free, because a run that was stopped leaves it so. Whether
what a version says is true, `tandem models reconcile` tells.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any

from components.core.errors import SettingsError
from components.register_models.store import BUNDLE_TAG, RUN_TAG, sqlite_file
from components.register_models.version_numbers import versions_named

OURS = (RUN_TAG, BUNDLE_TAG)
# In MLflow's own tables, of a version that is neither deleted nor ours.
_QUESTION = """
SELECT version FROM model_versions AS v
WHERE name = ? AND current_stage <> 'Deleted_Internal' AND (
  SELECT COUNT(*) FROM model_version_tags AS t
  WHERE t.name = v.name AND t.version = v.version AND t.key IN (?, ?)
) < 2 ORDER BY version
"""


def require_free(client: Any, model_name: str) -> None:
    """Raise SettingsError where the model has a version that no run of Tandem's registered."""
    versions = versions_named(client, model_name)
    found = [str(version.version) for version in versions if not version.tags.keys() >= {*OURS}]
    _require_none(model_name, sorted(found, key=int))


def require_free_locally(uri: str, model_name: str) -> None:
    """Do the same by a question to a local store's file, in a millisecond; skip any other store."""
    file = sqlite_file(uri)
    if file is None or not file.is_file():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as store:
            rows = store.execute(_QUESTION, (model_name, *OURS)).fetchall()
    except sqlite3.Error:
        return  # MLflow is asked when the model is registered
    _require_none(model_name, [str(version) for (version,) in rows])


def _require_none(model_name: str, versions: Sequence[str]) -> None:
    if versions:
        several = (
            f"versions {', '.join(versions[:5])}" if versions[1:] else f"version {versions[0]}"
        )
        raise SettingsError(
            f"the name {model_name} is taken: {several} in MLflow, not registered by Tandem",
            remedy="name another model in registry.model_name; or find out who registered them, "
            "and delete them in MLflow",
            expected=[],
            actual=list(versions),
        )
