"""Make a recorded run again in a home of its own, and hold each artifact against the log.

Rules: it runs the pipeline and the arguments that the run's folder keeps, after recorded_here.py
has found them to be the log's, without the cache and without a champion, which a new home has none
of. What must repeat is what docs/reproducibility.md says repeats. A bundle whose bytes differ is
within tolerance where each form of other bytes predicts what the recorded one does, on evaluation
rows and within the tolerance that its contract was proven at; of a number that is in the number's
own units. The recorded bundle is read only where its bytes are those of its record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from components.audit.client import ADDRESS_VARIABLE
from components.core.artifacts import manifest
from components.core.bundle import Bundle
from components.core.contract import Form
from components.core.errors import TandemError
from components.core.examples import read_split
from components.core.raw_inputs import raw_inputs
from components.core.sources import use_sources
from pipelines.cli.recorded_here import Kept, Recorded
from pipelines.home import Home
from pipelines.identity import run_identity
from pipelines.launch import answering_notary, launch
from pipelines.prepared import PreparedRun
from pipelines.progress import progress
from pipelines.recorded import RecordedArtifacts
from pipelines.reproduction import BUNDLES, WHOLE
from pipelines.runners.preload import LIGHT, SERVERS
from pipelines.runners.run_folder import new_run_id
from pipelines.runners.servers import ForkServers
from pipelines.runs import RecordedRun, find_run, read_run
from pipelines.start import Start, read_start

IDENTICAL, WITHIN, DIFFERS, MISSING = "identical", "within tolerance", "differs", "not made"
# The files that repeat of artifacts that do not repeat as a whole: docs/reproducibility.md.
FILES = {
    "statistics": ("drift.json", "statistics.html"),
    "transform_graph": ("preprocessing.json", "preprocessing.onnx"),
}
# Neither the real registry nor somebody else's notary and cache may take part.
ELSEWHERE = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "TANDEM_CACHE", ADDRESS_VARIABLE)
ROWS = 5000


@dataclass(frozen=True)
class Verdict:
    """What became of one artifact; `must_repeat` says whether another verdict is a finding."""

    artifact: str
    verdict: str
    must_repeat: bool
    recorded: str
    made: str
    why: str = ""

    @property
    def is_finding(self) -> bool:
        """Say whether it should have repeated, and did not."""
        return self.must_repeat and self.verdict in (DIFFERS, MISSING)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    def to_text(self) -> str:
        """Return it for people, on one line."""
        why = f": {self.why}" if self.why else ""
        return f"{self.artifact}: {self.verdict}{why}"


def repeat(recorded: Recorded, found: Kept, home: Home, fresh: Home, shown: TextIO) -> RecordedRun:
    """Make the run again in a fresh home, whatever becomes of it, and return it."""
    use_sources(found.sources)
    prepared = _prepared(recorded, found, home, fresh)
    with (
        _nothing_from_elsewhere(),
        ForkServers(SERVERS) as servers,
        answering_notary(fresh) as notary,
        progress(prepared.tasks, shown, prepared.folder / "logs") as listener,
    ):
        servers.start(LIGHT)
        launch(prepared, fresh, notary, listener, servers)
    return read_run(prepared.folder)


def verdicts(recorded: RecordedArtifacts, made: RecordedArtifacts) -> Iterator[Verdict]:
    """Yield a verdict on every artifact of the recorded run."""
    for stage, view in recorded.records.items():
        task = stage.replace("_", "-")
        for name, sha256 in view.outputs.items():
            again = made.records.get(stage)
            actual = again.outputs.get(name, "") if again else ""
            yield _verdict(_Pair(recorded, made, task, name), sha256, actual)


@dataclass(frozen=True)
class _Pair:
    """One artifact as it was recorded, and as it was made again."""

    recorded: RecordedArtifacts
    made: RecordedArtifacts
    task: str
    name: str

    @property
    def folders(self) -> tuple[Path, Path]:
        """Both folders; what `output` raises where the bytes are not those of the records."""
        return (
            self.recorded.output(self.task, self.name),
            self.made.output(self.task, self.name),
        )


def _verdict(pair: _Pair, sha256: str, actual: str) -> Verdict:
    name = pair.name
    must = name in WHOLE or name in BUNDLES or name in FILES
    if actual == sha256:
        return Verdict(name, IDENTICAL, must, sha256, actual)
    if not actual:
        return Verdict(name, MISSING, must, sha256, actual, "its stage did not get that far")
    try:
        verdict, why = _compared(pair)
    except TandemError as error:
        verdict, why = DIFFERS, f"they cannot be compared: {error.message}"
    return Verdict(name, verdict, must, sha256, actual, why)


def _compared(pair: _Pair) -> tuple[str, str]:
    """Return the verdict on artifacts whose bytes differ, and why."""
    if pair.name in BUNDLES:
        return compared_bundles(*pair.folders, pair.recorded.output("ingest-examples", "examples"))
    if pair.name in FILES:
        one, two = map(manifest, pair.folders)
        changed = [file for file in FILES[pair.name] if one.get(file) != two.get(file)]
        if changed:
            return DIFFERS, f"{', '.join(changed)} must repeat and does not"
        return IDENTICAL, f"in the files that repeat: {', '.join(FILES[pair.name])}"
    return DIFFERS, "it names times, digests or measurements, which do not repeat"


def compared_bundles(one: Path, two: Path, examples: Path) -> tuple[str, str]:
    """Return whether two bundles whose bytes differ predict the same within tolerance, and why."""
    recorded, made = Bundle.open(one), Bundle.open(two)
    changed = _changed_forms(recorded, made)
    far = list(_far(recorded, made, changed, examples))
    if far:
        return DIFFERS, f"predictions differ: {', '.join(far)}"
    same = recorded.contract.weights_sha256 == made.contract.weights_sha256
    names = ", ".join(form.name for form in changed) or "no form"
    weights = "the weights are the same" if same else "the weights are others"
    return WITHIN, f"{weights}; other bytes in {names}, whose predictions are within its tolerance"


def _changed_forms(one: Bundle, two: Bundle) -> list[Form]:
    """Return the recorded forms of which some file is another, or is gone."""

    def files(bundle: Bundle, form: Form) -> dict[str, str]:
        every = bundle.contract.files.items()
        return {f: d for f, d in every if f == form.path or f.startswith(f"{form.path}/")}

    return [form for form in one.contract.forms if files(one, form) != files(two, form)]


def _far(one: Bundle, two: Bundle, changed: list[Form], examples: Path) -> Iterator[str]:
    """Yield each form whose predictions are further from the recorded ones than they may be."""
    import numpy as np

    from components.training.scoring import scorer

    inputs = one.contract.input_types
    rows = raw_inputs(read_split(examples, "eval", list(inputs)).slice(0, ROWS), inputs)
    for form in changed:
        if form.parity is None:
            yield f"{form.name} (its contract gives no tolerance for them)"
            continue
        first, second = (scorer(bundle, form.name)(rows) for bundle in (one, two))
        distance = np.max(np.abs(np.asarray(first, float) - np.asarray(second, float)))
        if not distance <= form.parity.tolerance:
            yield f"{form.name} by {distance:.3g} (tolerance {form.parity.tolerance:.3g})"


def _prepared(recorded: Recorded, found: Kept, home: Home, fresh: Home) -> PreparedRun:
    run = recorded.run
    identity = run_identity(
        run_id=new_run_id(),
        name=str(run["name"]),
        ir_sha256=str(run["ir_sha256"]),
        settings_sha256=str(run["settings_sha256"]),
        cache=False,
    )
    start: Start = read_start(find_run(home, recorded.release.run).folder)
    return PreparedRun(
        folder=fresh.runs / identity["id"],
        ir=found.ir,
        pipeline=found.pipeline,
        arguments={**found.arguments, "run": identity, "champion": {}},
        plan=(),
        settings={name: value for name, value in found.arguments.items() if name != "run"},
        start=start,
    )


@contextmanager
def _nothing_from_elsewhere() -> Iterator[None]:
    """Have the stages use nothing but the fresh home."""
    before: Mapping[str, str] = {name: os.environ[name] for name in ELSEWHERE if name in os.environ}
    for name in before:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ |= before
