"""The models that are measured: candidates and the champion, opened as a consumer opens them.

Rules: a bundle is opened only after its contract and every file were checked; a candidate must be
of the framework whose port it came through; the champion must be the bundle that was registered;
what a model gives must be what is predicted (target.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from components.core.bundle import Bundle, OnnxScorer
from components.core.candidates import CHAMPION
from components.core.errors import IntegrityError
from components.core.settings import Digest, Section
from components.evaluate_models.intervals import Floats
from components.evaluate_models.target import Target


class Champion(Section):
    """The model that is in use, as the registry names it."""

    version: str
    bundle_sha256: Digest
    # Where this machine keeps the bundle: neither recorded nor part of the cache key.
    path: str = Field(exclude=True)


@dataclass(frozen=True)
class Measurable:
    """A model that can be scored, and what it is by digest."""

    name: str
    bundle: Bundle
    sha256: str
    scorer: OnnxScorer

    def predictions(self, table: pa.Table, target: Target) -> Floats:
        """Return what the model gives for each row in double precision, [rows] or [rows, classes].

        Raises DataError for anything that is not what the target asks for.
        """
        return target.checked(self.name, self.scorer.predict(table), table.num_rows)


def open_candidate(framework: str, folder: Path, threads: int) -> Measurable:
    """Open a candidate's bundle; IntegrityError where it is another framework's."""
    bundle = Bundle.open(folder)
    if bundle.contract.framework != framework:
        raise IntegrityError(
            f"{framework}_model holds a {bundle.contract.framework} bundle",
            remedy="find out who exchanged the models, then start a new run",
        )
    return Measurable(framework, bundle, bundle.sha256, OnnxScorer(bundle, threads))


def open_champion(champion: Champion, threads: int) -> Measurable:
    """Open the champion's bundle; IntegrityError where it is not what was registered."""
    bundle = Bundle.open(Path(champion.path))
    sha256 = bundle.sha256
    if sha256 != champion.bundle_sha256:
        raise IntegrityError(
            f"the champion, version {champion.version}, is not the bundle that was registered",
            remedy="find out who changed it, then move the alias to an intact version",
            expected=champion.bundle_sha256,
            actual=sha256,
        )
    return Measurable(CHAMPION, bundle, sha256, OnnxScorer(bundle, threads))
