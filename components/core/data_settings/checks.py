"""The gates between the data and the transform."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.core.data_settings.source import Text
from components.core.settings import Count, Digest, Name, Section, Share

Severity = Literal["error", "warning", "ignore"]


class ExampleValidatorResult(Section):
    """What TFX's ExampleValidator found: an ExampleAnomalies artifact, `location` its folder.

    The location is written as a table's, and is of one artifact. `splits` are all of those that the
    result has to be of.
    """

    location: Text
    splits: tuple[Name, ...] = Field(default=("train", "eval"), min_length=1)
    sha256: Digest | None = Field(
        default=None,
        description="what the files must be, as of a table; a run fills it in when it starts",
    )


class Checks(Section):
    """The gates of data validation.

    A distance is the L-infinity norm of the shares of values for text, and the Jensen-Shannon
    divergence for numbers, both from 0 to 1, as TFDV measures them.
    """

    minimum_rows: Count = Field(default=1000, description="fewest rows of each split")
    minimum_class_share: Share = Field(
        default=0.01,
        description="smallest share of the rarest class of the label among the rows of each split",
    )
    drift: dict[Name, Share] = Field(
        default={}, description="largest distance of a column's last span from the span before it"
    )
    skew: dict[Name, Share] = Field(
        default={}, description="largest distance of a column's evaluation from its training split"
    )
    label_shift: Share | None = Field(
        default=None,
        description="largest difference of a class's share between the last span and the one "
        "before it, or between the splits where there is one span; of a number, its distance",
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
    example_validator: ExampleValidatorResult | None = Field(
        default=None,
        exclude_if=lambda result: result is None,
        description="what TFX's ExampleValidator found of the rows: its errors stop a run too",
    )
