"""Names in the settings that the examples or TFMD must know, checked before anything is computed.

Rules: a name that is not known is refused with its dotted key and the nearest one that is; a column
that is known only after the prediction is not missed here, because the leakage gate names it, nor
is one that the schema asks for, because the data is at fault there and the schema's gate says so;
what needs two spans is refused where there is one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

from pydantic import ConfigDict

from components.core.data_settings import Checks, Source, Transform
from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest
from components.core.settings import Section

_SHOWN = 5


def check_names(
    manifest: ExamplesManifest,
    *,
    checks: Checks,
    transform: Transform,
    source: Source,
    slices: Iterable[Iterable[str]] = (),
    required: Collection[str] = (),
) -> None:
    """Raise SettingsError for names that the examples do not have; see the module's rules.

    `required` are the columns that the schema asks for.
    """
    used: dict[str, Iterable[str]] = {"checks.drift": checks.drift, "checks.skew": checks.skew}
    used |= {f"transform.features.{n}": c for n, c in transform.inputs().items()}
    used["evaluate.slices"] = dict.fromkeys(column for cross in slices for column in cross)
    known = {*manifest.columns, *required, *source.known_later}
    problems = [
        f"{key}: {name} is not a column of the examples{nearest(name, manifest.columns)}"
        for key, names in used.items()
        for name in names
        if name not in known
    ]
    if problems:
        columns = ", ".join(name for name in manifest.columns if name != manifest.label)
        raise SettingsError(_joined(problems), remedy=f"the examples have: {columns}")
    if checks.drift and len({shard.span for shard in manifest.shards}) < 2:
        raise SettingsError(
            "checks.drift compares the last span with the one before it, and there is one span",
            remedy="remove checks.drift, choose a longer window, or compare the splits with "
            "checks.skew",
        )


def check_types(severities: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise SettingsError for a type of anomaly that TFMD does not have."""
    names = list(known)
    problems = [
        f"checks.severities: there is no type of anomaly {name}{nearest(name, names)}"
        for name in severities
        if name not in names
    ]
    if problems:
        raise SettingsError(
            _joined(problems),
            remedy="name types as AnomalyInfo.Type of TFMD's anomalies.proto does",
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?", or nothing where no name is near."""
    names = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return f"; did you mean {names[near[0]]}?" if near else ""


def _joined(problems: list[str]) -> str:
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return "; ".join([*problems[:_SHOWN], *more])


class EvaluatedSlices(Section):
    """Of the settings of the evaluation only the columns that it slices by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    slices: tuple[tuple[str, ...], ...] = ()
