"""The notary of a home, for as long as a command needs it, and what is kept of its log outside.

Rules: whoever adds to the log has its anchors keep the checkpoint that covers it, before the
command ends: an entry that is cut off later, with its checkpoint, is seen by them alone. What an
anchor cannot keep is one line of warning: what was recorded is recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.audit.client import Notary, connect
from components.audit.process import NotaryProcess
from components.core.errors import TandemError
from pipelines.home import Home
from pipelines.preflight.machine import check_disk

if TYPE_CHECKING:
    from components.audit.anchors.anchoring import Anchored

_LOG = logging.getLogger(__name__)


@contextmanager
def answering_notary(home: Home) -> Iterator[Notary]:
    """Give the notary that TANDEM_NOTARY names, else one of the home's own while it is needed.

    Raises PlatformError where another run holds the home's, or there is no room for a run.
    """
    check_disk(home.folder)
    if (given := connect()) is not None:
        yield given
        return
    with NotaryProcess(home.folder) as process:
        yield Notary(process.address)


@contextmanager
def anchoring_notary(home: Home) -> Iterator[Notary]:
    """Give the notary, and have the anchors keep what it signed, also where the caller fails."""
    with answering_notary(home) as notary:
        try:
            yield notary
        finally:
            anchor_newest(home, notary.checkpoint)


def anchor_newest(home: Home, checkpoint: Callable[[], str]) -> list[Anchored]:
    """Have the home's anchors keep a checkpoint, and return what they made of it."""
    from components.audit.anchors.anchoring import anchor

    try:
        anchored = anchor(home.folder, checkpoint())
        failed = [item.error["message"] for item in anchored if item.error]
    except (OSError, TandemError) as error:
        anchored, failed = [], [str(error)]
    for message in failed:
        _LOG.warning("the checkpoint is not anchored: %s", message)
    return anchored
