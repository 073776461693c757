"""What is to be told of a run's end: released, stopped by a gate, or failed; by its records alone.

Rules: it is what the log says at that moment, so that a message and the log cannot differ; it holds
what a record may hold, no value of a row and no path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from components.audit.answers import DONE_EVENTS, RecordView
from components.core.prices import cost_text, total
from components.core.stage_names import REGISTERING

RELEASED, STOPPED, FAILED = "released", "stopped", "failed"
EVENTS = (RELEASED, STOPPED, FAILED)
VERSION = 1
"""Of the message's JSON form."""


@dataclass(frozen=True)
class News:
    """How a run ended; `model` is NAME@VERSION of the candidate, `cause` why nothing was released.

    `stage` is where it ended, `cost` {amount, currency} where the settings have prices.
    """

    event: str
    run: str
    use_case: str
    model: str | None = None
    stage: str | None = None
    cause: str | None = None
    remedy: str | None = None
    cost: Mapping[str, Any] | None = None
    link: str | None = None

    @property
    def title(self) -> str:
        """The end in one line."""
        what = {
            RELEASED: f"released {self.model}",
            STOPPED: f"stopped by a gate in {self.stage}",
            FAILED: f"failed in {self.stage}" if self.stage else "failed",
        }
        return f"{self.use_case}: {what[self.event]}"

    def to_text(self) -> str:
        """Return all of it for people, a line each."""
        lines = {
            "cause": self.cause,
            "remedy": self.remedy,
            "run": self.run,
            "cost": cost_text(self.cost) if self.cost else None,
            "link": self.link,
        }
        return "\n".join([self.title, *(f"{name}: {text}" for name, text in lines.items() if text)])

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"version": VERSION, **asdict(self), "title": self.title}


def news(run: Mapping[str, Any], views: Sequence[RecordView], link: str | None) -> News:
    """Return what a run's records say of its end."""
    costs = [view.resources["cost"] for view in views if "cost" in view.resources]
    name = str(run.get("name") or run["id"])
    told = News(FAILED, str(run["id"]), name, cost=total(costs), link=link)
    registered = [v for v in views if v.stage == REGISTERING and v.event in DONE_EVENTS]
    if registered:
        return replace(told, event=RELEASED, model=_model(registered[-1].facts))
    causes = [view for view in views if view.cause is not None]
    if not causes:
        return replace(told, cause="it ended before anything was recorded")
    last = next((v for v in reversed(causes) if v.event == "FAIL"), causes[-1])
    cause = last.cause or {}
    return replace(
        told,
        event=STOPPED if cause.get("kind") == "GateError" else FAILED,
        stage=last.stage.replace("_", "-"),
        cause=cause.get("message"),
        remedy=cause.get("remedy"),
    )


def _model(facts: Mapping[str, Any]) -> str:
    candidate = facts.get("versions", {}).get("candidate", {})
    return f"{facts.get('model_name')}@{candidate.get('version')}"
