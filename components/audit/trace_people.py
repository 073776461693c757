"""The people of a trace: who started the runs, whose waivers counted, what was done to a version.

Rules: who started a run and which waivers there were stands in the records behind the model; what
people did to a version afterwards is looked for in the whole log, and says of how much it speaks,
because a withdrawal that is not shown would be worse than none. An approval has its signer's name,
meaning, time and key, from the bytes that were signed; whether it counts here today is
`tandem audit approvals`. A waiver has its signer's key alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.answers import AUDIT, RecordView
from components.audit.approval import open_approval
from components.audit.completeness import Completeness, completeness
from components.audit.findings import Finding
from components.audit.predicates import APPROVE
from components.audit.trace_sections import Section, Told, actor_of, place_of
from components.audit.verified_log import VerifiedLog


@dataclass(frozen=True)
class People:
    """Who started each run behind a model, the waivers that it was given, and the acts on it."""

    submitted: tuple[Section, ...]
    waivers: tuple[Section, ...]
    acts: tuple[Section, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return them as a JSON object."""
        return {name: list(items) for name, items in vars(self).items()}


def people_of(told: Sequence[Told]) -> People:
    """Return the people that records of work tell of."""
    last = {(view.run, audit["actor"]["id"]): (view, audit) for view, audit in told}
    submitted = (place_of(view) | actor_of(audit) for view, audit in last.values())
    return People(tuple(submitted), tuple(_waivers(told)))


def _waivers(told: Iterable[Told]) -> Iterator[Section]:
    """Yield the waivers that a run was given, each with whether it counted, and why not."""
    for view, _ in told:
        said = view.facts.get("waivers") if view.event != "CACHED" else None
        for item in said if isinstance(said, list) else ():
            if isinstance(item, Mapping):
                yield place_of(view) | dict(item)


def acts_on(
    home: Path,
    log: VerifiedLog,
    versions: Collection[tuple[Any, Any]],
    about: Sequence[Finding],
) -> tuple[tuple[Section, ...], Completeness]:
    """Return what people did to versions, in order, and of how much that speaks.

    What a key signed that was revoked since is shown too: the findings say that it does not count.
    Raises IntegrityError for a record that does not verify.
    """
    views = [view for view in map(log.ledger.find, log.ledger.acts()) if _is_on(view, versions)]
    log.require_included(views)
    acts = tuple(_act(view, log.statement(view.record)["predicate"]) for view in views)
    return acts, completeness(home, log, about)


def _is_on(view: RecordView, versions: Collection[tuple[Any, Any]]) -> bool:
    return (view.facts.get("model"), view.facts.get("version")) in versions


def _act(view: RecordView, predicate: Mapping[str, Any]) -> Section:
    audit = predicate[AUDIT]
    said = place_of(view) | {"time": view.time, **actor_of(audit)}
    if view.stage != APPROVE:
        fields = ("reason", "aliases", "required", "approvals")
        return said | {name: predicate[name] for name in fields if name in predicate}
    approval, key = open_approval(predicate)
    return said | {
        "name": approval.name,
        "meaning": approval.meaning,
        "signed": approval.signed.isoformat(),
        "until": approval.until.isoformat(),
        "reason": approval.reason,
        "keyid": key.keyid,
        "evaluation_sha256": approval.evaluation_sha256,
        "bundle_sha256": approval.bundle_sha256,
    }
