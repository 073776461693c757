"""Runs of spans that have passed: one a span, a few at a time, none for what is done.

Rules: a span is done when a run of the same name (submission.py) has succeeded; spans are taken in
order, at most `parallel` at once; one that fails does not stop the others. Called again it goes on
with what is left, and takes what is under way as its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from components.core.errors import TandemError
from pipelines.kubeflow.once import submit
from pipelines.kubeflow.request import Request
from pipelines.kubeflow.runs import ClusterRun, get
from pipelines.kubeflow.session import Session
from pipelines.kubeflow.submission import prepare, utc_now
from pipelines.kubeflow.windows import require_ended, spans_between, window_up_to

SUCCEEDED = "SUCCEEDED"


@dataclass(frozen=True)
class Filled:
    """What became of a span: its run where there is one, else why there is none, and the remedy."""

    span: str
    run: ClusterRun | None
    state: str
    cause: str | None = None
    remedy: str | None = None

    @property
    def is_done(self) -> bool:
        """Say whether it has a run that succeeded."""
        return self.state == SUCCEEDED


Tell = Callable[[Filled], None]


def spans_of(asked: Request, first: str, last: str) -> list[str]:
    """Return the spans to fill; SettingsError for what are none, or have not ended."""
    spans = list(spans_between(first, last))
    windows = [window_up_to(span, asked.loaded.settings) for span in spans]
    zone, now = ZoneInfo(asked.target.time_zone), utc_now()
    for window in windows:
        require_ended(window, zone, now)
        asked.of(window)
    return spans


def backfill(
    session: Session, asked: Request, spans: Sequence[str], *, parallel: int, poll: float,
    tell: Tell,
) -> list[Filled]:  # fmt: skip
    """Fill spans and return what became of each; `tell` hears of each start and end."""
    waiting, active, done = list(spans), list[Filled](), list[Filled]()
    while waiting or active:
        while waiting and len(active) < parallel:
            begun = _begin(session, asked, waiting.pop(0), f"backfill {spans[0]} to {spans[-1]}")
            (active if begun.run is not None and begun.run.is_active else done).append(begun)
            tell(begun)
        if active:
            time.sleep(poll)
        active, ended = _looked_at(session, active)
        for item in ended:
            done.append(item)
            tell(item)
    return sorted(done, key=lambda item: item.span)


def _begin(session: Session, asked: Request, span: str, trigger: str) -> Filled:
    try:
        loaded = asked.of(window_up_to(span, asked.loaded.settings))
        submission = prepare(
            loaded, asked.target, cache=asked.cache, trigger=f"{trigger}, for {span}"
        )
        run = submit(session, submission).run
    except TandemError as error:
        return Filled(span, None, "REFUSED", error.message, error.remedy)
    return Filled(span, run, run.state)


def _looked_at(session: Session, active: Sequence[Filled]) -> tuple[list[Filled], list[Filled]]:
    """Return those that are still under way, and those that have ended."""
    going, ended = list[Filled](), list[Filled]()
    for item in active:
        run = get(session, item.run.id) if item.run else None
        if run is not None:
            now = Filled(item.span, run, run.state)
            (going if run.is_active else ended).append(now)
    return going, ended
