"""What a stage is given in tests in place of kfp's Artifact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class FolderPort:
    """kfp's Artifact as run_stage sees it."""

    path: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return self.path
