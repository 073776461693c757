"""`tandem audit keys`: which key signed which entries of the log, a new key, and one given up.

A change is a record of the log (components/audit/key_history.py). It needs the log to itself, so it
waits for no run: while one goes on it is refused.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.key_changes import KeyOrder
    from components.audit.log import Snapshot


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
    """Have a new key sign from now on, or a new second key sign checkpoints beside it."""
    from components.audit.key_changes import KeyOrder
    from pipelines.cli.one_line import checked_text
    from pipelines.identity import actor

    reason = checked_text("--reason", arguments.reason)
    return _change(arguments, KeyOrder(actor(), reason, second=arguments.second))


def revoke(arguments: Namespace) -> int:
    """Have nothing count that a former key signed from an entry on."""
    from components.audit.key_changes import KeyOrder
    from pipelines.cli.one_line import checked_text
    from pipelines.identity import actor

    reason = checked_text("--reason", arguments.reason)
    order = KeyOrder(actor(), reason, arguments.keyid, arguments.first)
    return _change(arguments, order)


def _change(arguments: Namespace, order: KeyOrder) -> int:
    from components.audit.folder import AuditFolder
    from components.audit.notary import open_notary
    from components.audit.verified_log import VerifiedLog
    from pipelines.home_notary import anchor_newest

    home = Home.at(arguments.home)
    folder = AuditFolder(home.folder)
    VerifiedLog.of(folder.home)  # nothing is added to a log that is not there, or is not as signed
    with open_notary(folder.home) as notary:
        view = notary.change_keys(order)
        note = notary.checkpoint()
        anchor_newest(home, lambda: note)
    key = view.facts["key"]
    if arguments.json:
        print_json({"index": view.index, "record": view.record, "key": key, "checkpoint": note})
        return 0
    done = "signs from now on" if order.revoked is None else "is revoked"
    if order.second:
        done = "signs every checkpoint too from now on, by ML-DSA-44"
    print(f"{key['keyid']} {done}: record {view.index}, sha256 {view.record}")
    if order.revoked is None and not order.second:
        print(f"the former private key is not needed any more; {folder.public_key.name} stays: ")
        print("it is the log's first key, from which verifiers follow the changes")
    print(f"\ncovered by checkpoint:\n{note}")
    return 0
