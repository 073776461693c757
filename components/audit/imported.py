"""An execution that another system's store tells of, as a record: what was done before the log.

Rules: the record is of an event of its own (IMPORTED), which no START opens; its facts, the fields
of its predicate, are what the store says, and nobody here saw it. Its subjects are the outputs: by
the digest of their bytes where these were there to be hashed, else, as `claimed/NAME`, by the
digest of what the record says of the artifact. An execution without outputs is its own subject.
What it stands on are imported records alone, and nothing but an imported record stands on it: what
a store claims does not take the place of what a notary saw. The store's file, when it was read, who
read it and which bytes were still there say nothing of what was done, so they are not in the key
that makes the same execution one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from components.audit.answers import IMPORTED, RecordView
from components.core.canonical import sha256_value

IMPORT, IMPORT_MODEL = "import_execution", "import_model"
CLAIMED = "claimed"
_ARTIFACTS = ("inputs", "outputs")
_OF_THE_MENTION = ("slot", "sha256")
"""What an artifact does not have of itself: where a record names it, and its bytes' digest."""
Facts = Mapping[str, Any]
Digest = Callable[[Any], str]


def run_of(pipeline: Mapping[str, Any], digest: Digest = sha256_value) -> dict[str, Any]:
    """Return the run that the executions of one run of a pipeline are of, here."""
    name, run = pipeline["name"], pipeline["run"]
    found = {"id": f"imported-{digest({'name': name, 'run': run})[:16]}"}
    return found | ({"name": name} if name else {})


def import_key(facts: Facts, digest: Digest = sha256_value) -> str:
    """Return the idempotency key of an execution: of all that the store says of it."""
    told = {name: [_without(item, "sha256") for item in facts[name]] for name in _ARTIFACTS}
    own = {name: facts[name] for name in ("pipeline", "execution")}
    return digest({"event": IMPORTED, **own, **told})


def artifact_name(item: Mapping[str, Any]) -> str:
    """Return how a record calls an artifact: by its slot and its number in the store."""
    return f"{item['slot']}/{item['id']}"


def artifact_sha256(item: Mapping[str, Any], digest: Digest = sha256_value) -> str:
    """Return the digest of an artifact's bytes, or else of what is said of it."""
    return str(item["sha256"] or digest(_without(item, *_OF_THE_MENTION)))


def subjects_of(facts: Facts, digest: Digest = sha256_value) -> Iterator[tuple[str, str]]:
    """Yield the name and digest of each thing that the record is about."""
    for item in facts["outputs"]:
        name = artifact_name(item)
        yield name if item["sha256"] else f"{CLAIMED}/{name}", artifact_sha256(item, digest)
    if not facts["outputs"]:
        execution = facts["execution"]
        yield f"execution/{execution['id']}", digest(execution)


def given_to(view: RecordView) -> frozenset[str]:
    """Return the digests by which another system may know the model that a stage was given.

    They are that of the model, and those of the artifacts that it lies in; none of other stages.
    """
    return digests_of_given(view.facts) if view.stage == IMPORT_MODEL else frozenset()


def digests_of_given(facts: Facts) -> frozenset[str]:
    """Return what `given` in a stage's facts names; older records name no artifacts."""
    given = facts.get("given")
    if not isinstance(given, Mapping):
        return frozenset()
    artifacts = given.get("artifacts")
    listed = artifacts if isinstance(artifacts, list) else []
    return frozenset(map(str, (given.get("sha256"), *listed)))


def makers_of_given(chain: Iterable[RecordView], log: Iterable[RecordView]) -> list[str]:
    """Return the first imported record of a log that made what stages of a chain were given."""
    given = {sha256 for view in chain for sha256 in given_to(view)}
    told = (view for view in log if view.event == IMPORTED)
    makers = (view.record for view in told if not given.isdisjoint(view.subjects.values()))
    return list(islice(makers, 1))  # others found it there


def contradictions_of(
    said: Mapping[str, Any], facts: Facts, outputs: Sequence[str], digest: Digest = sha256_value
) -> Iterator[str]:
    """Yield, in words, what of a draft or a record does not go with its facts.

    `said` is the draft, or the record's block with the draft's names; `outputs` are the names of
    what the notary hashed.
    """
    if _without(said["run"], "actor", "trigger") != run_of(facts["pipeline"], digest):
        yield "its run is not that of its pipeline"
    if said["claimed_time"] != facts["execution"]["updated"]:
        yield "its claimed time is not that of the execution"
    names = {kind: [artifact_name(item) for item in facts[kind]] for kind in _ARTIFACTS}
    if any(len(set(listed)) != len(listed) for listed in names.values()):
        yield "it names an artifact twice"
    known = {artifact_name(item): item for kind in _ARTIFACTS for item in facts[kind]}
    fed = {item["name"]: item["sha256"] for item in said["inputs"]}
    for name, sha256 in fed.items():
        if name not in known or artifact_sha256(known[name], digest) != sha256:
            yield f"what it stands on, {name}, is none of its artifacts"
    for item in facts["outputs"]:
        name = artifact_name(item)
        if item["sha256"] and name not in outputs and name not in fed:
            yield f"nobody hashed its {name}"


def _without(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}
