"""The gates between the data and the transform."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.core.settings import Count, Name, Section, Share

Severity = Literal["error", "warning", "ignore"]


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
