"""The cache of finished stages: a key, the outputs' digests, and where the outputs lie.

Rules: an entry is used only while its stored outputs hash to what was recorded; a damaged or
missing output makes a miss, never an error; outputs are copied, so runs never share files.
Beside the outputs stand the parts of the key, for each run a pointer to the entry of each of its
stages, and for each use case which run completed last: they explain what changed and decide
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import copy_tree, read_json, tree_digest, write_json
from components.core.canonical import sha256_value
from components.core.errors import IntegrityError, TandemError

CACHE_VARIABLE = "TANDEM_CACHE"
_COMPLETED = "completed.json"


def cache_key(
    *,
    stage: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    modules: Mapping[str, str],
    lock_sha256: str,
) -> str:
    """Return the digest of everything that a stage's outputs depend on."""
    return sha256_value(
        {
            "stage": stage,
            "settings": dict(settings),
            "inputs": dict(inputs),
            "modules": dict(modules),
            "lock_sha256": lock_sha256,
        }
    )


@dataclass(frozen=True)
class StageCache:
    """A folder of entries, one JSON file a key."""

    folder: Path

    @staticmethod
    def is_configured() -> bool:
        """Say whether TANDEM_CACHE names a folder."""
        return bool(os.environ.get(CACHE_VARIABLE))

    @classmethod
    def from_environment(cls) -> StageCache:
        """Return the cache that TANDEM_CACHE names."""
        return cls(Path(os.environ[CACHE_VARIABLE]))

    def entry(self, key: str) -> dict[str, dict[str, Any]] | None:
        """Return {output: {path, metadata}} if all outputs still hash to what was recorded."""
        path = self.folder / f"{key}.json"
        if not path.is_file():
            return None
        try:
            outputs: dict[str, dict[str, Any]] = read_json(path)["outputs"]
            intact = all(
                tree_digest(Path(output["path"])) == output["metadata"]["sha256"]
                for output in outputs.values()
            )
        except (TandemError, OSError, AttributeError, KeyError, TypeError):
            return None
        return outputs if intact else None

    def fetch(self, key: str, targets: Mapping[str, Path]) -> dict[str, dict[str, Any]] | None:
        """Copy a hit's outputs to the targets and return their metadata; None for a miss."""
        outputs = self.entry(key)
        if outputs is None or outputs.keys() != targets.keys():
            return None
        for name, target in targets.items():
            copy_tree(Path(outputs[name]["path"]), target)
            if tree_digest(target) != outputs[name]["metadata"]["sha256"]:
                raise IntegrityError(
                    f"the cached copy of {name} changed while it was read",
                    remedy="run again with --no-cache",
                )
        return {name: outputs[name]["metadata"] for name in targets}

    def store(
        self,
        key: str,
        outputs: Mapping[str, Path],
        metadata: Mapping[str, dict[str, Any]],
        parts: Mapping[str, Any] | None = None,
    ) -> None:
        """Remember finished outputs and the parts of the key; the last writer of a key wins."""
        entry = {
            name: {"path": str(path.resolve()), "metadata": metadata[name]}
            for name, path in outputs.items()
        }
        write_json(self.folder / f"{key}.json", {"outputs": entry, "parts": dict(parts or {})})

    def point(self, run: Mapping[str, Any], stage: str, key: str) -> None:
        """Remember which entry a run's stage used; `run` is the run's identity."""
        write_json(self._pointers(str(run["name"])) / str(run["id"]) / f"{stage}.json", key)

    def complete(self, run: Mapping[str, Any]) -> None:
        """Remember that this run is its use case's last that completed, if it used the cache."""
        pointers = self._pointers(str(run["name"]))
        if (pointers / str(run["id"])).is_dir():
            write_json(pointers / _COMPLETED, run["id"])

    def latest_parts(self, use_case: str, stage: str) -> dict[str, Any] | None:
        """Return the parts of a stage's key in the last run that completed.

        Where none has, in the last run that came as far; None where none has come as far.
        """
        pointers = self._pointers(use_case)
        attempts = (path.name for path in pointers.iterdir()) if pointers.is_dir() else ()
        completed = _read_or_none(pointers / _COMPLETED)
        for run in (completed, *sorted(attempts, reverse=True)):
            key = _read_or_none(pointers / str(run) / f"{stage}.json")
            entry = _read_or_none(self.folder / f"{key}.json")
            parts = entry.get("parts") if isinstance(entry, dict) else None
            if isinstance(parts, dict) and parts:
                return parts
        return None

    def _pointers(self, use_case: str) -> Path:
        return self.folder / "latest" / use_case


def _read_or_none(path: Path) -> Any:
    try:
        return read_json(path)
    except (TandemError, OSError):
        return None
