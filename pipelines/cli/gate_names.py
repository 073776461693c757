"""The names that the data gates of a run can fail by, known from its settings and its schema.

Rules: a gate that the settings don't ask for has no name; a gate on the schema is named after a
column and a kind of anomaly, and a column that the schema doesn't list can only be new; `leakage`
and `schema` by themselves are gates that passed. The data isn't looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from components.core.errors import SettingsError
from components.core.words import nearest
from components.validate_examples.anomaly_kinds import NEW_COLUMN, every_kind
from components.validate_examples.comparators import comparators

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from pipelines.settings import RunSettings

_ON_SCHEMA, _LEAKAGE = "schema:", "leakage:"
_WHOLE_SPLIT = "dataset"  # what TFDV calls an anomaly of no single column


def require_gate(name: str, settings: RunSettings, schema: Schema) -> None:
    """Raise SettingsError, with the nearest right name, for a gate that no run could fail by."""
    limited = comparators(schema, settings.checks)
    own, on_schema = list(_of_settings(settings, limited)), list(_of_schema(schema))
    if name in (*own, *on_schema) or _is_of_new_column(name, schema):
        return
    if name.startswith(_LEAKAGE) and set(_leakage_of(name)) <= set(own):
        return
    near = nearest(name, own) or nearest(name, on_schema)
    raise SettingsError(
        f"the runs of {settings.name} have no data gate {name}{near}",
        remedy=f"name one as the failed run does: {', '.join(own)}, or {_ON_SCHEMA}COLUMN:KIND "
        f"of a column of the schema, such as {on_schema[0]}",
    )


def _of_settings(settings: RunSettings, limited: Iterable[str]) -> Iterator[str]:
    """Yield the gates that the settings ask for; of leakage one for each column that may leak.

    `limited` are the columns on whose drift the schema itself sets a limit.
    """
    checks, label = settings.checks, settings.source.target.name
    yield "minimum_rows"
    yield f"class_share:{label}"
    if checks.label_shift is not None:
        yield f"label_shift:{label}"
    if checks.duplicate_rows is not None:
        yield "duplicate_rows"
    yield from (f"drift:{column}" for column in sorted({*checks.drift, *limited}))
    yield from (f"skew:{column}" for column in sorted(checks.skew))
    yield from (f"{_LEAKAGE}{column}" for column in sorted({*settings.source.known_later, label}))


def _leakage_of(name: str) -> list[str]:
    """Return the gates on single columns that a gate on several, joined by commas, is made of."""
    return [f"{_LEAKAGE}{column}" for column in name.removeprefix(_LEAKAGE).split(",")]


def _of_schema(schema: Schema) -> Iterator[str]:
    kinds = [kind for kind in every_kind() if kind != NEW_COLUMN]
    for column in [*sorted(feature.name for feature in schema.feature), _WHOLE_SPLIT]:
        yield from (f"{_ON_SCHEMA}{column}:{kind}" for kind in kinds)


def _is_of_new_column(name: str, schema: Schema) -> bool:
    column = name.removeprefix(_ON_SCHEMA).removesuffix(f":{NEW_COLUMN}")
    known = {feature.name for feature in schema.feature}
    return bool(column) and name == f"{_ON_SCHEMA}{column}:{NEW_COLUMN}" and column not in known
