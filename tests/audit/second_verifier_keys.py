"""The second verifier's keys of a log, and which of them signed a checkpoint; of the page alone."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from second_verifier_bytes import check, key_id, need, unbase64

KEYS, SECOND = (f"https://tandem.invalid/{name}-change/v1" for name in ("key", "second-key"))


def of_its_kind(statement: dict[str, Any], what: str) -> None:
    """Refuse a change of keys whose fields do not go with it."""
    said, second = statement["predicate"], statement["predicateType"] == SECOND
    stage = f"{said['change']}_second_key" if second else f"{said['change']}_key"
    need(said["tandem_audit"]["stage"] == stage, f"{what}: another stage")
    is_from = said.get("from") is not None
    need(is_from == (said["change"] == "revoke"), f"{what}: it revokes from nowhere")
    need(is_from != bool(said["possession"]), f"{what}: a signature that nobody asked for")
    handed_over = second and said["handover"] is not None
    need(handed_over == (second and said["change"] == "rotate"), f"{what}: no handover")


class Keys:
    def __init__(self, first: bytes) -> None:
        self.origin = f"tandem.invalid/log-{key_id(first)[:16]}"
        self.keys, self.revoked = [(0, first)], dict[bytes, int]()
        self.second: list[tuple[int, bytes]] = []  # of which size on each signs
        self.changes: list[dict[str, Any]] = []

    def holder(self, index: int) -> bytes:
        return next(key for first, key in reversed(self.keys) if first <= index)

    def is_revoked(self, index: int) -> bool:
        return index >= self.revoked.get(self.holder(index), index + 1)

    def change(self, index: int, record: str, said: dict[str, Any], second: bool) -> None:
        what, key = f"entry {index}", bytes.fromhex(said["key"]["public"])
        before = self.changes[-1] if self.changes else None
        need(
            said["previous"] == before and said["key"]["keyid"] == key_id(key), f"{what}: no change"
        )
        keys = self.second if second else self.keys
        known = [item for _, item in keys]
        if said["change"] == "revoke":
            need(key in known[:-1] and said["from"] <= index, f"{what}: it revokes no former key")
            self.revoked[key] = min(said["from"], self.revoked.get(key, said["from"]))
        else:
            need(key not in known, f"{what}: a key that was there before")
            need((said["change"] == "begin") == (not known), f"{what}: a key out of turn")
            own, public = "second key" if second else "key", f"{key.hex()}\n"
            message = f"tandem {own} of {self.origin}\n{public}".encode()
            check(key, unbase64(said["possession"], what), message, what)
            for former in known[-1:] if second else ():
                message = f"tandem next {own} of {self.origin}\nafter {before['record']}\n{public}"
                check(former, unbase64(said["handover"], what), message.encode(), what)
            keys.append((index + 1, key))
        self.changes.append({"index": index, "record": record})

    def checkpoint(self, note: str, size: int, tree: bytes) -> None:
        """Refuse a note unless the keys of its size signed it, with this root."""
        what = f"checkpoint {size}"
        text, _, lines = note.rpartition("\n\n")
        need(text.count("\n") >= 2, f"{what}: no note")
        origin, count, root, *extensions = text.split("\n")
        need((origin, count) == (self.origin, str(size)), f"{what}: of another log or size")
        need(unbase64(root, what) == tree, f"{what}: another root")
        last = [item["index"] for item in self.changes if item["index"] < size][-1:]
        need(extensions == [f"tandem-keys {index}" for index in last], f"{what}: other keys")
        signed: list[tuple[str, bytes]] = []
        for line in lines.removesuffix("\n").split("\n"):
            parts = line.split(" ")
            need(len(parts) == 3 and parts[0] == "\u2014", f"{what}: a line that is no signature")
            signed.append((parts[1], unbase64(parts[2], what)))
        self.signed(signed, b"\x01", self.holder(max(size - 1, 0)), f"{text}\n".encode(), what)
        for key in [key for first, key in self.second if first <= size][-1:]:
            need(size - 1 < self.revoked.get(key, size), f"{what}: its second key was revoked")
            log = len(origin).to_bytes(1, "big") + origin.encode() + bytes(8)
            cosigned = b"subtree/v1\n\0" + log + log + size.to_bytes(8, "big")
            self.signed(signed, b"\x06", key, cosigned + tree, what, bytes(8))

    def signed(
        self, lines: Any, kind: bytes, key: bytes, message: bytes, what: str, time: bytes = b""
    ) -> None:
        line = self.origin, sha256(f"{self.origin}\n".encode() + kind + key).digest()[:4]
        found = [data[4:] for name, data in lines if (name, data[:4]) == line]
        need(found, f"{what}: not signed by the key of its size")
        for data in found:
            need(data.startswith(time), f"{what}: a signature of another form")
            check(key, data[len(time) :], message, what)
