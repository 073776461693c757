"""OpenLineage events made from the log's records, so that a catalogue can draw the lineage.

Rules: an event says nothing that its record does not say, and its facet `tandem_audit` cites that
record; START, COMPLETE, FAIL and ABORT are what they are there, and CACHED, which has no START, is
a START and a COMPLETE of one moment, because OpenLineage asks for both; a run of OpenLineage is one
attempt of a stage, its parent the pipeline's run; identifiers are made from names alone, so that
the same records give the same events. What people did to versions is no job and gives no event.
Artifacts are datasets of one name in each use case, told apart by the facet `version`, a sha256.
The form is that of the specification 2-0-2 (openlineage.io/spec), written here as plain JSON: see
docs/adr/0019.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from components.audit.answers import ACT, AUDIT, DONE_EVENTS, RecordView
from components.audit.predicates import NAMESPACE, released_versions
from components.audit.verified_log import Statement, VerifiedLog

SPEC = "https://openlineage.io/spec"
PRODUCER = f"{NAMESPACE}/openlineage/v1"
DEFAULT_NAMESPACE = "tandem"
EVENT_SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "parent": f"{SPEC}/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
    "errorMessage": f"{SPEC}/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
    "version": f"{SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json"
    "#/$defs/DatasetVersionDatasetFacet",
    "dataQualityAssertions": f"{SPEC}/facets/1-1-0/DataQualityAssertionsDatasetFacet.json"
    "#/$defs/DataQualityAssertionsDatasetFacet",
    "tandem_audit": f"{NAMESPACE}/openlineage/v1/audit-run-facet",
}
Event = dict[str, Any]


def events(
    log: VerifiedLog, views: Iterable[RecordView], namespace: str = DEFAULT_NAMESPACE
) -> Iterator[Event]:
    """Yield the events of records of a log, in their order; each record is verified first."""
    wanted = [view for view in views if view.event != ACT]
    log.require_signed(wanted)
    for view in wanted:
        statement = log.statement(view.record)
        types = ("START", "COMPLETE") if view.event == "CACHED" else (view.event,)
        done = "COMPLETE" if view.event in DONE_EVENTS else view.event
        for kind in types:
            yield _event(view, statement, kind if len(types) > 1 else done, namespace)


def _event(view: RecordView, statement: Statement, kind: str, namespace: str) -> Event:
    audit = statement["predicate"][AUDIT]
    use_case = str(audit["run"].get("name") or view.run)
    place = f"{namespace}/{view.run}"
    ended = kind != "START"
    return {
        "eventType": kind,
        "eventTime": view.time,
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "job": {"namespace": namespace, "name": f"{use_case}.{view.stage}"},
        "run": {
            "runId": _uuid(f"{place}/{view.stage}/{view.attempt}"),
            "facets": _run_facets(view, _uuid(place), namespace, use_case, ended=ended),
        },
        "inputs": list(_inputs(audit, namespace, use_case, ended=ended)),
        "outputs": list(_outputs(view, namespace, use_case)) if ended else [],
    }


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{name}"))


def _facet(name: str, **fields: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": _FACETS[name], **fields}


def _run_facets(
    view: RecordView, parent: str, namespace: str, use_case: str, *, ended: bool
) -> dict[str, Any]:
    job = {"namespace": namespace, "name": use_case}
    cited = {"index": view.index, "record": view.record, "event": view.event, "run": view.run}
    facets = {
        "parent": _facet("parent", run={"runId": parent}, job=job),
        "tandem_audit": _facet("tandem_audit", **cited, resources=dict(view.resources)),
    }
    if ended and view.cause is not None:
        message = f"{view.cause['kind']}: {view.cause['message']}"
        facets["errorMessage"] = _facet(
            "errorMessage", message=message, programmingLanguage="Python"
        )
    return facets


def _inputs(
    audit: Mapping[str, Any], namespace: str, use_case: str, *, ended: bool
) -> Iterator[Event]:
    """Yield what an attempt took; the first input bears the gates that were judged on it."""
    gates = [_assertion(gate) for gate in audit["gates"]] if ended else []
    for number, item in enumerate(audit["inputs"]):
        dataset = _dataset(namespace, f"{use_case}.{item['name']}", item["sha256"])
        if gates and number == 0:
            facet = _facet("dataQualityAssertions", assertions=gates)
            dataset["inputFacets"] = {"dataQualityAssertions": facet}
        yield dataset
    yield from _sources(audit["facts"]) if ended else ()


def _sources(facts: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the files that an ingestion read, named as OpenLineage names stored files."""
    source = facts.get("source")
    for file in source.get("files", ()) if isinstance(source, Mapping) else ():
        if isinstance(file, Mapping) and file.get("location"):
            url = urlsplit(str(file["location"]))
            place = f"{url.scheme}://{url.netloc}" if url.scheme else "file"
            name = url.path.lstrip("/") if url.scheme else str(file["location"])
            yield _dataset(place, name, str(file.get("sha256", "")))


def _outputs(view: RecordView, namespace: str, use_case: str) -> Iterator[Event]:
    """Yield what an attempt made, registered versions as models of the registry."""
    for name, sha256 in view.outputs.items():
        yield _dataset(namespace, f"{use_case}.{name}", sha256)
    if view.stage == "register_models" and view.event in DONE_EVENTS:
        model = str(view.facts.get("model_name"))
        for release in released_versions(view.facts).values():
            name = f"{model}@{release.get('version')}"
            yield _dataset("mlflow", name, str(release.get("bundle_sha256", "")))


def _dataset(namespace: str, name: str, sha256: str) -> Event:
    facets = {"version": _facet("version", datasetVersion=f"sha256:{sha256}")} if sha256 else {}
    return {"namespace": namespace, "name": name, "facets": facets}


def _assertion(gate: Mapping[str, Any]) -> dict[str, Any]:
    of = f" ({gate['slice']})" if gate.get("slice") else ""
    compared = f"{gate['metric']} {gate['operator']} {gate['threshold']}"
    return {
        "assertion": compared,
        "name": f"{gate['name']}{of}",
        "success": gate["passed"],
        "severity": "warn" if "waived_by" in gate else "error",
        "expected": f"{gate['operator']} {gate['threshold']}",
        "actual": str(gate["value"]),
    }
