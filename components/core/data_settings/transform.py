"""What the models see of the rows, and the engine that works it out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.data_settings.source import date_columns
from components.core.settings import Count, Flag, ModelFunction, Name, Positive, Section

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
    missing_indicator: Flag = False

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

    def inputs(self, name: str) -> tuple[str, ...]:
        """Return the columns of the examples that the feature of this name is made of."""
        if self.kind == "date":
            parts = {date_part_column(self.column or name, part) for part in self.parts}
            return tuple(sorted(parts))
        return self.columns or (self.column or name,)


def date_part_column(date: str, part: DatePart) -> str:
    """Return which column of a kept date a part of it is worked out from."""
    day, second = date_columns(date)
    return second if part == "hour" else day


class Transform(Section):
    """The features: declared by name, in a fixed order (sorted), or a preprocessing_fn of yours.

    `preprocessing_fn` names a function as TFT defines it: {column: tensor} to {feature: tensor};
    of its outputs, floats are dense features and whole numbers are ids.
    """

    features: dict[Name, Feature] = Field(default={})
    preprocessing_fn: ModelFunction | None = None
    sample_weight: Name | None = Field(
        default=None,
        description="a column of numbers above 0: what each row counts in the loss of "
        "training; metrics and gates count rows",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Transform:
        if bool(self.features) == (self.preprocessing_fn is not None):
            raise ValueError("a transform has either features or a preprocessing_fn")
        return self

    def inputs(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of the examples that each declared feature is made of."""
        return {name: feature.inputs(name) for name, feature in self.features.items()}


class Beam(Section):
    """Which engine runs the Beam pipelines, and what of the data stages goes through Beam.

    `analysis`: what TFT must know of all training rows; statistics and the application to rows are
    done in this process, in large batches. `all`: these two as well, and the evaluation's
    predictions, for data beyond one machine. Both give the same results.
    """

    runner: Literal[
        "FnApiRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner"
    ] = "FnApiRunner"
    work: Literal["analysis", "all"] = "analysis"
    options: dict[str, str] = Field(
        default={}, description="options of Beam's pipeline, by name, without the two hyphens"
    )
