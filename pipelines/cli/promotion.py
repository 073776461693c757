"""`tandem models promote | rollback | archive | withdraw`: first the record, then the alias.

Rules: what must not be is refused before anything is written; the notary refuses it too, by the
same rules (components/audit/standing.py). Where the records say already what was asked for, nothing
is recorded again and MLflow is brought to what they say: that completes what a crash left half
done. The champion's stored files are hashed first; what goes out of use goes whatever MLflow has.
No version becomes the champion whose own records have findings, unless they are known (doubts.py).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from components.core.candidates import CHAMPION
from components.core.errors import GateError, SettingsError
from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.answers import Receipt
    from components.audit.model_standing import ModelStanding
    from pipelines.cli.registry_session import Need, RegistrySession


@dataclass(frozen=True)
class Change:
    """What a command did; without a record of its own where the log had one already.

    `differs` says how MLflow's version is another than the registered one, if it is.
    """

    model: str
    version: str
    did: str
    record: str | None
    index: int | None
    registry_changed: bool
    differs: str | None


def promote(arguments: Namespace) -> int:
    """Make a version the champion, if it has the approvals that its run's settings ask for."""
    work = partial(_promote, despite=arguments.despite_findings)
    return _act(arguments, arguments.version, "promoted", work, "bytes")


def archive(arguments: Namespace) -> int:
    """Take a version out of use; refuse the champion."""
    return _act(arguments, arguments.version, "archived", _archive, "nothing")


def withdraw(arguments: Namespace) -> int:
    """Take a version's aliases away for good."""
    return _act(arguments, arguments.version, "withdrawn", _withdraw, "nothing")


def rollback(arguments: Namespace) -> int:
    """Make the champion before the champion again."""
    from components.approvals.trail import Trail
    from pipelines.cli.version_name import model_named

    trail = Trail(Home.at(arguments.home).folder)
    model = model_named(arguments.model, trail.models)
    target = _half_done(arguments, trail, model) or trail.standing.previous(model)
    if target is None:
        raise SettingsError(
            f"the records know no champion of {model} before this one "
            "that is neither archived nor withdrawn and that a record which counts promoted",
            remedy="promote a version instead",
        )
    work = partial(_roll_back, despite=arguments.despite_findings)
    return _act(arguments, f"{model}@{target}", "rolled back to", work, "bytes")


def _half_done(arguments: Namespace, trail: Any, model: str) -> str | None:
    """Return the target of a rollback that was recorded while the alias did not move."""
    from components.audit.acts import ROLL_BACK
    from components.register_models.aliases import opened_aliases
    from pipelines.cli.registry_session import home_named

    last, champion = trail.standing.of(model).last, trail.standing.of(model).champion
    if last is None or last.kind != ROLL_BACK:
        return None
    with home_named(Home.at(arguments.home)), opened_aliases(model) as aliases:
        return None if aliases.all().get(CHAMPION) == champion else champion


Work = Callable[["RegistrySession", str], tuple["Receipt | None", bool]]


def _act(arguments: Namespace, what: str, did: str, work: Work, need: Need) -> int:
    """Do the work on a version, of which MLflow must have what is needed; say what was done."""
    from pipelines.cli.doubts import checked_reason
    from pipelines.cli.registry_session import registry_session

    reason = checked_reason(arguments.reason)
    with registry_session(Home.at(arguments.home), what, need) as session:
        receipt, moved = work(session, reason)
    record, index = (receipt.record, receipt.index) if receipt else (None, None)
    version = session.version
    change = Change(version.model, version.version, did, record, index, moved, session.differs)
    if arguments.json:
        print_json(asdict(change))
    else:
        print(_text(change))
        if change.differs:
            print(f"in MLflow all the same: {change.differs}")
    return 0


def _text(change: Change) -> str:
    did = {"promoted": "is the champion", "rolled back to": "is the champion again"}
    said = f"{change.model}@{change.version} {did.get(change.did, f'is {change.did}')}"
    if change.record is not None:
        return f"{said}: record {change.index}, sha256 {change.record}"
    left = "MLflow was brought to it" if change.registry_changed else "nothing was left to do"
    return f"{said}: the log said so already, {left}"


def _promote(
    session: RegistrySession, reason: str, *, despite: bool
) -> tuple[Receipt | None, bool]:
    from components.audit.acts import PROMOTE

    version, standing = session.version, _standing(session)
    if version.version in standing.withdrawn:
        raise _withdrawn(session)
    receipt = None
    if standing.champion != version.version or not session.trail.standing.reigns(version.model):
        reason = _weighed(session, reason, despite=despite)
        facts = _facts(reason, [_moved(standing.champion, version.version)])
        said = {"required": dict(version.required)} | _approvals(session)
        receipt = session.record(PROMOTE, facts | said)
    unmarked = session.aliases.mark(version.version, None)
    return receipt, session.aliases.point(CHAMPION, version.version) or unmarked


def _approvals(session: RegistrySession) -> dict[str, Any]:
    """Return the approvals that count, and their keys; GateError where more is asked for."""
    from components.approvals.trail import counted

    judged = session.trail.judged(session.version, datetime.now(UTC).date())
    lacking = session.trail.lacking(session.version, judged)
    if lacking:
        reasons = [
            f"#{item.index} by {item.signed.approval.name} does not count: {item.refused}"
            for item in judged
            if item.refused
        ]
        raise GateError(
            "; ".join([*lacking, *reasons]),
            remedy="have others than the submitter sign with `tandem models approve`; "
            "docs/registry.md says what counts, and that settings of zero end with the first key",
        )
    counting = counted(judged)
    return {
        "approvals": [signed.record for signed in counting],
        "keys": session.trail.keys_said(counting),
    }


def _weighed(session: RegistrySession, reason: str, *, despite: bool) -> str:
    """Return a reason with the findings of the version's own records, refused where it has any.

    Raises IntegrityError, citing each, where nobody said that they are known.
    """
    from components.audit.acts import REGISTRATION
    from pipelines.cli.doubts import Doubts

    version = session.version
    doubts = Doubts.of_version(session.trail.log, version.inputs[REGISTRATION].record)
    name = f"{version.model}@{version.version}"
    doubts.require_none(f"{name} does not become the champion", despite=despite)
    return doubts.told(reason)


def _roll_back(
    session: RegistrySession, reason: str, *, despite: bool
) -> tuple[Receipt | None, bool]:
    from components.audit.acts import ROLL_BACK

    version, standing = session.version, _standing(session)
    receipt = None
    if standing.champion != version.version:
        reason = _weighed(session, reason, despite=despite)
        facts = _facts(reason, [_moved(standing.champion, version.version)])
        receipt = session.record(ROLL_BACK, facts)
    return receipt, session.aliases.point(CHAMPION, version.version)


def _archive(session: RegistrySession, reason: str) -> tuple[Receipt | None, bool]:
    from components.audit.acts import ARCHIVE
    from components.register_models.aliases import ARCHIVED

    version, standing = session.version.version, _standing(session)
    if version in standing.withdrawn:
        raise _withdrawn(session)
    if version in (standing.champion, session.aliases.all().get(CHAMPION)):
        raise GateError(
            f"version {version} is the champion, which is not archived",
            remedy="promote another, roll back, or withdraw it",
        )
    done = version in standing.archived
    receipt = None if done else session.record(ARCHIVE, _facts(reason, _gone(session)))
    return receipt, _take_out(session, ARCHIVED)


def _withdraw(session: RegistrySession, reason: str) -> tuple[Receipt | None, bool]:
    from components.audit.acts import WITHDRAW
    from components.register_models.aliases import WITHDRAWN

    done = session.version.version in _standing(session).withdrawn
    receipt = None if done else session.record(WITHDRAW, _facts(reason, _gone(session)))
    return receipt, _take_out(session, WITHDRAWN)


def _take_out(session: RegistrySession, state: str) -> bool:
    version = session.version.version
    marked = session.aliases.mark(version, state)
    return bool(session.aliases.take_away(version)) or marked


def _standing(session: RegistrySession) -> ModelStanding:
    return session.trail.standing.of(session.version.model)


def _facts(reason: str, aliases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    said = {"reason": reason, "aliases": list(aliases)}
    return said | {"required": None, "approvals": [], "keys": None}


def _moved(before: str | None, version: str) -> dict[str, Any]:
    return {"alias": CHAMPION, "from": before, "to": version}


def _gone(session: RegistrySession) -> list[dict[str, Any]]:
    """Return the aliases that the version is about to lose: those in MLflow, and by the records."""
    version = session.version.version
    named = {alias for alias, at in session.aliases.all().items() if at == version}
    named |= {CHAMPION} if _standing(session).champion == version else set()
    return [{"alias": alias, "from": version, "to": None} for alias in sorted(named)]


def _withdrawn(session: RegistrySession) -> GateError:
    version = session.version
    return GateError(
        f"version {version.version} of {version.model} was withdrawn",
        remedy="train and register another; a withdrawal is not taken back",
    )
