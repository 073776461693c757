"""Names in the settings that the schema, the examples or TFMD must know.

Rules:
1. a name that is not known is refused with its dotted key and the nearest one that is;
2. a schema lists every column of the examples, so names are held against it before a run writes
   anything, unless the settings let columns pass that it does not list; then against the examples,
   before anything is computed, because a step does not trust its caller;
3. a column that is known only after the prediction is not missed here, because the leakage gate
   names it, nor is one that the schema asks for and the examples lack, because the data is at fault
   there and the schema's gate says so;
4. what needs two spans is refused where there is one.
Nothing here loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from components.core.data_settings import Checks, Source, Transform, date_columns
from components.core.errors import SettingsError
from components.core.settings import Section
from components.core.words import nearest

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from components.core.examples import ExamplesManifest

_SHOWN = 5
_A_DATE = "a date of the schema, which lists NAME_day and NAME_second"
Slices = Iterable[Iterable[str]]


def check_schema_names(
    schema: Schema,
    *,
    checks: Checks,
    transform: Transform,
    source: Source,
    slices: Slices = (),
    sensitive: Collection[str] = (),
) -> None:
    """Raise SettingsError for names that the examples cannot have if they fit the schema."""
    if checks.severities.get("SCHEMA_NEW_COLUMN", "error") != "error":
        return
    columns = [feature.name for feature in schema.feature]
    used = _used(checks, transform, slices)
    used["evaluate.sensitive"] = sensitive
    used["source.target.name"] = [source.target.name]
    used["source.weekday"] = [source.weekday] if source.weekday else []
    problems = [
        *_unknown(used, columns, {*columns, *source.known_later}, "a column of the schema"),
        *_unknown({"source.dates": source.dates}, _dates(columns), _dates(columns), _A_DATE),
    ]
    if problems:
        raise SettingsError(
            _joined(problems),
            remedy=f"the schema has: {', '.join(sorted(columns))}; `tandem schema update` adds a "
            "column that is new in the data, and `import-tfx` takes a schema that TFX wrote",
        )


def _dates(columns: Collection[str]) -> list[str]:
    """Return the dates whose two columns are among these."""
    ends = date_columns("")[0]
    names = [column.removesuffix(ends) for column in columns if column.endswith(ends)]
    return [name for name in names if set(date_columns(name)) <= set(columns)]


def check_names(
    manifest: ExamplesManifest,
    *,
    checks: Checks,
    transform: Transform,
    source: Source,
    slices: Slices = (),
    required: Collection[str] = (),
) -> None:
    """Raise SettingsError for names that the examples do not have; see the module's rules.

    `required` are the columns that the schema asks for.
    """
    known = {*manifest.columns, *required, *source.known_later}
    used = _used(checks, transform, slices)
    if problems := _unknown(used, manifest.columns, known, "a column of the examples"):
        columns = ", ".join(name for name in manifest.columns if name != manifest.label)
        raise SettingsError(_joined(problems), remedy=f"the examples have: {columns}")
    check_spans(checks, {shard.span for shard in manifest.shards})


def _used(checks: Checks, transform: Transform, slices: Slices) -> dict[str, Collection[str]]:
    """Return the columns that settings name, by dotted key."""
    used: dict[str, Collection[str]] = {"checks.drift": checks.drift, "checks.skew": checks.skew}
    used |= {f"transform.features.{name}": names for name, names in transform.inputs().items()}
    used["transform.sample_weight"] = [transform.sample_weight] if transform.sample_weight else []
    used["evaluate.slices"] = dict.fromkeys(column for cross in slices for column in cross)
    return used


def _unknown(
    used: Mapping[str, Collection[str]], near: Iterable[str], known: Collection[str], what: str
) -> list[str]:
    """Return a line for each name that is not known; `near` are those that may be meant."""
    return [
        f"{key}: {name} is not {what}{nearest(name, near)}"
        for key, names in used.items()
        for name in names
        if name not in known
    ]


def check_spans(checks: Checks, spans: Collection[str]) -> None:
    """Raise SettingsError where drift is to be judged and there is one span."""
    if checks.drift and len(spans) < 2:
        raise SettingsError(
            "checks.drift compares the last span with the one before it, and there is one span",
            remedy="remove checks.drift, choose a longer window, or compare the splits with "
            "checks.skew",
        )


def check_severities(checks: Checks) -> None:
    """Raise SettingsError for a type of anomaly that TFMD does not have."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    types = anomalies_pb2.AnomalyInfo.Type.keys()
    used = {"checks.severities": checks.severities}
    if problems := _unknown(used, types, types, "a type of anomaly"):
        raise SettingsError(
            _joined(problems),
            remedy="name types as AnomalyInfo.Type of TFMD's anomalies.proto does",
        )


def _joined(problems: list[str]) -> str:
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return "; ".join([*problems[:_SHOWN], *more])


class EvaluatedSlices(Section):
    """Of the settings of the evaluation only the columns that it slices by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    slices: tuple[tuple[str, ...], ...] = ()
