"""The sections of a run's settings, each a frozen value that refuses unknown keys.

A section is what one or more stages depend on; the DAG hands each stage only its own sections, so
a change of one section repeats only the stages that read it. The file as a whole is RunSettings in
pipelines/settings.py. Paths and secrets do not belong here: they come from the environment.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SPAN_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])$"
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=100)]
Span = Annotated[str, Field(pattern=SPAN_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
ModelFunction = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class Section(BaseModel):
    """A frozen part of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Table(Section):
    """One table of the source: a CSV file, plain, compressed or zipped, or a Parquet file.

    `location` is a path, relative to the settings file, or `package://NAME/PATH` for a file that
    an installed package ships. A run fills `sha256` in when it starts, so that a changed file is a
    changed input of ingestion; in a settings file it pins the file.
    """

    location: str
    sha256: Digest | None = None
    null_values: tuple[str, ...] = ("", "NA")


class Join(Table):
    """A left join of a further table; its columns get `prefix`.

    `shift_hours` moves the further table's time key, so that a row sees only what was observed
    that many hours before.
    """

    on: tuple[Name, ...] = Field(min_length=1)
    columns: tuple[Name, ...] = Field(min_length=1)
    prefix: str = ""
    shift_hours: dict[Name, int] = {}


class Target(Section):
    """The label: 1 where `column` is greater than `above`, else 0, under the name `name`."""

    name: Name
    column: Name
    above: float


class DropRule(Section):
    """A row with no value in `column` is dropped for `reason`."""

    column: Name
    reason: str = Field(min_length=1)


class Source(Section):
    """Where the rows come from and what of them is kept."""

    table: Table
    joins: dict[Name, Join] = Field(default={}, description="joined in the order of their names")
    target: Target
    drop_where_null: tuple[DropRule, ...] = Field(
        default=(), description="a row without a value is dropped and counted, by the first rule"
    )
    leakage: tuple[Name, ...] = Field(
        default=(), description="columns known only after the prediction; never features"
    )
    span_columns: tuple[Name, Name] = ("year", "month")
    weekday: Name | None = Field(
        default=None, description="name of a column to add: day of the week, 1 is Monday"
    )

    @field_validator("joins")
    @classmethod
    def _by_name(cls, joins: dict[str, Join]) -> dict[str, Join]:
        """Order the joins: a mapping keeps none on its way through the pipeline's parameters."""
        return dict(sorted(joins.items()))


class Window(Section):
    """The spans of a run: `first` to `last`, both included; the last one is evaluated on."""

    first: Span
    last: Span

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.first >= self.last:
            raise ValueError("a window needs at least two spans: first must be before last")
        return self

    def spans(self) -> tuple[str, ...]:
        """Return every month of the window in order, as YYYY-MM."""
        year, month = (int(part) for part in self.first.split("-"))
        found = [self.first]
        while found[-1] != self.last:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            found.append(f"{year:04d}-{month:02d}")
        return tuple(found)


class Checks(Section):
    """The gates of data validation."""

    minimum_rows: int = Field(default=1000, ge=1)
    drift_linf: Share = Field(default=0.3, description="largest L-infinity distance, categorical")
    drift_js: Share = Field(
        default=0.3, description="largest Jensen-Shannon divergence, numeric features"
    )
    drift_features: tuple[Name, ...] = ()
    minimum_class_share: Share = 0.01


class Feature(Section):
    """One declared feature, made of one column.

    zscore: (x - mean) / standard deviation, a missing value becomes the mean;
    log_zscore: the same of log(1 + max(x, 0));
    cyclic: sine and cosine of 2 pi x / period, a missing value becomes (0, 0);
    vocabulary: an integer id by descending frequency, the `top_k` most frequent at most, and one
    further id for everything unseen or missing.
    """

    kind: Literal["zscore", "log_zscore", "cyclic", "vocabulary"]
    period: float | None = Field(default=None, gt=0)
    top_k: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _period_for_cyclic(self) -> Feature:
        if (self.kind == "cyclic") != (self.period is not None):
            raise ValueError("period belongs to kind cyclic, and cyclic needs one")
        return self


class Transform(Section):
    """The features, by column name, in a fixed order (sorted by name)."""

    features: dict[Name, Feature] = Field(min_length=1)


class ModelFamily(Section):
    """The two model functions and what both read: one architecture, two frameworks."""

    pytorch: ModelFunction
    tensorflow: ModelFunction
    hidden_units: tuple[Annotated[int, Field(ge=1)], ...] = (128, 64)
    embedding_dim: int = Field(default=8, ge=1, le=512)


class Train(Section):
    """How both models are trained."""

    epochs: int = Field(default=4, ge=1, le=10_000)
    batch_size: int = Field(default=2048, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    seed: int = Field(default=13, ge=0, lt=2**31)
    threads: int = Field(default=1, ge=1, description="threads of each trainer")


class Evaluate(Section):
    """What is measured on the last span."""

    slices: tuple[tuple[Name, ...], ...] = Field(
        default=(), description="columns to slice by; more than one name is a cross"
    )
    minimum_slice_rows: int = Field(default=100, ge=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    batch_rows: int = Field(default=8192, ge=1, description="rows of a batch when timing")
    latency_runs: int = Field(default=200, ge=10)


Comparison = Literal[">=", "<="]


class MetricGate(Section):
    """A gate on one metric of one model: the interval's worse bound against a threshold."""

    metric: Literal["auc", "log_loss", "calibration_error", "accuracy"]
    operator: Comparison
    threshold: float
    slice: str = Field(default="overall", description="a slice's key, such as origin=JFK")


class Policy(Section):
    """What a model must meet to be registered, and what decides between two that do."""

    gates: tuple[MetricGate, ...] = Field(min_length=1)
    champion_auc_margin: float = Field(
        default=0.0, description="AUC that a candidate must have over the champion's, if any"
    )
    prefer: Literal["auc", "log_loss", "latency"] = "auc"


class Registry(Section):
    """The model's name in MLflow; the server comes from MLFLOW_TRACKING_URI."""

    model_name: Name
    experiment: Name = "tandem"


class CardField(Section):
    """Personal data in the source: whether there is any, and of which categories."""

    present: bool
    categories: tuple[str, ...] = ()


class DataCard(Section):
    """What the data is and may be used for (EU AI Act Art. 10(2), ISO/IEC 42001 A.7)."""

    origin: str = Field(min_length=1)
    collection: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    personal_data: CardField
    known_gaps: tuple[str, ...] = ()
