"""What a run came to: its models side by side, the decision and why.

Read from the run's artifacts for the table at the end, for `--json` and for the report, so that
all three say the same. A run that stopped early has parts missing: they are None, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.core.artifacts import read_json
from components.core.candidates import CHAMPION, candidates
from components.core.measures import measures_of, words
from components.core.slice_keys import OVERALL
from components.core.words import places
from pipelines.runners.results import TaskResult, TaskState
from pipelines.runs import RecordedRun
from pipelines.start import read_arguments

SERVED = "onnx"


SMALL, LARGE = 1e-3, 1e3
MOST = 6  # numbers of digits that are tried


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval, where there is one."""

    value: float
    lower: float | None = None
    upper: float | None = None

    @classmethod
    def of(cls, metric: Any) -> Estimate | None:
        """Return the estimate in an evaluation's metric, which is an object or absent."""
        if not isinstance(metric, Mapping) or metric.get("value") is None:
            return None
        return cls(metric["value"], metric.get("lower"), metric.get("upper"))

    def __str__(self) -> str:
        if self.lower is None or self.upper is None:
            return _metric_texts(self.value)[0]
        value, lower, upper = _metric_texts(self.value, self.lower, self.upper)
        return f"{value} [{lower}, {upper}]"


def _metric_texts(*values: float) -> list[str]:
    """Return numbers as people read them: a squared error may have twelve digits, or none of four.

    Where all are below a thousandth, the largest has three digits that count. The last two, which
    are an interval's bounds, are told apart where further digits do that.
    """
    largest = max(map(abs, values))
    shown = places(largest) + 2 if 0 < largest < SMALL else places()
    tried = [_with_digits(values, shown + more, 1 + more) for more in range(MOST)]
    apart = (texts for texts in tried if len(set(texts[-2:])) == len(set(values[-2:])))
    return next(apart, tried[0])


def _with_digits(values: Sequence[float], shown: int, shown_of_large: int) -> list[str]:
    return [f"{v:.{shown}f}" if abs(v) < LARGE else f"{v:,.{shown_of_large}f}" for v in values]


@dataclass(frozen=True)
class ModelResult:
    """One model in one line of the table; times in milliseconds unless named otherwise.

    `metrics` are the first few that the task shows, by name. `training_seconds` is the wall time of
    the trainer's task, None where its result was cached.
    """

    framework: str
    role: str
    version: str | None
    metrics: Mapping[str, Estimate | None]
    one_row_ms: float | None
    batch_ms: float | None
    batch_rows: int | None
    size_bytes: int | None
    training_seconds: float | None
    training_cached: bool

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` shows: the metrics stand beside the rest."""
        found = asdict(self)
        metrics: dict[str, Any] = found.pop("metrics")
        return found | metrics


@dataclass(frozen=True)
class RunSummary:
    """What a run came to; `decision` is decision.json as it is, also one that says no.

    `models` are the run's own, `champion` the one that they were measured against, if there is one.
    """

    models: tuple[ModelResult, ...]
    champion: ModelResult | None
    decision: Mapping[str, Any] | None
    registration: Mapping[str, Any] | None
    evaluation: Mapping[str, Any] | None
    measurements: Mapping[str, Any] | None

    @property
    def beside(self) -> tuple[ModelResult, ...]:
        """The models that stand side by side in the table, the champion last."""
        return self.models if self.champion is None else (*self.models, self.champion)

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` shows."""
        return {
            "models": [model.to_dict() for model in self.models],
            "champion": self.champion.to_dict() if self.champion else None,
            "decision": self.decision,
            "registration": self.registration,
        }


def read_summary(run: RecordedRun) -> RunSummary:
    """Read a run's summary; raise DataError where one is there and is damaged."""
    evaluation = run.document("evaluate-models", "evaluation", "evaluation.json")
    measurements = run.document("measure-models", "measurements", "measurements.json")
    registration = run.document("register-models", "registration", "registration.json")
    decision = run.document("decide-release", "decision", "decision.json") or _refused(run)
    measured = (evaluation or {}).get("models", ())
    models = tuple(
        _model(run, name, evaluation or {}, measurements or {}, _role(name, registration or {}))
        for name in candidates(measured)
    )
    champion = None
    if CHAMPION in measured:
        version = read_arguments(run.folder).get(CHAMPION, {}).get("version")
        champion = _model(run, CHAMPION, evaluation or {}, measurements or {}, (CHAMPION, version))
    return RunSummary(models, champion, decision, registration, evaluation, measurements)


def _refused(run: RecordedRun) -> Mapping[str, Any] | None:
    """Return the decision that released nothing, which its stage left for people."""
    folder = run.left("decide-release", "decision")
    return read_json(folder / "decision.json") if folder else None


def _model(
    run: RecordedRun,
    framework: str,
    evaluation: Mapping[str, Any],
    measurements: Mapping[str, Any],
    called: tuple[str, str | None],
) -> ModelResult:
    metrics = evaluation["models"].get(framework, {}).get("slices", {}).get(OVERALL, {})
    speed = forms_of(measurements, framework).get(SERVED, {})
    task = run.tasks.get(f"train-{framework}", TaskResult())
    cached = task.state is TaskState.CACHED
    role, version = called
    return ModelResult(
        framework=framework,
        role=role,
        version=version,
        metrics={name: Estimate.of(metrics.get(name)) for name in told(evaluation)},
        one_row_ms=speed.get("one_row_ms", {}).get("p50"),
        batch_ms=speed.get("batch_ms", {}).get("p50"),
        batch_rows=speed.get("batch_rows"),
        size_bytes=speed.get("size_bytes"),
        training_seconds=task.wall_seconds if task.state is TaskState.SUCCEEDED else None,
        training_cached=cached,
    )


def told(evaluation: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics that the table has room for."""
    return measures_of(evaluation).shown[:3]


def forms_of(measurements: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """Return what was measured of each of a model's forms, by name."""
    found: Mapping[str, Any] = measurements.get("models", {}).get(model, {}).get("forms", {})
    return found


def _role(framework: str, registration: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return candidate, challenger or "not registered", and the registry's version."""
    for role in ("candidate", "challenger"):
        entry = registration.get(role)
        if entry and entry.get("framework") == framework:
            return role, str(entry["version"])
    return "not registered", None


def size_text(count: int | None) -> str:
    """Return a number of bytes as people read it."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def seconds_text(seconds: float | None) -> str:
    """Return a duration as people read it."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def milliseconds_text(value: float | None) -> str:
    """Return a latency as people read it."""
    if value is None:
        return "-"
    return f"{value:.3g} ms" if value < 999.5 else f"{value:,.0f} ms"


OTHER_ROWS = (
    "latency of one row, median",
    "latency of a batch, median",
    "size",
    "training time",
)


def table_rows(summary: RunSummary) -> tuple[str, ...]:
    """Return the names of the table's rows; the first metric says what its brackets are."""
    first, *others = map(words, told(summary.evaluation or {}))
    return ("role", f"{first} (interval)", *others, *OTHER_ROWS)


def table_cells(model: ModelResult) -> tuple[str, ...]:
    """Return one model's column of the table, in the order of table_rows."""
    batch = milliseconds_text(model.batch_ms)
    training = "cached" if model.training_cached else seconds_text(model.training_seconds)
    return (
        model.role if model.version is None else f"{model.role}, version {model.version}",
        *(str(estimate or "-") for estimate in model.metrics.values()),
        milliseconds_text(model.one_row_ms),
        f"{batch} ({model.batch_rows} rows)" if model.batch_rows else batch,
        size_text(model.size_bytes),
        training,
    )
