"""Which attempt of its stage a process is.

Why: KFP tells a pod nothing of the pods before it, and a record says for the how manieth time its
stage was tried.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from components.audit.answers import RecordView
from components.audit.client import Notary
from components.core.errors import PlatformError
from components.core.stage_identity import ATTEMPT_VARIABLE, PLATFORM_RUN_VARIABLE

log = logging.getLogger(__name__)


def attempt_here(notary: Notary | None, run: str, stage: str) -> int:
    """Return which attempt this is: as the runner says, else by what the log knows of others.

    Where no notary answers nothing is known of them, and it is the first.
    """
    said = os.environ.get(ATTEMPT_VARIABLE)
    if said is not None or notary is None or PLATFORM_RUN_VARIABLE not in os.environ:
        return int(said or "1")
    try:
        views = notary.records(run)
    except PlatformError as error:
        log.warning("which attempt of %s this is is not known: %s", stage, error.message)
        return 1
    return next_attempt(views, stage)


def next_attempt(views: Iterable[RecordView], stage: str) -> int:
    """Return the number of a stage's next attempt in a run, by the run's records."""
    return 1 + max((view.attempt for view in views if view.stage == stage), default=0)
