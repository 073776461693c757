"""`tandem models approve` signs for a version; `tandem audit approvals` shows who has.

An approval counts only where its key is trusted here and its signer did not submit the run
(components/approvals, components/audit/standing.py); one that does not is recorded all the same.
What is wrong with the version by its own records is said to whoever signs for it, and hinders none.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.cli.output import print_json
from pipelines.cli.waive import key_file, own_key, trusting, until_day
from pipelines.home import Home

if TYPE_CHECKING:
    from components.approvals.trail import Judged, Trail
    from components.audit.acts import Registered
    from components.audit.approval import Approval
    from components.audit.completeness import Completeness

DAYS = 30
LONGEST_NAME = 200


def approve(arguments: Namespace) -> int:
    """Sign an approval, record it, and say whether it counts here."""
    from components.approvals.approvers import approvers_folder, trusted_approvers
    from components.approvals.trail import Trail
    from components.audit.acts import REGISTRATION
    from components.audit.predicates import APPROVE
    from components.audit.version_findings import version_findings
    from pipelines.cli.registry_session import registry_session

    home, now = Home.at(arguments.home), datetime.now(UTC)
    trusted = trusted_approvers(home.folder)  # here: what is no key is said before anything is done
    with registry_session(home, arguments.version) as session:
        approval = _approval(arguments, session.version, now)
        file = key_file(arguments.key)
        key = own_key(file)
        receipt = session.record(APPROVE, approval.sign(key))
    trail = Trail(home.folder)
    judged = trail.judged(session.version, now.date())
    mine = next(item for item in judged if item.signed.record == receipt.record)
    version = session.version
    lacking = trail.lacking(version, judged)
    found = version_findings(trail.log, [version.inputs[REGISTRATION].record])
    if arguments.json:
        findings = [finding.to_dict() for finding in found]
        print_json({"approval": _said(mine), "lacking": lacking, "findings": findings})
        return 0
    print(
        f"{approval.meaning} of {version.model}@{version.version} by {approval.name}: record "
        f"{receipt.index}, sha256 {receipt.record}, signed by {key.public.keyid}"
    )
    for finding in found:
        print(f"you signed although {finding.to_text()}")
    _print_standing(mine.refused, lacking)
    if mine.signed.keyid not in trusted:
        print("who looks after the home may trust this key:")
        print(f"  {trusting(file.with_suffix('.pub'), approvers_folder(home.folder))}")
    return 0


def approvals(arguments: Namespace) -> int:
    """Show every approval of a version from the log, offline, and whether it counts today."""
    from components.approvals.trail import Trail
    from components.audit.acts import REGISTRATION
    from components.audit.completeness import completeness, no_version_omitted
    from components.audit.findings import exit_code
    from components.audit.version_findings import version_findings
    from pipelines.cli.registry_session import registered_version

    home = Home.at(arguments.home)
    trail = Trail(home.folder)
    with no_version_omitted(home.folder, trail.log):
        version = registered_version(trail, home, arguments.version)
    judged = trail.judged(version, datetime.now(UTC).date())
    lacking = trail.lacking(version, judged)
    is_champion = trail.standing.of(version.model).champion == version.version
    about = version_findings(trail.log, [version.inputs[REGISTRATION].record])
    complete = completeness(home.folder, trail.log, about)
    answer = _answer(version, judged, lacking, trail, is_champion=is_champion)
    if arguments.json:
        found = [finding.to_dict() for finding in complete.findings]
        print_json({**answer, "completeness": complete.to_dict(), "findings": found})
    else:
        print("\n".join(_lines(version, judged, answer, complete)))
    return exit_code(complete.findings)


def _lines(
    version: Registered,
    judged: Sequence[Judged],
    answer: Mapping[str, Any],
    complete: Completeness,
) -> Iterator[str]:
    """Yield the answer for people."""
    asked = ", ".join(f"{meaning} by {number}" for meaning, number in version.required.items())
    yield f"{version.model}@{version.version}, submitted by {version.submitter}; asked: {asked}"
    yield f"    #{answer['index']} record  {answer['record']}"
    yield from map(_line, judged)
    yield "by the records it is the champion" if answer["is_champion"] else "it is not the champion"
    yield from (f"lacking: {words}" for words in answer["lacking"])
    yield from (finding.to_text() for finding in complete.findings)
    yield f"no approval omitted: {complete.to_text()}"
    yield f"\ncovered by checkpoint:\n{answer['checkpoint']}"


def _approval(arguments: Namespace, version: Registered, now: datetime) -> Approval:
    from components.audit.acts import BUNDLE, EVALUATION
    from components.audit.approval import Approval
    from pipelines.cli.one_line import checked_text

    name = checked_text("--as", arguments.name, LONGEST_NAME)
    reason = arguments.reason
    return Approval(
        model=version.model,
        version=version.version,
        evaluation_sha256=version.inputs[EVALUATION].sha256,
        bundle_sha256=version.inputs[BUNDLE].sha256,
        name=name,
        meaning=arguments.meaning,
        signed=now,
        until=_until(arguments.until, now.date()),
        reason=None if reason is None else checked_text("--reason", reason),
    )


def _until(text: str | None, today: date) -> date:
    return today + timedelta(days=DAYS) if text is None else until_day(text, today)


def _print_standing(refused: str | None, lacking: Sequence[str]) -> None:
    print(f"it does not count: {refused}" if refused else "it counts")
    for words in lacking:
        print(f"a promotion still lacks: {words}")


def _said(item: Judged) -> dict[str, Any]:
    signed, said = item.signed, item.signed.approval
    return {
        "index": item.index,
        "record": signed.record,
        "name": said.name,
        "meaning": said.meaning,
        "signed_at": said.signed.isoformat(),
        "until": said.until.isoformat(),
        "reason": said.reason,
        "keyid": signed.keyid,
        "actor": signed.actor,
        "counts": item.refused is None,
        "refused": item.refused,
    }


def _answer(
    version: Registered,
    judged: Sequence[Judged],
    lacking: Sequence[str],
    trail: Trail,
    *,
    is_champion: bool,
) -> dict[str, Any]:
    from components.audit.acts import REGISTRATION

    record = version.inputs[REGISTRATION].record
    return {
        "model": version.model,
        "version": version.version,
        "index": trail.index(record),
        "record": record,
        "run": version.run,
        "submitter": version.submitter,
        "required": dict(version.required),
        "approvals": [_said(item) for item in judged],
        "lacking": list(lacking),
        "is_champion": is_champion,
        "checkpoint": trail.checkpoint,
    }


def _line(item: Judged) -> str:
    said = item.signed.approval
    why = f"does not count: {item.refused}" if item.refused else "counts"
    reason = f", {said.reason}" if said.reason else ""
    return (
        f"#{item.index} {said.meaning} by {said.name} at {said.signed.isoformat()} until "
        f"{said.until}{reason}; {why}\n    record  {item.signed.record}\n"
        f"    key     {item.signed.keyid}"
    )
