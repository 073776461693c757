"""MLflow held against the log: what came in, moved, changed or went without a record.

Rules: every version and alias of the store is looked at, whoever's it is, and every release of the
log; every tag that a record determines is compared; stored files are fetched and hashed, not asked
about, and the stored proof, which no digest covers, is verified with the log's key; one finding
does not hide another, and each cites the record that the store disagrees with, where there is one.
A version that a registration still going on has made and not yet recorded
is a finding until it has, and so is an alias that is recorded and not yet set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from components.audit.answers import ProofBundle
from components.audit.findings import Finding
from components.audit.keys import PublicKey
from components.audit.proof import verify_bundle
from components.core.errors import IntegrityError
from components.register_models.catalogue import Catalogue, Key, Stored
from components.register_models.logbook import Logbook, Release
from components.register_models.mlflow_model import PROOF
from components.register_models.recorded_tags import recorded_tags
from components.register_models.store import RUN_TAG


def reconcile(book: Logbook, catalogue: Catalogue, key: PublicKey) -> list[Finding]:
    """Return everything in which the store and the log differ; `key` is the log's."""
    return [
        *_unrecorded(book, catalogue),
        *_aliases(book, catalogue),
        *_versions(book, catalogue, key),
    ]


def _named(key: Key) -> str:
    return "@".join(key)


def _place(release: Release) -> tuple[int, str]:
    return release.index, release.record


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
        cited = (change.index, change.record) if change else ()
        yield Finding("alias", _named(key), message, *cited)


def _versions(book: Logbook, catalogue: Catalogue, key: PublicKey) -> Iterator[Finding]:
    for release in book.releases.values():
        if release.key not in catalogue.versions:
            message = f"record {release.index} registered it, and it is gone"
            yield Finding("missing version", _named(release.key), message, *_place(release))
            continue
        yield from _tags(book, release, catalogue)
        yield from _source(release, catalogue)
        yield from _files(book, release, catalogue, key)


def _tags(book: Logbook, release: Release, catalogue: Catalogue) -> Iterator[Finding]:
    tags = catalogue.versions[release.key]
    for name, value in recorded_tags(book, release).items():
        if tags.get(name) != value:
            message = f"tag {name} is {tags.get(name)}; record {release.index} says {value}"
            yield Finding("tag", _named(release.key), message, *_place(release))


def _source(release: Release, catalogue: Catalogue) -> Iterator[Finding]:
    """Hold what a version says its source is against where its files are loaded from.

    It was registered with the one address (registry.py); MLflow keeps two, and people read this.
    """
    source, place = catalogue.sources[release.key], catalogue.place(release.key)
    if source != place:
        message = f"its source is {source}, and it is loaded from {place}"
        yield Finding("stored files", _named(release.key), message, *_place(release))


def _files(
    book: Logbook, release: Release, catalogue: Catalogue, key: PublicKey
) -> Iterator[Finding]:
    try:
        with catalogue.fetched(release.key) as folder:
            stored = Stored.of(folder)
            yield from _proof(book, release, folder, key)
    except IntegrityError as error:
        yield Finding("stored files", _named(release.key), error.message, *_place(release))
        return
    for what, actual, expected in (
        ("the bundle", stored.bundle_sha256, release.bundle_sha256),
        ("the model with all its files", stored.model_sha256, release.model_sha256),
    ):
        if expected and actual != expected:
            message = f"{what} has sha256 {actual}; record {release.index} says {expected}"
            yield Finding("stored files", _named(release.key), message, *_place(release))


def _proof(book: Logbook, release: Release, folder: Path, key: PublicKey) -> Iterator[Finding]:
    """Verify the stored proof; a record that is older than `model_sha256` came without one."""
    if not release.model_sha256:
        return
    records = [item["record"] for item in book.inputs(release).values()]
    try:
        bundle = ProofBundle.from_dict(json.loads((folder / PROOF).read_bytes()))
        verify_bundle(bundle, records, key)
    except IntegrityError as error:
        message = f"{PROOF} does not verify: {error.message}"
    except FileNotFoundError:
        message = f"{PROOF} is gone"
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        message = f"{PROOF} is no proof: {type(error).__name__}"
    else:
        return
    yield Finding("stored proof", _named(release.key), message, *_place(release))
