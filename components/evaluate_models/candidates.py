"""The models that are measured: candidates and the champion, opened as a consumer opens them.

Rules: a bundle is opened only after its contract and every file were checked; a candidate must be
of the framework whose port it came through; the champion must be the bundle that was registered;
what a model gives must be what is predicted (target.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from components.core.buckets import get_tree, is_in_bucket
from components.core.bundle import Bundle, OnnxScorer
from components.core.candidates import CHAMPION
from components.core.contract import Output
from components.core.errors import DataError, IntegrityError
from components.core.settings import Digest, Section
from components.evaluate_models.intervals import Floats
from components.evaluate_models.target import Target


class Champion(Section):
    """The model that is in use, as the registry names it."""

    version: str
    bundle_sha256: Digest
    # Where this machine, or a bucket, keeps the bundle: neither recorded nor part of the cache key.
    path: str = Field(exclude=True)


@contextmanager
def at_hand(champion: Champion | None) -> Iterator[Champion | None]:
    """Give the champion with its bundle on this machine, fetched where it lies in a bucket.

    Raises PlatformError where the bucket does not answer; `open_champion` says what it is worth.
    """
    if champion is None or not is_in_bucket(champion.path):
        yield champion
        return
    with tempfile.TemporaryDirectory(prefix="tandem-champion-") as folder:
        get_tree(champion.path, Path(folder))
        yield champion.model_copy(update={"path": folder})


_AWAY = (
    "have another version be the champion (`tandem models promote` or `rollback`), or none "
    "(`tandem models withdraw`)"
)


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


def open_candidate(framework: str, folder: Path) -> Measurable:
    """Open a candidate's bundle; IntegrityError where it is another framework's."""
    bundle = Bundle.open(folder)
    if bundle.contract.framework != framework:
        raise IntegrityError(
            f"{framework}_model holds a {bundle.contract.framework} bundle",
            remedy="find out who exchanged the models, then start a new run",
        )
    return Measurable(framework, bundle, bundle.sha256, OnnxScorer(bundle))


def reopened(name: str, folder: str, sha256: str) -> Measurable:
    """Open a model again, in another process; IntegrityError where its bundle is another now."""
    bundle = Bundle.open(Path(folder))
    if (actual := bundle.sha256) != sha256:
        raise IntegrityError(
            f"a worker found another bundle of {name} than the stage had checked",
            remedy="find out who changed it, or why workers see another folder; start a new run",
            expected=sha256,
            actual=actual,
        )
    return Measurable(name, bundle, sha256, OnnxScorer(bundle))


def open_champion(champion: Champion, columns: Mapping[str, str], output: Output) -> Measurable:
    """Open the champion's bundle, to be measured on rows of these columns beside such an output.

    Raises IntegrityError where it is not what was registered, DataError where it cannot be measured
    as it is: a champion is never passed over.
    """
    named = f"the champion, version {champion.version}"
    try:
        bundle = Bundle.open(Path(champion.path))
        sha256 = bundle.sha256
    except (IntegrityError, DataError) as error:
        raise IntegrityError(
            f"{named}, is no longer a bundle: {error.message}",
            remedy=f"run `tandem models reconcile`; {_AWAY}",
            expected=champion.bundle_sha256,
            actual=error.actual or error.message,
        ) from error
    if sha256 != champion.bundle_sha256:
        raise IntegrityError(
            f"the champion, version {champion.version}, is not the bundle that was registered",
            remedy="find out who changed it, then move the alias to an intact version",
            expected=champion.bundle_sha256,
            actual=sha256,
        )
    _require_columns(named, bundle, columns)
    if bundle.contract.output != output:
        raise DataError(
            f"{named}, gives another output than the candidates",
            remedy=_AWAY,
            expected=output.model_dump(),
            actual=bundle.contract.output.model_dump(),
        )
    return Measurable(CHAMPION, bundle, sha256, _scorer(named, bundle))


def _require_columns(named: str, bundle: Bundle, columns: Mapping[str, str]) -> None:
    """Raise DataError for an input of the champion's that the examples do not have as it is."""
    for name, dtype in bundle.contract.input_types.items():
        actual = columns.get(name)
        if actual is None or (dtype == "float32" and actual == "string"):
            found = f"hold as {actual}" if actual else "do not have"
            raise DataError(
                f"{named}, takes {name} as {dtype}, which the examples {found}",
                remedy=f"keep that column in the source as it was; or {_AWAY}",
                expected=dict(bundle.contract.input_types),
                actual=dict(columns),
            )


def _scorer(named: str, bundle: Bundle) -> OnnxScorer:
    """Return what scores the champion; DataError where its form no longer loads."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    raised = (
        errors.Fail,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NotImplemented,
        errors.RuntimeException,
    )
    try:
        return OnnxScorer(bundle)
    except raised as error:
        lines = str(error).strip().splitlines() or ["no message"]
        raise DataError(
            f"{named}, no longer loads: {lines[0][:200]}",
            remedy=f"use the onnxruntime that it was registered with; or {_AWAY}",
            expected="a model that this onnxruntime loads",
            actual=type(error).__name__,
        ) from error
