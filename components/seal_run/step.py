"""The work of seal_run: close what the run left open, write down how it ended, and tell it.

Rules: it runs whatever happened, so it relies on nothing but the run's records; the causes of
failures come from those records, because the pipeline's backend gives none; without a notary there
are no records, and the closing says so. Who is told, and whether that failed, is in the record
(channels.py); it fails no run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.audit.answers import RecordView
from components.audit.client import connect
from components.core.artifacts import write_json
from components.core.outcome import Outcome
from components.core.settings import Section
from components.core.stage_names import SEALING
from components.seal_run.channels import link_of, told_of
from components.seal_run.news import news


class SealRunSettings(Section):
    """The run's identity, and the state in which its stages ended."""

    run: dict[str, Any]
    state: str


def seal_run(*, settings: SealRunSettings, closing: Path) -> Outcome:
    """Write closing.json: the run's state, why stages failed, and every record with its index."""
    run = str(settings.run["id"])
    notary = connect()
    views: list[RecordView] = []
    if notary is not None:
        notary.close_run(run, settings.state)
        views = notary.records(run)
    told = told_of(news(settings.run, views, link_of(run))) if views else {}
    facts = _facts(settings.state, views) | told
    write_json(
        closing / "closing.json",
        {
            "version": 1,
            "run": run,
            "recorded": notary is not None,
            **facts,
            "failures": [_failure(view) for view in views if view.cause is not None],
            "records": [_line(view) for view in views],
        },
    )
    return Outcome(facts=facts)


def _facts(state: str, views: Sequence[RecordView]) -> dict[str, Any]:
    """Count the run's records, and name the last event of each stage."""
    return {
        "state": state,
        "records": len(views),
        "events": dict(sorted(Counter(view.event for view in views).items())),
        "stages": {view.stage: view.event for view in views if view.stage != SEALING},
    }


def _failure(view: RecordView) -> dict[str, Any]:
    return {
        "stage": view.stage,
        "attempt": view.attempt,
        "event": view.event,
        "cause": view.cause,
        "index": view.index,
        "record": view.record,
    }


def _line(view: RecordView) -> dict[str, Any]:
    return {
        "index": view.index,
        "record": view.record,
        "stage": view.stage,
        "attempt": view.attempt,
        "event": view.event,
        "time": view.time,
        "outputs": dict(view.outputs),
    }
