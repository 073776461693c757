"""The parts of an audit report that a version's verified records tell: lineage, gates, data, code.

Rules: everything is read from the records, nothing from a run's folder; what a record does not say
is left out here, and is a gap of the control matrix where a requirement asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from components.audit.answers import gate_in_numbers
from components.audit.version_records import TRAINING, CitedRecord, VersionRecords
from components.core.slice_keys import OVERALL
from components.core.stage_names import INGESTING, REGISTERING, VALIDATING
from pipelines.dag_picture import Picture, place

SHOWN = 160
LOCKS = "infra/locks"
# What repeats byte for byte as a whole (docs/reproducibility.md), by the record that made it.
REPEATS = {
    "examples": INGESTING,
    "validation": VALIDATING,
    "features": "transform_features",
    "pytorch_model": "train_pytorch",
}


def short(value: Any) -> str:
    """Return a field's value on one line; what is longer is cut, and whole in the record."""
    text = one_line(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def one_line(value: Any) -> str:
    """Return a value as people read it: texts as they are, a list of texts joined, else JSON."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "; ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return " ".join(text.split())


def graph(records: VersionRecords) -> Picture:
    """Draw the chain: a box for each record, named by its index, after those that fed it."""
    index = {cited.record: cited.index for cited in records.chain}
    after = {
        f"#{cited.index}": {f"#{index[parent]}" for parent in cited.audit["parents"]}
        for cited in records.chain
    }
    columns: list[list[str]] = []
    depth: dict[str, int] = {}
    for name, before in after.items():  # by index, so that parents come first
        depth[name] = max((depth[one] + 1 for one in before), default=0)
        columns.extend([] for _ in range(depth[name] + 1 - len(columns)))
        columns[depth[name]].append(name)
    return place(columns, after)


def steps(records: VersionRecords) -> list[dict[str, Any]]:
    """Return a row for each record of the chain."""
    index = {cited.record: cited.index for cited in records.chain}
    return [
        {
            "index": cited.index,
            "stage": cited.stage,
            "event": cited.audit["event"],
            "run": cited.audit["run"]["id"],
            "time": cited.audit["clocks"]["notary"],
            "made": dict(cited.value("subject")),
            "from": [index[parent] for parent in cited.audit["parents"]],
            "record": cited.record,
        }
        for cited in records.chain
    ]


def gates(records: VersionRecords) -> list[dict[str, Any]]:
    """Return every gate that the records of work hold."""
    nothing = {"interval": None, "slice": OVERALL, "n": None, "baseline": None, "waived_by": None}
    return [
        {**nothing, **gate_in_numbers(gate), "stage": cited.stage, "index": cited.index}
        for cited in records.works
        for gate in cited.audit["gates"]
    ]


def keys(records: VersionRecords) -> dict[str, list[dict[str, Any]]]:
    """Return the log's keys in order, as `tandem audit keys list` shows them."""
    history = records.keys
    return {
        "keys": [tenure.to_dict() for tenure in history.tenures],
        "second_keys": [tenure.to_dict() for tenure in history.second.tenures],
    }


def acts(records: VersionRecords) -> list[dict[str, Any]]:
    """Return what people did to the version, approvals too, in order."""
    return [
        {
            "what": cited.stage.replace("_", " "),
            **done(cited, cited.value("predicate.reason") or cited.value("approval.reason")),
        }
        for cited in records.acts
    ]


def done(cited: CitedRecord, reason: Any) -> dict[str, Any]:
    """Return who did what a record says, when and why, and the record."""
    return {
        "index": cited.index,
        "time": cited.audit["clocks"]["notary"],
        "actor": cited.audit["actor"]["id"],
        "assurance": cited.audit["actor"]["assurance"],
        "reason": reason,
        "record": cited.record,
    }


def data(records: VersionRecords) -> list[dict[str, Any]]:
    """Return what each ingestion behind the version says: card, files, rows, what was left out."""
    return [
        {
            "index": cited.index,
            "record": cited.record,
            "card": _card(cited),
            "files": list(_files(cited)),
            "rows": list(_counts(cited)),
            "dropped": cited.value("audit.facts.dropped") or [],
        }
        for cited in records.kinds.get(INGESTING, ())
    ]


def _card(cited: CitedRecord) -> dict[str, str]:
    card = cited.value("audit.settings.card") or {}
    return {name.replace("_", " "): one_line(value) for name, value in card.items()}


def _files(cited: CitedRecord) -> Iterator[dict[str, Any]]:
    """Yield the source's files; an ingestion that only counts them says no more of each."""
    for file in cited.value("audit.facts.source.files") or ():
        said: Mapping[str, Any] = file if isinstance(file, Mapping) else {"location": file}
        yield {
            "location": said["location"],
            "bytes": said.get("bytes"),
            "sha256": said.get("sha256"),
        }


def _counts(cited: CitedRecord) -> Iterator[tuple[str, str]]:
    """Yield (what, how many) of rows, and the spans of each split."""
    if (rows := cited.value("audit.facts.rows")) is not None:
        yield "examples", f"{rows:,}"
    for split, count in (cited.value("audit.facts.rows_by_split") or {}).items():
        yield f"rows of {split}", f"{count:,}"
    for split, spans in (cited.value("audit.facts.splits") or {}).items():
        yield f"spans of {split}", ", ".join(map(str, spans))


MADE_WITH = (
    ("commit of the code", "audit.run.code.commit"),
    ("uncommitted changes", "audit.run.code.dirty"),
    ("modules of the training, sha256", "audit.code_sha256"),
    ("compiled pipeline, sha256", "audit.run.ir_sha256"),
    ("settings of the run, sha256", "audit.run.settings_sha256"),
    ("lock", "audit.environment.lock"),
    ("lock, sha256", "audit.environment.lock_sha256"),
    ("Python", "audit.environment.python"),
    ("platform", "audit.environment.platform"),
    ("image", "audit.environment.image"),
    ("processor", "audit.environment.cpu"),
    ("processors", "audit.environment.cpus"),
    ("memory", "audit.environment.memory"),
    ("GPUs", "audit.environment.gpus"),
    ("device", "audit.facts.device"),
    ("seed", "audit.facts.seed"),
    ("determinism", "audit.facts.determinism"),
    ("threads", "audit.facts.threads"),
    ("resources", "audit.resources"),
    ("weights, sha256", "audit.facts.weights_sha256"),
)


def environment(records: VersionRecords) -> list[dict[str, Any]]:
    """Return what the version's training was made with, each with the record that says so."""
    (training,) = records.kinds[TRAINING]
    found = ((what, training.value(path)) for what, path in MADE_WITH)
    return [
        {"what": what, "value": short(value), "index": training.index}
        for what, value in found
        if value is not None
    ]


def reproduction(records: VersionRecords, again: str) -> list[str]:
    """Return what to type to make the run again, in a checkout, `again` last; else nothing."""
    (training,) = records.kinds[TRAINING]
    lock = training.value("audit.environment.lock")
    if not (commit := training.value("audit.run.code.commit")):
        return []
    return [
        f"git checkout {commit}",
        *([f"sha256sum {LOCKS}/{lock}"] if lock else []),
        "make setup",
        again,
    ]


def repeats(records: VersionRecords) -> list[dict[str, Any]]:
    """Return the digests that come out again on the same kind of processor."""
    found = []
    for name, stage in REPEATS.items():
        for cited in records.kinds.get(stage, ()):
            if sha256 := cited.value("subject").get(name):
                found.append({"name": name, "sha256": sha256, "index": cited.index})
    return found


def settings(records: VersionRecords) -> dict[str, Any]:
    """Return the settings of every stage, as its record of work has them in full."""
    return {cited.stage: cited.audit["settings"] for cited in records.works}


def registration(records: VersionRecords) -> CitedRecord:
    """Return the record of the version's registration."""
    return records.kinds[REGISTERING][-1]
