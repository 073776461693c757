"""The page of an export that says how to verify it, what became of the version, what is absent.

The text is VERIFY.md beside the verifier; here is what a version and its log put into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files

from components.audit import export as verifier
from components.audit.acts import DONE_TO_IT, WITHDRAW
from components.audit.anchors.cosignatures import Cosigned
from components.audit.key_changes import AnyTenure
from components.audit.log import Snapshot
from components.audit.verified_log import VerifiedLog
from components.register_models.logbook import Release

_SECOND = """
   The checkpoint has a second signature, of ML-DSA-44 (`cryptography` 48 or newer checks it). Have
   its key's fingerprint from somebody else too, and add `--second {second}`.
"""
_WITHDRAWN = f"{DONE_TO_IT[WITHDRAW]}, for good; that its records verify is no leave to use it"
_REVOKED = """
   The key {keyid} is revoked: what it signed from entry {since} on does not count.
"""
_DOUBTED = """\
   It signed the record of its rotation too. Have the fingerprint of the key that signed the
   checkpoint from somebody else, and add `--newest {newest}`.
"""


def manual(
    log: VerifiedLog,
    release: Release,
    count: int,
    absent: Mapping[str, str],
    checkpoint: Cosigned,
) -> str:
    """Return VERIFY.md: how to verify an export, whose keys, and what is not in it and why."""
    lines = [f"- {name}: {why}" for name, why in absent.items()]
    keys = log.snapshot.keys
    second = keys.second.tenures
    text = (files(verifier) / "VERIFY.md").read_text(encoding="utf-8")
    return text.format(
        model=release.model,
        version=release.version,
        keyid=log.key.keyid,
        second=_SECOND.format(second=second[-1].key.keyid) if second else "",
        revoked="".join(_revoked(log.snapshot)),
        acts=_acts(log, release),
        count=count,
        size=log.snapshot.size,
        witnesses=", ".join(checkpoint.by) or "nobody",
        absent="\n".join(["", "Not in here:", "", *lines, ""]) if lines else "",
    )


def _acts(log: VerifiedLog, release: Release) -> str:
    """Return what the manual says of what people did to the version, beside approving it."""
    views = (log.ledger.find(record) for record in log.ledger.acts())
    lines = []
    for view in views:
        said = log.statement(view.record)["predicate"]
        if (said["model"], said["version"]) == release.key and view.stage in DONE_TO_IT:
            done = _WITHDRAWN if view.stage == WITHDRAW else DONE_TO_IT[view.stage]
            lines.append(f"- record {view.index}, {view.time}: the version was {done}")
    return "\n".join(["What people did to the version:", "", *lines, ""]) if lines else ""


def _revoked(snapshot: Snapshot) -> Iterator[str]:
    """Yield what the manual says of each key that is revoked."""
    keys = snapshot.keys
    for item in keys.tenures:
        yield from _said_of(item)
        if item.revoked_entries:
            yield _DOUBTED.format(newest=keys.of_size(snapshot.size).keyid)
    for second in keys.second.tenures:
        yield from _said_of(second)


def _said_of(tenure: AnyTenure) -> Iterator[str]:
    if tenure.revoked_from is not None:
        yield _REVOKED.format(keyid=tenure.key.keyid, since=tenure.revoked_from)
