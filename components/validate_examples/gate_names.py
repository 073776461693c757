"""The names that the data gates of a run can fail by, and the slices, as settings and schema say.

Rules: a gate that the settings don't ask for has no name; a gate on the schema is named after a
column and a kind of anomaly, and a column that the schema doesn't list can only be new; `leakage`,
`schema` and `example_validator` by themselves are gates that passed; of the last there is one for
any column, because TFX has looked at the source's own. A gate between two spans fails in a slice of
any two of the source's unit, because a run may have a window of its own. The data isn't looked at,
and nothing here loads TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.core.data_settings import SPAN_PATTERN, Checks, Source, Window
from components.core.errors import SettingsError
from components.core.examples import SPLITS
from components.core.slice_keys import ALL_SPLITS
from components.core.words import nearest
from components.validate_examples.anomaly_kinds import NEW_COLUMN, WHOLE_SPLIT, every_kind
from components.validate_examples.comparators import comparators

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

EXAMPLE_VALIDATOR = "example_validator"
_ON_SCHEMA, _LEAKAGE, _BY_TFX = "schema:", "leakage:", f"{EXAMPLE_VALIDATOR}:"
_BETWEEN_SPANS = ("drift", "label_shift")


def against(current: str, baseline: str) -> str:
    """Return the slice of a gate on two spans, or two splits."""
    return f"{current} against {baseline}"


BETWEEN_SPLITS = against("eval", "train")


@dataclass(frozen=True)
class DataGates:
    """The data gates of the runs of a use case; `window` is that of its settings."""

    use_case: str
    checks: Checks
    source: Source
    window: Window
    schema: Schema

    def require(self, name: str) -> None:
        """Raise SettingsError, with the nearest right name, for a gate that no run has."""
        own, on_schema = list(self._of_settings()), list(self._of_schema())
        if name in (*own, *on_schema) or self._is_of_new_column(name) or self._is_by_tfx(name):
            return
        if name.startswith(_LEAKAGE) and set(_leakage_of(name)) <= set(own):
            return
        near = nearest(name, own) or nearest(name, on_schema)
        raise SettingsError(
            f"the runs of {self.use_case} have no data gate {name}{near}",
            remedy=f"name one as the failed run does: {', '.join(own)}, or {_ON_SCHEMA}COLUMN:KIND "
            f"of a column of the schema, such as {on_schema[0]}",
        )

    def require_slice(self, name: str, slice_: str) -> None:
        """Raise SettingsError, with the nearest right one, for a slice that no run has of a gate.

        `name` is one of its gates.
        """
        known = list(self._slices(name))
        if slice_ in known or (_is_between_spans(name) and self._are_spans(slice_)):
            return
        such = f": {', '.join(known)}" if known else ""
        raise SettingsError(
            f"no run judges {name} in a slice {slice_}{nearest(slice_, known)}",
            remedy=f"name one as the failed run does{such}, or leave --slice out for every slice",
        )

    def _of_settings(self) -> Iterator[str]:
        """Yield the gates that the settings ask for; of leakage one for each column that may leak.

        A column on whose drift the schema itself sets a limit has one too.
        """
        checks, label = self.checks, self.source.target.name
        limited = comparators(self.schema, checks)
        yield "minimum_rows"
        if self.source.target.task != "regression":
            yield f"class_share:{label}"
        if checks.label_shift is not None:
            yield f"label_shift:{label}"
        if checks.duplicate_rows is not None:
            yield "duplicate_rows"
        yield from (f"drift:{column}" for column in sorted({*checks.drift, *limited}))
        yield from (f"skew:{column}" for column in sorted(checks.skew))
        yield from (f"{_LEAKAGE}{column}" for column in sorted({*self.source.known_later, label}))

    def _of_schema(self) -> Iterator[str]:
        kinds = [kind for kind in every_kind() if kind != NEW_COLUMN]
        for column in [*sorted(self._columns()), WHOLE_SPLIT]:
            yield from (f"{_ON_SCHEMA}{column}:{kind}" for kind in kinds)

    def _columns(self) -> Iterable[str]:
        return [feature.name for feature in self.schema.feature]

    def _is_of_new_column(self, name: str) -> bool:
        column = name.removeprefix(_ON_SCHEMA).removesuffix(f":{NEW_COLUMN}")
        is_new = bool(column) and column not in self._columns()
        return is_new and name == f"{_ON_SCHEMA}{column}:{NEW_COLUMN}"

    def _is_by_tfx(self, name: str) -> bool:
        prefix, _, rest = name.partition(":")
        column, _, kind = rest.rpartition(":")
        asked = self.checks.example_validator is not None and prefix == EXAMPLE_VALIDATOR
        return asked and bool(column) and kind in every_kind()

    def _slices(self, name: str) -> Iterator[str]:
        """Yield the slices that a gate is judged in, of two spans the last ones of the window."""
        if _is_between_spans(name):
            yield from self._between(name)
        elif name.startswith("skew:"):
            yield BETWEEN_SPLITS
        elif name == "duplicate_rows" or name.startswith(_LEAKAGE):
            yield ALL_SPLITS
        elif name.startswith(_BY_TFX) and self.checks.example_validator:
            yield from self.checks.example_validator.splits
        else:
            yield from SPLITS

    def _between(self, name: str) -> Iterator[str]:
        spans = self.window.spans()
        if len(spans) > 1:
            yield against(*reversed(spans[-2:]))
        if name.startswith("label_shift:") and self.source.splits.by != "span":
            yield BETWEEN_SPLITS

    def _are_spans(self, slice_: str) -> bool:
        """Say whether a slice is a span of the source's unit against an earlier one."""
        current, _, baseline = slice_.partition(against("", ""))
        spans = (current, baseline)
        are_of_unit = all(
            re.fullmatch(SPAN_PATTERN, span) and len(span) == len(self.window.last)
            for span in spans
        )
        return are_of_unit and baseline < current


def _is_between_spans(name: str) -> bool:
    return name.partition(":")[0] in _BETWEEN_SPANS


def _leakage_of(name: str) -> list[str]:
    """Return the gates on single columns that a gate on several, joined by commas, is made of."""
    return [f"{_LEAKAGE}{column}" for column in name.removeprefix(_LEAKAGE).split(",")]
