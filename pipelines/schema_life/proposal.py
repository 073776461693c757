"""What an update of a schema would change: of all that differs, the features that a person chose.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Checks
from components.core.errors import SettingsError
from components.core.words import nearest
from pipelines.schema_life.change import update
from pipelines.schema_life.difference import Difference, differences
from pipelines.schema_life.window_data import WindowData


@dataclass(frozen=True)
class Proposal:
    """The differences that are to go, of a schema and the data that it was held against."""

    data: WindowData
    schema: schema_pb2.Schema
    checks: Checks
    chosen: tuple[Difference, ...]

    @property
    def names(self) -> set[str]:
        """The features to change."""
        return {difference.feature for difference in self.chosen}

    def changing(self, left: Sequence[Difference]) -> list[str]:
        """Return the features that the change says something new of, where so much is left."""
        return sorted({gone.feature for gone in self.chosen if gone not in left})

    def applied(self) -> tuple[schema_pb2.Schema, list[Difference]]:
        """Return the changed schema, and where the same data differs from it."""
        changed = update(self.schema, self.data, self.chosen)
        return changed, differences(self.data, changed, self.checks)


def propose(
    data: WindowData, schema: schema_pb2.Schema, checks: Checks, features: Sequence[str]
) -> Proposal:
    """Return what to change of the features named, of all where none is.

    Raises SettingsError for a name that neither data nor schema have.
    """
    found = differences(data, schema, checks)
    differing = {difference.feature for difference in found if difference.is_column}
    known = differing | {feature.name for feature in schema.feature}
    _require_known(features, known, differing)
    names = differing & set(features) if features else differing
    chosen = tuple(difference for difference in found if difference.feature in names)
    return Proposal(data, schema, checks, chosen)


def _require_known(
    features: Sequence[str], known: Collection[str], differing: Collection[str]
) -> None:
    if unknown := sorted(set(features) - set(known)):
        raise SettingsError(
            f"neither data nor schema have {', '.join(unknown)}{nearest(unknown[0], known)}",
            remedy=f"data and schema differ in: {', '.join(sorted(differing)) or 'nothing'}",
        )
