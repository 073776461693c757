"""`tandem audit keys`: which key signed which entries of the log, a new key, and one given up.

A change is a record of the log (components/audit/key_history.py). It needs the log to itself, so it
waits for no run: while one goes on it is refused, before the log is read. So is a rotation of a log
with findings, unless they are known; a revocation is not, and cites them (doubts.py).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.answers import RecordView
    from components.audit.key_changes import KeyOrder
    from components.audit.log import Snapshot
    from pipelines.cli.doubts import Doubts


def list_keys(arguments: Namespace) -> int:
    """Show the log's keys, by the newest checkpoint, which is verified."""
    from components.audit.completeness import unsigned_text
    from components.audit.verified_log import VerifiedLog

    snapshot = VerifiedLog.of(Home.at(arguments.home).folder).snapshot
    changes = list(_changes(snapshot))
    keys = [_cited(item.to_dict(), changes) for item in snapshot.keys.tenures]
    second = [_cited(item.to_dict(), changes) for item in snapshot.keys.second.tenures]
    if arguments.json:
        names = {"log": snapshot.keys.origin, "keys": keys, "second_keys": second}
        print_json(names | {"unsigned": snapshot.unsigned, "checkpoint": snapshot.note})
        return 0
    for item in keys:
        print("\n".join(_lines(item)))
    for item in second:
        print("\n".join(_lines(item, " (ML-DSA-44, checkpoints over these)")))
    print(f"the log has {snapshot.size} entries{unsigned_text(snapshot.unsigned)}")
    print(f"\ncovered by checkpoint:\n{snapshot.note}")
    return 0


def _changes(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """Yield what each change of keys says, with its index and record, the oldest first."""
    from components.audit.envelope import vouched_statement

    found, place = [], snapshot.keys.previous
    while place is not None:
        said = vouched_statement(snapshot.entries[place["index"]].leaf)["predicate"]
        found.append({**said, **place})
        place = said["previous"]
    yield from reversed(found)


def _cited(key: dict[str, Any], changes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a key with the record that named it, if one did, and those that revoke it."""
    from components.audit.key_history import REVOKE

    own = [item for item in changes if item["key"]["keyid"] == key["keyid"]]
    revocations = [
        {name: item[name] for name in ("index", "record", "from")}
        for item in own
        if item["change"] == REVOKE
    ]
    named = [item for item in own if item["change"] != REVOKE]
    place = {name: named[0][name] for name in ("index", "record")} if named else {}
    return {**key, **place, "revocations": revocations}


def _lines(item: dict[str, Any], what: str = "") -> Iterator[str]:
    until = "on, and signs now" if item["end"] is None else f"up to entry {item['end'] - 1}"
    revoked = item["revoked_from"]
    gone = "" if revoked is None else f"; from entry {revoked} on it counts for nothing"
    yield f"{item['keyid']}: from entry {item['first']} {until}{gone}{what}"
    if "record" in item:
        yield f"    named    #{item['index']} record  {item['record']}"
    else:
        yield "    named by no record: the log's first key, which whoever verifies is given"
    for change in item["revocations"]:
        yield (
            f"    revoked  #{change['index']} record  {change['record']}, "
            f"from entry {change['from']} on"
        )


def rotate(arguments: Namespace) -> int:
    """Have a new key sign from now on, or a new second key sign checkpoints beside it.

    4 where verifying the log finds something, unless the caller says that it is known.
    """
    from components.audit.folder import AuditFolder
    from components.audit.key_changes import KeyOrder
    from components.audit.writer_lock import require_unwritten
    from pipelines.cli.doubts import Doubts, checked_reason
    from pipelines.identity import actor

    reason, home = checked_reason(arguments.reason), Home.at(arguments.home)
    require_unwritten(AuditFolder(home.folder))
    doubts = Doubts.of(home)
    doubts.require_none("the keys are not changed", despite=arguments.despite_findings)
    changed = _changed(arguments, KeyOrder(actor(), doubts.told(reason), second=arguments.second))
    if not arguments.json and arguments.second:
        print(f"{changed.what}signs every checkpoint too from now on, by ML-DSA-44{changed.where}")
    elif not arguments.json:
        print(f"{changed.what}signs from now on{changed.where}")
        print(f"the former private key is not needed any more; {changed.first_key} stays: ")
        print("it is the log's first key, from which verifiers follow the changes")
    _tell(arguments, changed, doubts)
    return 0


def revoke(arguments: Namespace) -> int:
    """Have nothing count that a former key signed from an entry on.

    It waits for no verification, and no finding hinders it: they are cited once it is recorded.
    """
    from components.audit.folder import AuditFolder
    from components.audit.key_changes import KeyOrder
    from components.audit.verified_log import VerifiedLog
    from components.audit.writer_lock import require_unwritten
    from pipelines.cli.doubts import Doubts, checked_reason
    from pipelines.identity import actor

    reason = checked_reason(arguments.reason)
    home = Home.at(arguments.home)
    require_unwritten(AuditFolder(home.folder))
    VerifiedLog.of(home.folder)  # nothing is added to a log that is not there, or is not as signed
    changed = _changed(arguments, KeyOrder(actor(), reason, arguments.keyid, arguments.first))
    if not arguments.json:
        print(f"{changed.what}is revoked{changed.where}", flush=True)
    _tell(arguments, changed, Doubts.of(home))
    return 0


@dataclass(frozen=True)
class _Changed:
    """The record of a change of keys, and the checkpoint over it."""

    view: RecordView
    note: str
    first_key: str

    @property
    def what(self) -> str:
        return f"{self.view.facts['key']['keyid']} "

    @property
    def where(self) -> str:
        return f": record {self.view.index}, sha256 {self.view.record}"


def _changed(arguments: Namespace, order: KeyOrder) -> _Changed:
    from components.audit.folder import AuditFolder
    from components.audit.notary import open_notary
    from pipelines.home_notary import anchor_newest

    home = Home.at(arguments.home)
    folder = AuditFolder(home.folder)
    with open_notary(folder.home) as notary:
        view = notary.change_keys(order)
        note = notary.checkpoint()
        anchor_newest(home, lambda: note)
    return _Changed(view, note, folder.public_key.name)


def _tell(arguments: Namespace, changed: _Changed, doubts: Doubts) -> None:
    """Say the rest: what was found, and the checkpoint."""
    view, note = changed.view, changed.note
    if arguments.json:
        key = view.facts["key"]
        said = {"index": view.index, "record": view.record, "key": key, "checkpoint": note}
        print_json(said | {"findings": list(doubts.findings)})
        return
    if doubts.findings:
        print(f"done despite what verifying the log finds:\n{doubts.text}")
    print(f"\ncovered by checkpoint:\n{note}")
