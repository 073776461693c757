"""MLflow held against the log: what came in, moved, changed or went without a record.

Rules: every version and alias of the store is looked at, whoever's it is, and every release of the
log; stored files are fetched and hashed, not asked about; one finding does not hide another. What a
registration that is still going on has set and not yet recorded is a finding until it has.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.audit.verify import Finding
from components.core.errors import IntegrityError
from components.register_models.catalogue import Catalogue, Key
from components.register_models.logbook import Logbook, Release
from components.register_models.store import BUNDLE_TAG, MODEL_TAG, RUN_TAG


def reconcile(book: Logbook, catalogue: Catalogue) -> list[Finding]:
    """Return everything in which the store and the log differ."""
    return [
        *_unrecorded(book, catalogue),
        *_aliases(book, catalogue),
        *_versions(book, catalogue),
    ]


def _named(key: Key) -> str:
    return "@".join(key)


def _unrecorded(book: Logbook, catalogue: Catalogue) -> Iterator[Finding]:
    for key, tags in catalogue.versions.items():
        if key not in book.releases:
            run = tags.get(RUN_TAG)
            hint = f"; it says it is of run {run}, which may be unfinished" if run else ""
            message = f"no record registered this version: it came in out of band{hint}"
            yield Finding("unrecorded version", _named(key), message)


def _aliases(book: Logbook, catalogue: Catalogue) -> Iterator[Finding]:
    for key in sorted(book.aliases.keys() | catalogue.aliases.keys()):
        change, actual = book.aliases.get(key), catalogue.aliases.get(key)
        if change is None:
            message = f"it names version {actual}, and no record set it"
        elif actual is None:
            message = f"record {change.index} set it to version {change.after}, and it is gone"
        elif actual != change.after:
            message = f"it names version {actual}; record {change.index} set {change.after}"
        else:
            continue
        yield Finding("alias", _named(key), message)


def _versions(book: Logbook, catalogue: Catalogue) -> Iterator[Finding]:
    for key, release in book.releases.items():
        if key not in catalogue.versions:
            message = f"record {release.index} registered it, and it is gone"
            yield Finding("missing version", _named(key), message)
            continue
        yield from _tags(release, catalogue)
        yield from _files(release, catalogue)


def _tags(release: Release, catalogue: Catalogue) -> Iterator[Finding]:
    tags = catalogue.versions[release.key]
    expected = {RUN_TAG: release.run, BUNDLE_TAG: release.bundle_sha256}
    expected |= {MODEL_TAG: release.model_sha256} if release.model_sha256 else {}
    for name, value in expected.items():
        if tags.get(name) != value:
            message = f"tag {name} is {tags.get(name)}; record {release.index} says {value}"
            yield Finding("tag", _named(release.key), message)


def _files(release: Release, catalogue: Catalogue) -> Iterator[Finding]:
    try:
        stored = catalogue.stored(release.key)
    except IntegrityError as error:
        yield Finding("stored files", _named(release.key), error.message)
        return
    for what, actual, expected in (
        ("the bundle", stored.bundle_sha256, release.bundle_sha256),
        ("the model with all its files", stored.model_sha256, release.model_sha256),
    ):
        if expected and actual != expected:
            message = f"{what} has sha256 {actual}; record {release.index} says {expected}"
            yield Finding("stored files", _named(release.key), message)
