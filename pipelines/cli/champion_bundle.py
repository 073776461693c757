"""Where the champion that a recorded run was measured against lies now, found by its digest.

Rules: version and digest are those in the record of the evaluation; where its files lie is nobody's
to say: each place is believed only where its bytes have that digest. Looked at are the place that
the run's folder names and the bundles in this home's run folders; no registry is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json, tree_digest
from pipelines.cli.recorded_here import Check, Recorded
from pipelines.home import Home
from pipelines.start import ARGUMENTS_FILE

EVALUATING = "evaluate_models"
WITHOUT = "made again without it"


@dataclass(frozen=True)
class ChampionBundle:
    """A recorded champion; `path` is None where its bundle is not here."""

    version: str
    bundle_sha256: str
    path: Path | None

    def to_check(self) -> Check:
        """Return whether it is here, as one of the things that must be."""
        why = (
            f"no bundle of version {self.version} with sha256 {self.bundle_sha256[:12]} lies in "
            f"the home: with --run it is {WITHOUT}, and what was measured against it is not "
            "compared; restore the run's folder or the store that held it"
        )
        is_here = self.path is not None
        return Check("champion", is_here, self.bundle_sha256, "" if is_here else why)

    def to_argument(self) -> dict[str, str]:
        """Return what a run is given as its champion, {} where it is not here."""
        if self.path is None:
            return {}
        named = {"version": self.version, "bundle_sha256": self.bundle_sha256}
        return {**named, "path": str(self.path)}


def champion_bundle(recorded: Recorded, home: Home) -> ChampionBundle | None:
    """Return the champion of a recorded run, None where the run had none."""
    work = recorded.work.get(EVALUATING)
    said: Mapping[str, Any] | None = work.settings.get("champion") if work else None
    if not said:
        return None
    wanted = str(said["bundle_sha256"])
    places = (path for path in _places(recorded, home) if path.is_dir())
    found = next((path for path in places if tree_digest(path) == wanted), None)
    return ChampionBundle(str(said["version"]), wanted, found)


def _places(recorded: Recorded, home: Home) -> Iterator[Path]:
    """Yield where a bundle may lie."""
    arguments = home.runs / recorded.release.run / ARGUMENTS_FILE
    if arguments.is_file():
        path = (read_json(arguments).get("champion") or {}).get("path")
        if path:
            yield Path(path)
    yield from sorted(home.runs.glob("*/artifacts/*/*_model"))
