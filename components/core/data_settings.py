"""The sections of a run's settings that are about data: source, spans, checks, transform.

The rules of components/core/settings.py hold. A column is named as it is called in the examples; a
place to read from is a location (a path or a URL), a secret never: a database's address comes from
the environment.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from components.core.settings import (
    Count,
    Digest,
    Integer,
    ModelFunction,
    Name,
    Number,
    Positive,
    Section,
    Share,
)

ONLY_SPAN = "all"
_MONTH = r"\d{4}-(0[1-9]|1[0-2])"
SPAN_PATTERN = rf"^({_MONTH}|{_MONTH}-(0[1-9]|[12]\d|3[01])|{ONLY_SPAN})$"
Span = Annotated[str, Field(pattern=SPAN_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1)]
Format = Literal["csv", "parquet", "arrow", "jsonl", "tfrecord"]
ColumnKind = Literal["int64", "float64", "string", "timestamp"]


class Table(Section):
    """One table of the source: files, or the result of a database query.

    `location` is a path relative to the settings file, an absolute path, `package://NAME/PATH` for
    a file that an installed package ships, or an address of s3://, gs://, memory:// or file://. It
    may have `*`, `?` and `[...]` as in a shell, and `{span}` where the files of each span have a
    name or a folder of their own. `tar://MEMBER::LOCATION` and `zip://MEMBER::LOCATION` name a file
    inside an archive. Files end in .csv, .parquet, .arrow, .feather, .ipc, .jsonl, .ndjson or
    .tfrecord, the text ones also in .gz, .bz2, .zst or .zip after that; `format` says what another
    name does not.

    `query` is one SQL statement instead, in the database whose address the environment variable
    TANDEM_DATABASE_<DATABASE> holds: postgresql://... or duckdb:///PATH.
    """

    location: Text | None = None
    format: Format | None = None
    query: Text | None = None
    database: Name | None = None
    sha256: Digest | None = Field(
        default=None,
        description="what the files must be: of one file its digest, of several the digest of the "
        "canonical JSON of their [name, digest] in order; a run fills it in when it starts",
    )
    as_of: Text | None = Field(
        default=None,
        description="which state of the database a query reads: where it is the same, so are its "
        "rows; a run without one fills its own id in, and so asks again",
    )
    encoding: Text = Field(default="utf-8", description="of CSV, as Python names encodings")
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    null_values: tuple[str, ...] = ("", "NA")
    types: dict[Name, ColumnKind] = Field(
        default={}, description="types of columns where those found in the data are not right"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Table:
        if (self.location is None) == (self.query is None):
            raise ValueError("a table has either a location or a query")
        if (self.query is None) != (self.database is None):
            raise ValueError("query and database belong together")
        return self

    @property
    def name(self) -> str:
        """What messages and records call the table."""
        return self.location or f"the query of {self.database}"


class Join(Table):
    """A left join of a further table; its columns get `prefix`.

    `shift_hours` moves the further table's time key, so that a row sees only what was observed
    that many hours before.
    """

    on: tuple[Name, ...] = Field(min_length=1)
    columns: tuple[Name, ...] = Field(min_length=1)
    prefix: str = ""
    shift_hours: dict[Name, Integer] = Field(default={})


class Target(Section):
    """The label: 1 where `column` is greater than `above`, or is the text `equals`; else 0."""

    name: Name
    column: Name
    above: Number | None = None
    equals: Text | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Target:
        if (self.above is None) == (self.equals is None):
            raise ValueError("a target has either above, for numbers, or equals, for text")
        return self


class DropRule(Section):
    """A row with no value in `column` is dropped for `reason`."""

    column: Name
    reason: Text


class Spans(Section):
    """How rows fall into spans of time: a month, a day, or `none` where all rows are one span.

    The span comes from whole-number `columns` (year, month and, for days, day), from `column`, a
    date or time, or from `{span}` in the location of the table.
    """

    unit: Literal["month", "day", "none"] = "month"
    columns: tuple[Name, ...] = ()
    column: Name | None = None
    from_location: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> Spans:
        origins = sum((bool(self.columns), self.column is not None, self.from_location))
        if origins != (self.unit != "none"):
            raise ValueError(
                "spans come from columns, column or from_location, one of them; unit none has none"
            )
        if self.columns and len(self.columns) != {"month": 2, "day": 3}.get(self.unit):
            raise ValueError("columns are year and month, or year, month and day")
        return self


class Splits(Section):
    """Which rows are evaluated on; all others are trained on.

    span: those of the window's last span;
    hash: a share `eval_share` by the hash of the text of `column`, a key: a row stays in its split
    when others are added, removed or reordered, and rows with one key stay together;
    column: those whose `column` is one of `eval_values`.
    """

    by: Literal["span", "hash", "column"] = "span"
    column: Name | None = None
    eval_share: Share = 0.2
    eval_values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _column_where_needed(self) -> Splits:
        if (self.by == "span") != (self.column is None):
            raise ValueError("hash and column need a column, and span has none")
        if (self.by == "column") != bool(self.eval_values):
            raise ValueError("eval_values belong to column, which needs them")
        return self


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
    leave_out: tuple[Name, ...] = Field(
        default=(), description="further columns that the examples do not have, such as row numbers"
    )
    spans: Spans = Spans(columns=("year", "month"))
    splits: Splits = Splits()
    dates: tuple[Name, ...] = Field(
        default=(),
        description="dates or times to keep, each as two whole numbers: NAME_day, days since "
        "1970-01-01, and NAME_second, seconds since midnight; other times are left out",
    )
    weekday: Name | None = Field(
        default=None, description="name of a column to add: day of the week, 1 is Monday"
    )

    @field_validator("joins")
    @classmethod
    def _by_name(cls, joins: dict[str, Join]) -> dict[str, Join]:
        """Order the joins: a mapping keeps none on its way through the pipeline's parameters."""
        return dict(sorted(joins.items()))

    @model_validator(mode="after")
    def _span_in_location(self) -> Source:
        if self.spans.from_location != ("{span}" in (self.table.location or "")):
            raise ValueError("spans.from_location and {span} in table.location belong together")
        return self


class Window(Section):
    """The spans of a run, `first` to `last`, both included, of one unit."""

    first: Span
    last: Span

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if len(self.first) != len(self.last) or self.first > self.last:
            raise ValueError("first and last are of one unit, and first is not after last")
        self.spans()  # a day that no calendar has is refused
        return self

    def spans(self) -> tuple[str, ...]:
        """Return every span of the window in order."""
        if self.first == ONLY_SPAN:
            return (ONLY_SPAN,)
        if len(self.first) == len("2013-01"):
            return self._months()
        first, last = (datetime.date.fromisoformat(day) for day in (self.first, self.last))
        days = range((last - first).days + 1)
        return tuple((first + datetime.timedelta(n)).isoformat() for n in days)

    def _months(self) -> tuple[str, ...]:
        year, month = (int(part) for part in self.first.split("-"))
        found = [self.first]
        while found[-1] != self.last:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            found.append(f"{year:04d}-{month:02d}")
        return tuple(found)


WHOLE = Window(first=ONLY_SPAN, last=ONLY_SPAN)
Severity = Literal["error", "warning", "ignore"]


class Checks(Section):
    """The gates of data validation.

    A distance is the L-infinity norm of the shares of values for text, and the Jensen-Shannon
    divergence for numbers, both from 0 to 1, as TFDV measures them.
    """

    minimum_rows: Count = 1000
    minimum_class_share: Share = 0.01
    drift: dict[Name, Share] = Field(
        default={}, description="largest distance of a column's last span from the span before it"
    )
    skew: dict[Name, Share] = Field(
        default={}, description="largest distance of a column's evaluation from its training split"
    )
    label_shift: Share | None = Field(
        default=None,
        description="largest difference of the share of positive labels between the last span and "
        "the one before it, or between the splits where there is one span",
    )
    duplicate_rows: Share | None = Field(
        default=None, description="largest share of rows that repeat an earlier row exactly"
    )
    new_values: Share = Field(
        default=0.0, description="largest share of rows whose text is outside the schema's domain"
    )
    severities: dict[str, Severity] = Field(
        default={},
        description="severity of a type of anomaly, by TFMD's name of it, instead of TFDV's own",
    )


DatePart = Literal["hour", "weekday", "month_day", "month", "year_day"]


class Feature(Section):
    """One declared feature, made of the column of its own name or of `column` or `columns`.

    zscore: (x - mean) / standard deviation; a missing value becomes the mean;
    min_max: (x - min) / (max - min), 0 to 1 on the training split; a missing value becomes 0;
    log: log(1 + max(x, 0)); a missing value becomes 0;
    log_zscore: zscore of log;
    cyclic: sine and cosine of 2 pi x / period; a missing value becomes (0, 0);
    date: sine and cosine of each of `parts` of a column that source.dates keeps;
    bucketize: an integer id, which of `buckets` quantiles x falls into; one more id for missing;
    vocabulary: an integer id by descending frequency, of the `top_k` most frequent texts that
    occur `minimum_count` times or more; everything else, a missing value too, gets one further id,
    or one of `oov_buckets` by a hash of its text;
    hashing: an integer id, the hash of the text in `buckets`;
    cross: hashing of the texts of `columns`, joined.

    `missing_indicator` adds a dense column, 1 where the number is missing, to a numeric kind.
    """

    kind: Literal[
        "zscore", "min_max", "log", "log_zscore", "cyclic", "date",
        "bucketize", "vocabulary", "hashing", "cross",
    ]  # fmt: skip
    column: Name | None = None
    columns: tuple[Name, ...] = ()
    period: Positive | None = None
    parts: tuple[DatePart, ...] = ()
    buckets: Annotated[Count, Field(ge=2)] | None = None
    top_k: Count = 1000
    minimum_count: Count = 1
    oov_buckets: Count = 1
    missing_indicator: bool = False

    @model_validator(mode="after")
    def _what_the_kind_needs(self) -> Feature:
        needs = {
            "period": (self.period is not None, {"cyclic"}),
            "parts": (bool(self.parts), {"date"}),
            "buckets": (self.buckets is not None, {"bucketize", "hashing", "cross"}),
            "columns": (bool(self.columns), {"cross"}),
        }
        for name, (given, kinds) in needs.items():
            if given != (self.kind in kinds):
                raise ValueError(f"{name} belongs to {' and '.join(sorted(kinds))}, which need it")
        if self.kind == "cross" and (len(self.columns) < 2 or self.column is not None):
            raise ValueError("cross takes two or more columns, and no column")
        numeric = {"zscore", "min_max", "log", "log_zscore", "cyclic"}
        if self.missing_indicator and self.kind not in numeric:
            raise ValueError("missing_indicator belongs to the numeric kinds")
        return self


class Transform(Section):
    """The features: declared by name, in a fixed order (sorted), or a preprocessing_fn of yours.

    `preprocessing_fn` names a function as TFT defines it: {column: tensor} to {feature: tensor};
    of its outputs, floats are dense features and whole numbers are ids.
    """

    features: dict[Name, Feature] = Field(default={})
    preprocessing_fn: ModelFunction | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Transform:
        if bool(self.features) == (self.preprocessing_fn is not None):
            raise ValueError("a transform has either features or a preprocessing_fn")
        return self


class Beam(Section):
    """Which engine runs the Beam pipelines, and what of the data stages goes through Beam.

    `analysis`: what TFT must know of all training rows; statistics and the application to rows are
    done in this process, in large batches. `all`: these two as well, for data beyond one machine.
    Both give the same results.
    """

    runner: Literal[
        "FnApiRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner"
    ] = "FnApiRunner"
    work: Literal["analysis", "all"] = "analysis"
    options: dict[str, str] = Field(
        default={}, description="options of Beam's pipeline, by name, without the two hyphens"
    )


class CardField(Section):
    """Personal data in the source: whether there is any, and of which categories."""

    present: bool
    categories: tuple[str, ...] = ()


class DataCard(Section):
    """What the data is and may be used for (EU AI Act Art. 10(2), ISO/IEC 42001 A.7)."""

    origin: Text
    collection: Text
    licence: Text
    purpose: Text
    personal_data: CardField
    known_gaps: tuple[str, ...] = ()
