"""Where a command on a registered version works: the log, its notary and MLflow, of one home.

Rules: the log is read, and MLflow asked, before a notary is started, so that a wrong version or a
registry that is down leaves nothing behind; the log is read again once the notary is there, because
another command may have come between. A command without a home's log starts none. What takes a
version out of use needs no version in MLflow: whoever exchanged or deleted it must not hinder that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from components.approvals.trail import Trail
from components.audit.acts import Registered
from components.audit.answers import Receipt
from components.audit.client import Notary
from components.audit.folder import HOME_VARIABLE
from components.core.errors import IntegrityError
from components.register_models.aliases import Aliases, opened_aliases
from components.register_models.logbook import Logbook, Release
from pipelines.cli.version_name import version_named
from pipelines.home import Home
from pipelines.home_notary import anchoring_notary
from pipelines.identity import actor


@dataclass(frozen=True)
class RegistrySession:
    """One command's view of a version; `record` is the only way to add to the log.

    `differs` says how MLflow's version is another than the registered one, where that is allowed.
    """

    trail: Trail
    version: Registered
    aliases: Aliases
    notary: Notary
    differs: str | None = None

    def record(self, kind: str, facts: Mapping[str, Any]) -> Receipt:
        """Have the notary record an act on the version; raise what the notary raises."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return self.notary.submit(self.version.draft(kind, actor(), facts, now))


Need = Literal["nothing", "tags", "bytes"]
"""What of a version MLflow must have as it was registered; the bytes are the tags' too."""


@contextmanager
def registry_session(home: Home, what: str, need: Need = "tags") -> Iterator[RegistrySession]:
    """Give the session of a version; IntegrityError where MLflow does not have what is needed."""
    version = registered_version(Trail(home.folder), home, what)
    with home_named(home), opened_aliases(version.model) as aliases:
        differs = _difference(aliases, version)
        if differs and need != "nothing":
            raise differs
        if need == "bytes":
            aliases.require_stored(_release(home, version))
        with anchoring_notary(home) as notary:
            told = differs.message if differs else None
            yield RegistrySession(Trail(home.folder), version, aliases, notary, told)


def registered_version(trail: Trail, home: Home, what: str) -> Registered:
    """Return the version that is named, an alias by the log; SettingsError for one that is none."""
    number = what.rpartition("@")[2].isdigit()
    changes = {} if number else Logbook.read(home.folder).aliases
    aliases = {key: str(change.after) for key, change in changes.items()}
    return trail.version(*version_named(what, trail.models, aliases))


def _difference(aliases: Aliases, version: Registered) -> IntegrityError | None:
    try:
        aliases.require(version)
    except IntegrityError as error:
        return error
    return None


def _release(home: Home, version: Registered) -> Release:
    return Logbook.read(home.folder).releases[version.model, version.version]


@contextmanager
def home_named(home: Home) -> Iterator[None]:
    """Have the default registry be that of this home, which --home may have named."""
    before = os.environ.get(HOME_VARIABLE)
    os.environ[HOME_VARIABLE] = str(home.folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[HOME_VARIABLE]
        else:
            os.environ[HOME_VARIABLE] = before
