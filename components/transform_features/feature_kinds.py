"""The kinds of features as values: what each is made of and what it is called.

Several kinds of the settings are one here where they are computed alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from components.core.data_settings import DatePart

ScaleKind = Literal["zscore", "log_zscore", "min_max", "log"]


@dataclass(frozen=True)
class Scaled:
    """A number less a centre, over a width; both are fitted, or 0 and 1 of a plain `log`."""

    name: str
    column: str
    kind: ScaleKind

    @property
    def logged(self) -> bool:
        """Return whether log(1 + max(x, 0)) is scaled instead of x."""
        return self.kind in ("log", "log_zscore")


@dataclass(frozen=True)
class Circle:
    """A number on a circle: of a column, or one part of a date whose input is `column`."""

    name: str
    column: str
    period: float
    part: DatePart | None = None


@dataclass(frozen=True)
class Missing:
    """1 where the number of a column is missing."""

    name: str
    column: str


@dataclass(frozen=True)
class Bucketized:
    """Which of `buckets` quantiles a number falls into."""

    name: str
    column: str
    buckets: int


@dataclass(frozen=True)
class Vocabulary:
    """A column whose texts are looked up; what is not there goes into `oov_buckets`."""

    name: str
    column: str
    top_k: int
    minimum_count: int = 1
    oov_buckets: int = 1


@dataclass(frozen=True)
class Hashed:
    """The hash of the texts of one column, or of several, in `buckets`."""

    name: str
    columns: tuple[str, ...]
    buckets: int


IdSource = Bucketized | Vocabulary | Hashed


def columns_of(feature: IdSource) -> tuple[str, ...]:
    """Return the columns that an id is made of."""
    return feature.columns if isinstance(feature, Hashed) else (feature.column,)
