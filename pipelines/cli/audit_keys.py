"""`tandem audit keys`: which key signed which entries of the log, a new key, and one given up.

A change is a record of the log (components/audit/key_history.py). It needs the log to itself, so it
waits for no run: while one goes on it is refused.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.key_changes import KeyOrder


def list_keys(arguments: Namespace) -> int:
    """Show the log's keys, by the newest checkpoint, which is verified."""
    from components.audit.verified_log import VerifiedLog

    snapshot = VerifiedLog.of(Home.at(arguments.home).folder).snapshot
    keys = [item.to_dict() for item in snapshot.keys.tenures]
    for item in keys[1:]:  # the entry before a key's first is the rotation that named it
        item["index"] = item["first"] - 1
        item["record"] = snapshot.entries[item["index"]].record
    second = [item.to_dict() for item in snapshot.keys.second.tenures]
    for item in second:  # the first entry of a second key is the one that named it
        item["index"], item["record"] = item["first"], snapshot.entries[item["first"]].record
    if arguments.json:
        names = {"log": snapshot.keys.origin, "keys": keys, "second_keys": second}
        print_json(names | {"checkpoint": snapshot.note})
        return 0
    for item in keys:
        print(_line(item))
        if "record" in item:
            print(f"    #{item['index']} record  {item['record']}")
    for item in second:
        print(f"{_line(item)} (ML-DSA-44, checkpoints over these)")
        print(f"    #{item['index']} record  {item['record']}")
    print(f"\ncovered by checkpoint:\n{snapshot.note}")
    return 0


def _line(item: dict[str, Any]) -> str:
    until = "on, and signs now" if item["end"] is None else f"up to entry {item['end'] - 1}"
    revoked = item["revoked_from"]
    gone = "" if revoked is None else f"; from entry {revoked} on it counts for nothing"
    return f"{item['keyid']}: from entry {item['first']} {until}{gone}"


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
    from components.audit.log import Log
    from components.audit.notary import open_notary

    folder = AuditFolder(Home.at(arguments.home).folder)
    Log.at(folder)  # a home without a log gets none by this
    with open_notary(folder.home) as notary:
        view = notary.change_keys(order)
        note = notary.checkpoint()
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
