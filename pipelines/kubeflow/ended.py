"""Which of the log's runs have ended, by what Kubeflow Pipelines says.

Rules: the log names a run of a cluster by Tandem's id with the beginning of KFP's behind it; one
that KFP does not know, or that is being ended, has not ended; where KFP cannot be asked nothing is
known of any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.core.errors import PlatformError, SettingsError, UnverifiableError
from components.core.stage_identity import platform_part

if TYPE_CHECKING:
    from pipelines.kubeflow.runs import ClusterRun


@dataclass(frozen=True)
class Ended:
    """The log's runs that have ended, each as KFP has it, and those that it does not know."""

    runs: Mapping[str, ClusterRun]
    unknown: tuple[str, ...]


def ended(runs: Iterable[str]) -> Ended:
    """Ask KFP for runs of the log, by their ids, if there are any.

    Raises UnverifiableError where it cannot be asked.
    """
    if not (wanted := sorted(runs)):
        return Ended({}, ())
    from pipelines.kubeflow.runs import listed
    from pipelines.kubeflow.session import Session

    try:
        known = listed(Session.open())
    except (SettingsError, PlatformError) as error:
        raise UnverifiableError(
            f"whether {_named(wanted)} ended is not known: {error.message}", remedy=error.remedy
        ) from error
    found = {run: _of(run, known) for run in wanted}
    over = {run: of[0] for run, of in found.items() if of and not _is_active(of)}
    return Ended(over, tuple(run for run, of in found.items() if not of))


def _of(run: str, known: Sequence[ClusterRun]) -> list[ClusterRun]:
    part = str(platform_part(run))
    return [one for one in known if one.id.startswith(part)]


def _is_active(runs: Iterable[ClusterRun]) -> bool:
    return any(run.is_active for run in runs)


def _named(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f"the run {runs[0]}{more}"
