"""The columns of `dense` and `ids`, with what was fitted for each, as preprocessing.json has them.

`name` is the column of `dense` or `ids`, `column` or `columns` the raw inputs it is made of. How
texts are hashed is in text_hash.py, how parts of dates are computed in civil_dates.py.
"""

from __future__ import annotations

from typing import Literal

from components.core.data_settings import DatePart
from components.core.settings import Section
from components.transform_features import text_hash


class ScaledColumn(Section):
    """(x - mean) / standard_deviation; a constant column has deviation 0 and is divided by 1."""

    name: str
    kind: Literal["zscore", "log_zscore"]
    column: str
    mean: float
    standard_deviation: float

    @property
    def centre(self) -> float:
        """Return what is subtracted from x."""
        return self.mean

    @property
    def divisor(self) -> float:
        """Return what x - mean is divided by."""
        return self.standard_deviation or 1.0


class RangedColumn(Section):
    """(x - minimum) / (maximum - minimum); a constant column is divided by 1."""

    name: str
    kind: Literal["min_max"] = "min_max"
    column: str
    minimum: float
    maximum: float

    @property
    def centre(self) -> float:
        """Return what is subtracted from x."""
        return self.minimum

    @property
    def divisor(self) -> float:
        """Return what x - minimum is divided by."""
        return (self.maximum - self.minimum) or 1.0


class LogColumn(Section):
    """log(1 + max(x, 0)); nothing of it is fitted."""

    name: str
    kind: Literal["log"] = "log"
    column: str

    @property
    def centre(self) -> float:
        """Return what is subtracted from the logarithm."""
        return 0.0

    @property
    def divisor(self) -> float:
        """Return what the logarithm is divided by."""
        return 1.0


class CyclicColumn(Section):
    """sin or cos of 2 pi x / period, of x or of the part of a date that x counts."""

    name: str
    kind: Literal["sin", "cos"]
    column: str
    period: float
    part: DatePart | None = None


class MissingColumn(Section):
    """1 where the number of the column is missing, else 0."""

    name: str
    kind: Literal["missing"] = "missing"
    column: str


class VocabularyColumn(Section):
    """An id for each text of the vocabulary, in its order; everything else has the id `size`.

    With several `oov_buckets` it has the id `size` + hash modulo `oov_buckets`.
    """

    name: str
    kind: Literal["vocabulary"] = "vocabulary"
    column: str
    size: int
    vocabulary: tuple[str, ...]
    minimum_count: int = 1
    oov_buckets: int = 1
    hash: Literal["polynomial_mod_2_31_minus_1"] | None = None

    @property
    def further(self) -> int:
        """Return the number of ids after those of `size`."""
        return self.oov_buckets


class BucketColumn(Section):
    """How many of the boundaries are x or less: 0 to size - 1; a missing x has the id `size`.

    A boundary's rank in the training split is right to `rank_error` of its rows.
    """

    name: str
    kind: Literal["bucketize"] = "bucketize"
    column: str
    size: int
    boundaries: tuple[float, ...]
    rank_error: float

    @property
    def further(self) -> int:
        """Return the number of ids after those of `size`."""
        return 1


class HashColumn(Section):
    """The hash of the column's text, or of several columns' texts, modulo `size`."""

    name: str
    kind: Literal["hashing", "cross"]
    columns: tuple[str, ...]
    size: int
    hash: Literal["polynomial_mod_2_31_minus_1"] = text_hash.NAME

    @property
    def further(self) -> int:
        """Return the number of ids after those of `size`."""
        return 0


AffineColumn = ScaledColumn | RangedColumn | LogColumn
DenseColumn = AffineColumn | CyclicColumn | MissingColumn
IdColumn = VocabularyColumn | BucketColumn | HashColumn
