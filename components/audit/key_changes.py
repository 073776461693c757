"""What a person asks of the log's keys, as the draft of a record.

Rules: a new key is on disk before the record that names it; a key that still signs is not revoked,
it is rotated first; what is revoked is revoked from an entry on that is in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.audit.answers import KEY
from components.audit.key_history import (
    REVOKE,
    ROTATE,
    KeyHistory,
    Tenure,
    change_of_keys,
    possession,
)
from components.audit.keys import Keyring
from components.core.canonical import sha256_value
from components.core.errors import SettingsError

RUN = "keys"
"""The run that changes of keys are told of: none, but a record has one."""


@dataclass(frozen=True)
class KeyOrder:
    """A rotation, or the revocation, from entry `first` on, of a key by its id's beginning."""

    actor: str
    reason: str
    revoked: str | None = None
    first: int | None = None


def change_draft(
    order: KeyOrder, history: KeyHistory, keyring: Keyring, now: str
) -> dict[str, Any]:
    """Return the draft of a change of keys; a rotation makes the new key."""
    if order.revoked is None:
        made = keyring.make()
        said = change_of_keys(
            history, ROTATE, made.public, order.reason, possession=possession(history, made)
        )
        return _draft("rotate_key", order, said, now)
    tenure = _former(history, order.revoked)
    first = tenure.end if order.first is None else order.first
    if first is None or first > (tenure.end or 0):
        raise SettingsError(
            f"the key {tenure.key.keyid[:16]} signed nothing from entry {first} on",
            remedy=f"give an entry up to {tenure.end}, from which on it is not to be trusted",
        )
    said = change_of_keys(history, REVOKE, tenure.key, order.reason, **{"from": first})
    return _draft("revoke_key", order, said, now)


def _former(history: KeyHistory, keyid: str) -> Tenure:
    found = [item for item in history.tenures if item.key.keyid.startswith(keyid)] if keyid else []
    if len(found) != 1:
        raise SettingsError(
            f"{len(found)} keys of the log begin with {keyid}",
            remedy="see them with `tandem audit keys list`",
        )
    if found[0].end is None:
        raise SettingsError(
            f"the key {keyid} still signs the log",
            remedy="change it first with `tandem audit keys rotate`",
        )
    return found[0]


def _draft(stage: str, order: KeyOrder, said: dict[str, Any], now: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("code_sha256", "cache_key", "cause", "resources"))
    return nothing | {
        "event": KEY,
        "run": {"id": RUN, "actor": order.actor, "trigger": "manual"},
        "stage": stage,
        "attempt": 1,
        "inputs": [],
        "outputs": [],
        "settings": {},
        "settings_sha256": sha256_value({}),
        "environment": {},
        "facts": said,
        "gates": [],
        "claimed_time": now,
    }
