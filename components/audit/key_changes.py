"""What a person asks of the log's keys, as the draft of a record.

Rules: a new key is on disk before the record that names it; a key that still signs is not revoked,
it is rotated first; what is revoked is revoked from an entry on that is in the log. A log gets its
second key (second_history.py) by the first rotation of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from components.audit import second_history
from components.audit.answers import KEY
from components.audit.key_history import (
    REVOKE,
    ROTATE,
    KeyHistory,
    change_of_keys,
    possession,
)
from components.audit.keyring import Keyring
from components.audit.keys import PublicKey
from components.audit.plain_draft import plain_draft
from components.audit.predicates import SECOND_KEY
from components.audit.second_history import BEGIN, change_of_second_key, handed_over
from components.audit.second_key import SecondPublicKey
from components.audit.tenure import Tenure
from components.core.errors import SettingsError

RUN = "keys"
"""The run that changes of keys are told of: none, but a record has one."""
AnyTenure = Tenure[PublicKey] | Tenure[SecondPublicKey]


@dataclass(frozen=True)
class KeyOrder:
    """A rotation, or the revocation, from entry `first` on, of a key by its id's beginning.

    `second`: the rotation is of the second key.
    """

    actor: str
    reason: str
    revoked: str | None = None
    first: int | None = None
    second: bool = False


def change_draft(
    order: KeyOrder, history: KeyHistory, keyring: Keyring, now: str
) -> dict[str, Any]:
    """Return the draft of a change of keys; a rotation makes the new key."""
    if order.revoked is not None:
        return _revocation(order, history, order.revoked, now)
    if order.second:
        return _second(order, history, keyring, now)
    made = keyring.make([tenure.key for tenure in history.tenures])
    said = change_of_keys(
        history, ROTATE, made.public, order.reason, possession=possession(history, made)
    )
    return _draft("rotate_key", order, said, now)


def _second(order: KeyOrder, history: KeyHistory, keyring: Keyring, now: str) -> dict[str, Any]:
    former = history.second.key
    signer = None if former is None else keyring.second_key(former)
    made = keyring.make_second()
    change = BEGIN if signer is None else second_history.ROTATE
    said = change_of_second_key(
        history.previous,
        change,
        made.public,
        order.reason,
        **handed_over(history.origin, history.previous, made, signer),
    )
    return _draft(f"{change}{SECOND_KEY}", order, said, now)


def _revocation(order: KeyOrder, history: KeyHistory, keyid: str, now: str) -> dict[str, Any]:
    tenure = _former((*history.tenures, *history.second.tenures), keyid)
    first = tenure.end if order.first is None else order.first
    if first is None or not 0 <= first <= (tenure.end or 0):
        raise SettingsError(
            f"the key {tenure.key.keyid[:16]} signed nothing from entry {first} on",
            remedy=f"give an entry up to {tenure.end}, from which on it is not to be trusted",
        )
    if isinstance(tenure.key, SecondPublicKey):
        said = change_of_second_key(
            history.previous, REVOKE, tenure.key, order.reason, **{"from": first}
        )
        return _draft(f"{REVOKE}{SECOND_KEY}", order, said, now)
    said = change_of_keys(history, REVOKE, tenure.key, order.reason, **{"from": first})
    return _draft("revoke_key", order, said, now)


def _former(tenures: Iterable[AnyTenure], keyid: str) -> AnyTenure:
    found = [item for item in tenures if item.key.keyid.startswith(keyid)] if keyid else []
    if len(found) != 1:
        raise SettingsError(
            f"{len(found)} keys of the log begin with {keyid}",
            remedy="see them with `tandem audit keys list`",
        )
    if not found[0].is_former:
        second = " --second" if isinstance(found[0].key, SecondPublicKey) else ""
        raise SettingsError(
            f"the key {keyid} still signs the log",
            remedy=f"change it first with `tandem audit keys rotate{second}`",
        )
    return found[0]


def _draft(stage: str, order: KeyOrder, said: dict[str, Any], now: str) -> dict[str, Any]:
    run = {"id": RUN, "actor": order.actor, "trigger": "manual"}
    return plain_draft(KEY, stage, run, now=now, facts=said)
