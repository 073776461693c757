"""What is wrong with the fields of an act, beside which version it is of and when it comes.

Rules: an approval is signed as its record says, for what its record says, and not later than its
record, but for the tolerance of a clock; a promotion names the keys of the approvals that count,
and no other act says anything of approvals; a promotion and a rollback move the alias of the
champion alone, from where it was; what takes a version out of use takes aliases of that version
away and moves none to another. When an act may be at all is for standing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from components.audit.acts import (
    ARCHIVE,
    BUNDLE,
    EVALUATION,
    PROMOTE,
    ROLL_BACK,
    WITHDRAW,
    Act,
    Made,
)
from components.audit.approval import open_approval
from components.audit.trust import Keys, any_key
from components.core.candidates import CHAMPION
from components.core.errors import IntegrityError

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a person's clock may be ahead of the notary's."""


def key_problems(keys: Keys | None, counted: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the keys that a promotion names; `counted` signed its approvals."""
    if keys is None:
        yield "it does not say which keys were trusted"
    elif keys["counted"] != sorted(set(counted)):
        yield "the keys that it names are not those of its approvals"
    elif keys["counted"] and not any_key(keys):
        yield "it counts approvals where no key was trusted"


def approval_problems(act: Act) -> Iterator[str]:
    """Yield what is wrong with what a person signed, as its record has it."""
    try:
        approval, _ = open_approval(act.said)
    except IntegrityError as error:
        yield error.message
        return
    if (approval.model, approval.version) != (act.model, act.version):
        yield "what the person signed is of another version"
    if (approval.evaluation_sha256, approval.bundle_sha256) != digests(act.inputs):
        yield "what the person signed is of another evaluation or bundle"
    if approval.signed > act.time + CLOCK_TOLERANCE:
        yield "it was signed later than it was recorded"


def alias_problems(act: Act, champion: str | None) -> Iterator[str]:
    """Yield what is wrong with the aliases that an act names: what moves, and from where."""
    if act.kind in (PROMOTE, ROLL_BACK):
        if act.said["aliases"] != [{"alias": CHAMPION, "from": champion, "to": act.version}]:
            yield f"the alias {CHAMPION} was at {champion or 'no version'}, and nothing else moves"
    elif act.kind in (ARCHIVE, WITHDRAW):
        named = [moved["alias"] for moved in act.said["aliases"]]
        if any((m["from"], m["to"]) != (act.version, None) for m in act.said["aliases"]):
            yield "it moves an alias, and may only take those of the version away"
        if act.version == champion and CHAMPION not in named:
            yield f"it does not say that the version loses the alias {CHAMPION}"


def unasked_problems(act: Act) -> Iterator[str]:
    """Yield what an act says of approvals, of which promotions alone have anything to say."""
    if act.kind in (ROLL_BACK, ARCHIVE, WITHDRAW) and (
        act.said["approvals"] or act.said["required"] is not None or act.said.get("keys")
    ):
        yield "it names approvals, keys or how many are asked for, and is no promotion"


def digests(inputs: Mapping[str, Made]) -> tuple[str | None, ...]:
    """Return the digests of the evaluation and the bundle, None for what is not named."""
    found = (inputs.get(name) for name in (EVALUATION, BUNDLE))
    return tuple(made.sha256 if made else None for made in found)
