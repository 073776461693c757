"""What became of each artifact of a recorded run when the run was made again.

Rules: what must repeat is what docs/reproducibility.md says repeats; what could not be compared is
named so and is no verdict. A bundle whose bytes differ is within tolerance where each form of other
bytes predicts what the recorded one does, on evaluation rows and within the tolerance that its
contract was proven at; of a number that is in the number's own units. The recorded artifact is read
only where its bytes are those of its record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import manifest
from components.core.bundle import Bundle
from components.core.contract import Form
from components.core.errors import SettingsError, TandemError
from components.core.examples import read_split
from components.core.raw_inputs import raw_inputs
from pipelines.cli.repeated_judgement import (
    UNCOMPARED,
    evaluation_differences,
    gate_differences,
)
from pipelines.recorded import RecordedArtifacts
from pipelines.reproduction import BUNDLES, WHOLE

IDENTICAL, WITHIN, DIFFERS, MISSING = "identical", "within tolerance", "differs", "not made"
NOT_COMPARED = "not compared"
JUDGEMENTS = ("evaluation", "decision")
# The files that repeat of artifacts that do not repeat as a whole: docs/reproducibility.md.
FILES = {
    "statistics": ("drift.json", "statistics.html"),
    "transform_graph": ("preprocessing.json", "preprocessing.onnx"),
}
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

    @property
    def is_open(self) -> bool:
        """Say whether it is not known whether it repeats."""
        return self.verdict == NOT_COMPARED

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    def to_text(self) -> str:
        """Return it for people, on one line."""
        why = f": {self.why}" if self.why else ""
        return f"{self.artifact}: {self.verdict}{why}"


def verdicts(
    recorded: RecordedArtifacts, made: RecordedArtifacts, *, champion: bool = True
) -> Iterator[Verdict]:
    """Yield a verdict on every artifact of the recorded run.

    `champion` is False where the recorded run had one and the other was made without it.
    """
    for stage, view in recorded.records.items():
        task = stage.replace("_", "-")
        for name, sha256 in view.outputs.items():
            again = made.records.get(stage)
            actual = again.outputs.get(name, "") if again else ""
            yield _verdict(_Pair(recorded, made, task, name, champion), sha256, actual)


@dataclass(frozen=True)
class _Pair:
    """One artifact as it was recorded, and as it was made again."""

    recorded: RecordedArtifacts
    made: RecordedArtifacts
    task: str
    name: str
    champion: bool

    @property
    def documents(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What NAME.json holds in both; raises what `folders` raises."""
        return (
            self.recorded.document(self.task, self.name),
            self.made.document(self.task, self.name),
        )

    @property
    def folders(self) -> tuple[Path, Path]:
        """Both folders; what `output` raises where the bytes are not those of the records."""
        return (
            self.recorded.output(self.task, self.name),
            self.made.output(self.task, self.name),
        )


def _verdict(pair: _Pair, sha256: str, actual: str) -> Verdict:
    name = pair.name
    must = name in WHOLE or name in BUNDLES or name in FILES or name in JUDGEMENTS
    if actual == sha256:
        return Verdict(name, IDENTICAL, must, sha256, actual)
    if not actual:
        return Verdict(name, MISSING, must, sha256, actual, "its stage did not get that far")
    try:
        if name == "decision":
            return _decision(pair, sha256, actual)
        verdict, why = _compared(pair)
    except SettingsError as error:  # it is not there, by a record: nothing says that it differs
        verdict, why = NOT_COMPARED, error.message
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
    if pair.name == "evaluation":
        return _evaluation(pair)
    return DIFFERS, "it names times, digests or measurements, which do not repeat"


def _evaluation(pair: _Pair) -> tuple[str, str]:
    """Return whether every number of an evaluation came again, and why."""
    far, same = evaluation_differences(*pair.documents, champion=pair.champion)
    if far:
        return DIFFERS, f"{len(far)} of its numbers, the first {far[0]}"
    if not pair.champion:
        return NOT_COMPARED, f"its other numbers are the same, and {UNCOMPARED}"
    if same:
        return IDENTICAL, "in all its numbers; it names digests of bundles that do not repeat"
    return WITHIN, "in all its numbers"


def _decision(pair: _Pair, sha256: str, actual: str) -> Verdict:
    """Judge a decision by its gates, and by its choice, which latencies may turn."""
    one, two = pair.documents

    def verdict(found: str, why: str, *, must: bool = True) -> Verdict:
        return Verdict(pair.name, found, must, sha256, actual, why)

    if changed := gate_differences(one, two, champion=pair.champion):
        return verdict(DIFFERS, f"judged otherwise: {', '.join(changed)}")
    if not pair.champion:
        return verdict(NOT_COMPARED, f"its other gates are judged the same, and {UNCOMPARED}")
    chosen = [(item["go"], item["winner"]) for item in (one, two)]
    if chosen[0] == chosen[1]:
        return verdict(IDENTICAL, "in its gates and its choice; it names measured latencies")
    why = f"its gates are judged the same; chosen was {one['winner']}, now {two['winner']}: "
    why += "latencies, which are measured anew, may decide among models that pass"
    return verdict(DIFFERS, why, must=False)


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
