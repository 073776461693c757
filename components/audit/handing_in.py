"""What a stage hands in to its notary: a record, and that it failed.

Rules: with no notary there is no record, which is said in the log and nowhere else; a notary that
is gone, or that refuses a failure's text, never hides why the stage failed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from components.audit.client import Notary
from components.core.canonical import sha256_value
from components.core.errors import DataError, GateError, TandemError
from components.core.resources import Stopwatch

log = logging.getLogger(__name__)


def hand_in(notary: Notary | None, draft: dict[str, Any]) -> str:
    """Hand a record to the notary and return the digest of its envelope ("" without one)."""
    if notary is None:
        log.warning("no notary: %s of %s is not recorded", draft["event"], draft["stage"])
        return ""
    receipt = notary.submit(draft)
    log.info("%s is record %d", draft["event"], receipt.index)
    return receipt.record


def hand_in_failure(
    notary: Notary | None, draft: Mapping[str, Any], error: TandemError, watch: Stopwatch
) -> None:
    """Hand in FAIL with its cause, the gates that were checked and the facts of a failed gate."""
    said: dict[str, Any] = {"cause": error.to_dict(), "gates": [], "facts": {}}
    if isinstance(error, GateError):
        said |= {"gates": list(error.gates), "facts": error.facts}
    try:
        _hand_in_what_may_be_said(notary, {**draft, **said, "resources": watch.read()})
    except TandemError as lost:
        log.error("the failure of %s is not recorded: %s", draft["stage"], lost.message)


def _hand_in_what_may_be_said(notary: Notary | None, draft: dict[str, Any]) -> None:
    """Hand in a FAIL; where its text is refused, one with the refusal's text and no other."""
    try:
        hand_in(notary, draft)
    except DataError as refused:
        nothing: dict[str, Any] = {"settings": {}, "settings_sha256": sha256_value({})}
        hand_in(notary, {**draft, **nothing, "facts": {}, "gates": [], "cause": refused.to_dict()})
