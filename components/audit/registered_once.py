"""Versions are registered once: a second record of one would take the first's place.

Why: approvals, promotions and answers name a version by model and number. Whoever registers it
again, from another run or with another bundle, would have them speak of something else; MLflow
counts anew where a registered model was deleted, so that a careless hand does it too.

Rules: a later record of a version says of it what the first does, of the same run, account, inputs
and settings, as a stage does that is called again for the aliases; any other is wrong. Memory grows
with versions, not with records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.audit.answers import AUDIT, DONE_EVENTS, RecordView, Registration
from components.audit.predicates import released_versions
from components.core.canonical import sha256_value
from components.core.stage_names import REGISTERING

Statement = Mapping[str, Any]


class RegisteredOnce:
    """Takes the statements of a log in order."""

    def __init__(self) -> None:
        """Begin before the first."""
        self._first: dict[tuple[str, str], tuple[int, str]] = {}

    def take(self, statement: Statement, index: int) -> None:
        """Go on with the statement of an entry."""
        for version, said in _versions(statement):
            self._first.setdefault(version, (index, said))

    def problems(self, statement: Statement) -> Iterator[str]:
        """Yield each version that a statement registers otherwise than an entry before it."""
        for (model, number), said in _versions(statement):
            index, first = self._first.get((model, number), (0, said))
            if said != first:
                yield f"it registers version {number} of {model} again, which entry {index} did"


def _versions(statement: Statement) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the model and number of each version registered, and a digest of what is said of it."""
    audit = statement["predicate"].get(AUDIT, {})
    if audit.get("stage") != REGISTERING or audit["event"] not in DONE_EVENTS:
        return
    of = [audit["run"]["id"], audit["actor"]["id"], audit["inputs"], audit["settings"]]
    for named, version in registered_in(audit["facts"]):
        yield named, sha256_value([*of, version])


def registered_in(facts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Yield the model and number of each version of a registration's facts, and what they say."""
    for version in released_versions(facts).values():
        yield (str(facts.get("model_name")), str(version.get("version"))), version


def registrations(model: str, views: Iterable[RecordView]) -> dict[str, Registration]:
    """Return the versions of a model that records register, each by its first."""
    found: dict[str, Registration] = {}
    for view in views:
        for (name, number), _ in registered_in(view.facts):
            if name == model:
                found.setdefault(number, Registration(view.run, view.index))
    return found
