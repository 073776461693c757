"""What the log says of registered versions: releases, aliases and what stands behind each.

Rules: only entries under the newest verified checkpoint count, and nothing of MLflow is asked; a
change of an alias is whatever record names one: a registration in its fact `aliases` (one that is
older than that fact moved the alias of every role), any other in the list `aliases` of its
predicate, so that further kinds of records need no change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from components.audit.acts import ARCHIVE, DONE_TO_IT, PROMOTE, WITHDRAW
from components.audit.answers import AUDIT, DONE_EVENTS
from components.audit.predicates import released_versions
from components.audit.verified_log import VerifiedLog
from components.core.stage_names import REGISTERING
from components.register_models.lineage import Statement, Work, lineage
from components.register_models.registry import CHALLENGER

ALIASES = "aliases"
STATES = {act: DONE_TO_IT[act] for act in (ARCHIVE, WITHDRAW)}


@dataclass(frozen=True)
class Release:
    """A version as the record of its registration names it.

    `model_sha256` covers all stored files; "" where the record is older than that digest.
    """

    model: str
    version: str
    role: str
    framework: str
    bundle_sha256: str
    model_sha256: str
    run: str
    time: str
    index: int
    record: str

    @property
    def key(self) -> tuple[str, str]:
        """The model's name and the version."""
        return self.model, self.version


@dataclass(frozen=True)
class AliasChange:
    """An alias that a record moved; None is no version. `event` is the stage or act."""

    index: int
    record: str
    time: str
    event: str
    run: str
    actor: str | None
    reason: str | None
    model: str
    alias: str
    before: str | None
    after: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the change as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Logbook:
    """The records of one home in their order, and the note of the checkpoint that covers them."""

    statements: Mapping[str, Statement]
    checkpoint: str

    @classmethod
    def read(cls, home: Path) -> Logbook:
        """Read a home's log.

        Raises UnverifiableError where there is none, IntegrityError where it does not verify.
        """
        return cls.of(VerifiedLog.of(home))

    @classmethod
    def of(cls, log: VerifiedLog) -> Logbook:
        """Return the records of a log that was read and verified."""
        return cls(log.statements(), log.checkpoint)

    def until(self, moment: datetime) -> Logbook:
        """Return the records up to a moment of the log's own clock, which never runs backwards."""
        by_then = {
            record: statement
            for record, statement in self.statements.items()
            if datetime.fromisoformat(statement["predicate"][AUDIT]["clocks"]["notary"]) <= moment
        }
        return Logbook(by_then, self.checkpoint)

    def aliases_of(self, release: Release) -> list[str]:
        """Return the aliases that the log says a version has."""
        of_model = ((key, change.after) for key, change in self.aliases.items())
        return sorted(alias for (model, alias), at in of_model if (model, at) == release.key)

    @cached_property
    def releases(self) -> dict[tuple[str, str], Release]:
        """The newest release of each version, by model and version, in their order."""
        found: dict[tuple[str, str], Release] = {}
        for index, (record, statement) in enumerate(self.statements.items()):
            for release in _releases(index, record, statement):
                found.pop(release.key, None)
                found[release.key] = release
        return found

    @cached_property
    def changes(self) -> list[AliasChange]:
        """Every change of an alias, oldest first; what was set again to the same is none.

        A promotion is one also of the champion: the key of what made it so was revoked.
        """
        found: list[AliasChange] = []
        now: dict[tuple[str, str], str | None] = {}
        for index, (record, statement) in enumerate(self.statements.items()):
            audit = statement["predicate"][AUDIT]
            model, moved = _moved(statement)
            for alias, after in moved.items():
                before = now.get((model, alias))
                if before != after or audit["stage"] == PROMOTE:
                    now[model, alias] = after
                    said = (*_who(audit), statement["predicate"].get("reason"))
                    place = (index, record, audit["clocks"]["notary"])
                    found.append(AliasChange(*place, *said, model, alias, before, after))
        return found

    @cached_property
    def aliases(self) -> dict[tuple[str, str], AliasChange]:
        """The change that set each alias that is set, by model and alias."""
        last = {(change.model, change.alias): change for change in self.changes}
        return {key: change for key, change in last.items() if change.after is not None}

    def state(self, release: Release) -> str:
        """Return registered, archived or withdrawn, by the last act on a version."""
        return self._states.get(release.key, "registered")

    @cached_property
    def _states(self) -> dict[tuple[Any, Any], str]:
        """The state of each version that an act names, by model and version."""
        found: dict[tuple[Any, Any], str] = {}
        for statement in self.statements.values():
            predicate = statement["predicate"]
            event, key = (
                predicate[AUDIT]["stage"],
                (predicate.get("model"), predicate.get("version")),
            )
            if event in STATES or predicate.get("aliases"):
                found[key] = STATES.get(event, "registered")
        return found

    def inputs(self, release: Release) -> dict[str, Mapping[str, Any]]:
        """Return the digest and the record of each artifact that was registered, by its name."""
        inputs = self.statements[release.record]["predicate"][AUDIT]["inputs"]
        return {item["name"]: item for item in inputs}

    def facts(self, release: Release) -> Mapping[str, Any]:
        """Return what the record of a registration states."""
        return dict(self.statements[release.record]["predicate"][AUDIT]["facts"])

    def made(self, release: Release) -> dict[str, Work]:
        """Return the work behind a release, by artifact."""
        inputs = self.inputs(release)
        return lineage(self.statements, {name: item["record"] for name, item in inputs.items()})


def _who(audit: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return audit["stage"], audit["run"]["id"], audit["actor"]["id"]


def _registration(statement: Statement) -> dict[str, dict[str, Any]]:
    """Return the released versions by role, {} for any other record."""
    audit = statement["predicate"][AUDIT]
    if audit["stage"] != REGISTERING or audit["event"] not in DONE_EVENTS:
        return {}
    return released_versions(audit["facts"])


def _releases(index: int, record: str, statement: Statement) -> Iterator[Release]:
    audit = statement["predicate"][AUDIT]
    for role, version in _registration(statement).items():
        yield Release(
            model=str(audit["facts"]["model_name"]),
            version=str(version["version"]),
            role=role,
            framework=str(version["framework"]),
            bundle_sha256=str(version["bundle_sha256"]),
            model_sha256=str(version.get("model_sha256", "")),
            run=audit["run"]["id"],
            time=audit["clocks"]["notary"],
            index=index,
            record=record,
        )


def _moved(statement: Statement) -> tuple[str, dict[str, str | None]]:
    """Return the model that a record is about, and {alias: version or None}."""
    predicate = statement["predicate"]
    released = _registration(statement)
    if released:
        facts = predicate[AUDIT]["facts"]
        roles: dict[str, str | None] = {CHALLENGER: None}
        roles |= {role: str(version["version"]) for role, version in released.items()}
        return str(facts["model_name"]), facts.get(ALIASES, roles)
    moves = predicate.get(ALIASES) or ()
    return str(predicate.get("model")), {move["alias"]: move["to"] for move in moves}
