"""A model that is to be registered: its bundle, and all that is said of it and stored with it.

Rule: the same entry writes the same bytes, so a version is found again by what it says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.core.artifacts import copy_tree, write_text
from components.core.bundle import Bundle
from components.register_models.mlflow_model import stored_digest, write_model
from components.register_models.store import (
    BUNDLE_TAG,
    FRAMEWORK_TAG,
    RECORD_TAG,
    RUN_TAG,
    WEIGHTS_TAG,
)


@dataclass(frozen=True)
class Entry:
    """A model to register: its bundle, and the record of the stage that made it.

    `said` are tags beyond these; `attached` are files stored with it: a text, or a folder to copy.
    """

    bundle: Bundle
    sha256: str
    record: str
    said: Mapping[str, str] = field(default_factory=dict)
    attached: Mapping[str, str | Path] = field(default_factory=dict)
    created: str = "1970-01-01 00:00:00"

    @property
    def framework(self) -> str:
        """The framework, which is unique within a run."""
        return self.bundle.contract.framework

    def tags(self, run_id: str) -> dict[str, str]:
        """Return what the version says of itself."""
        return {
            RUN_TAG: run_id,
            FRAMEWORK_TAG: self.framework,
            BUNDLE_TAG: self.sha256,
            RECORD_TAG: self.record,
            WEIGHTS_TAG: self.bundle.contract.weights_sha256,
            **self.said,
        }

    def write(self, folder: Path, run_id: str) -> str:
        """Write all that is stored of it into a folder, and return the digest of that."""
        write_model(folder, self.bundle, self.tags(run_id), self.created)
        for name, content in self.attached.items():
            if isinstance(content, Path):
                copy_tree(content, folder / name)
            else:
                write_text(folder / name, content)
        return stored_digest(folder)
