"""Which imported models a store claims to stand on some data, and what was registered of them.

Rules: data are artifacts of TFX's type Examples, named by their span, by the name of their
pipeline, or by a digest that stands for them; a model stands on them where the imported record that
made it does, through its parents. All of it is a claim (components/audit/imported.py), so it is an
answer beside that on registered versions, never part of it. A version was registered of an imported
model where what was given to be registered has its digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.audit.answers import AUDIT, IMPORTED
from components.audit.imported import artifact_name, artifact_sha256, digests_of_given
from components.core.candidates import IMPORTED as ELSEWHERE
from components.register_models.logbook import Logbook

DATA = "Examples"
MODELS = frozenset({"Model", "PushedModel"})
"""TFX's types of artifacts."""


@dataclass(frozen=True)
class ImportedModel:
    """A model that a store tells of; `data` are the records of the data that it stands on."""

    index: int
    record: str
    name: str
    type: str
    sha256: str
    pipeline: str | None
    run: str | None
    data: tuple[int, ...]
    registered_as: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        lists = {"data": list(self.data), "registered_as": list(self.registered_as)}
        return asdict(self) | lists

    def to_text(self) -> str:
        """Return it for people, on two lines."""
        by = ", ".join(f"#{index}" for index in self.data)
        also = f"; registered as {', '.join(self.registered_as)}" if self.registered_as else ""
        where = (
            f"of pipeline {self.pipeline}, run {self.run}" if self.pipeline else "of no pipeline"
        )
        return (
            f"imported: {self.type} {self.name} {where}, claims to stand on it, by {by}{also}\n"
            f"    #{self.index} record  {self.record}"
        )


def imported_impact(book: Logbook, what: str) -> Iterator[ImportedModel]:
    """Yield the imported models that stand on data of a name, in the order of the log."""
    registered = _registered(book)
    data: dict[str, frozenset[int]] = {}
    for index, (record, statement) in enumerate(book.statements.items()):
        predicate = statement["predicate"]
        if predicate[AUDIT]["event"] != IMPORTED:
            continue
        own = {index} if any(_is_named(item, predicate, what) for item in _made(predicate)) else ()
        data[record] = frozenset(own).union(*(data.get(p, ()) for p in predicate[AUDIT]["parents"]))
        for item in predicate["outputs"] if data[record] else ():
            if item["type"] in MODELS:
                sha256 = artifact_sha256(item)
                yield ImportedModel(
                    index,
                    record,
                    artifact_name(item),
                    item["type"],
                    sha256,
                    predicate["pipeline"]["name"],
                    predicate["pipeline"]["run"],
                    tuple(sorted(data[record])),
                    tuple(registered.get(sha256, ())),
                )


def _made(predicate: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in predicate["outputs"] if item["type"] == DATA)


def _is_named(item: Mapping[str, Any], predicate: Mapping[str, Any], what: str) -> bool:
    span = item["span"]
    names = (predicate["pipeline"]["name"], None if span is None else str(span))
    return what in names or what == artifact_sha256(item)


def _registered(book: Logbook) -> dict[str, list[str]]:
    """Return the versions by the digest of the model that they were registered of."""
    found: dict[str, list[str]] = {}
    for release in book.releases.values():
        if release.framework == ELSEWHERE:
            work = book.made(release).get(f"{ELSEWHERE}_model")
            for sha256 in digests_of_given(work.facts) if work else ():
                found.setdefault(sha256, []).append("@".join(release.key))
    return found
