"""OpenLineage events made from the log's records, so that a catalogue can draw the lineage.

Rules: an event says nothing that its record does not say, and its facet `tandem_audit` cites that
record; START, COMPLETE, FAIL and ABORT are what they are there, and CACHED, which has no START, is
a START and a COMPLETE of one moment, because OpenLineage asks for both; a run of OpenLineage is one
attempt of a stage, its parent the pipeline's run; identifiers are made from names alone, so that
the same records give the same events. What people did to versions is no job and gives no event, nor
does what was imported, of which others told. Artifacts are datasets of one name in each use case,
told apart by the facet `version`, a sha256. The events are those of openlineage-python, which
writes them as the specification 2-0-2 asks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import attr
from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    RunFacet,
    data_quality_assertions_dataset,
    dataset_version_dataset,
    error_message_run,
    parent_run,
)

from components.audit.answers import AUDIT, CLOSED_EVENTS, DONE_EVENTS, RecordView
from components.audit.predicates import NAMESPACE, released_versions
from components.audit.verified_log import Statement, VerifiedLog
from components.core.stage_names import REGISTERING

PRODUCER = f"{NAMESPACE}/openlineage/v1"
DEFAULT_NAMESPACE = "tandem"


@attr.define
class RecordFacet(RunFacet):
    """Which record an event was made from, and what the attempt took."""

    index: int
    record: str
    event: str
    run: str
    resources: dict[str, Any]

    @staticmethod
    def _get_schema() -> str:
        return f"{PRODUCER}/audit-run-facet"


def events(
    log: VerifiedLog, views: Iterable[RecordView], namespace: str = DEFAULT_NAMESPACE
) -> Iterator[RunEvent]:
    """Yield the events of records of a log, in their order; each record is verified first."""
    wanted = [view for view in views if view.event not in CLOSED_EVENTS]
    log.require_signed(wanted)
    for view in wanted:
        statement = log.statement(view.record)
        types = ("START", "COMPLETE") if view.event == "CACHED" else (view.event,)
        done = "COMPLETE" if view.event in DONE_EVENTS else view.event
        for kind in types:
            yield _event(view, statement, kind if len(types) > 1 else done, namespace)


def _event(view: RecordView, statement: Statement, kind: str, namespace: str) -> RunEvent:
    audit = statement["predicate"][AUDIT]
    use_case = str(audit["run"].get("name") or view.run)
    place = f"{namespace}/{view.run}"
    ended = kind != "START"
    facets = _run_facets(view, _uuid(place), Job(namespace, use_case), ended=ended)
    return RunEvent(
        eventType=RunState[kind],
        eventTime=view.time,
        producer=PRODUCER,
        job=Job(namespace, f"{use_case}.{view.stage}"),
        run=Run(_uuid(f"{place}/{view.stage}/{view.attempt}"), facets),
        inputs=list(_inputs(audit, namespace, use_case, ended=ended)),
        outputs=list(_outputs(view, namespace, use_case)) if ended else [],
    )


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{name}"))


def _run_facets(view: RecordView, parent: str, job: Job, *, ended: bool) -> dict[str, RunFacet]:
    of_pipeline = parent_run.Job(job.namespace, job.name)
    facets: dict[str, RunFacet] = {
        "parent": parent_run.ParentRunFacet(parent_run.Run(parent), of_pipeline, producer=PRODUCER),
        "tandem_audit": RecordFacet(
            view.index, view.record, view.event, view.run, dict(view.resources), producer=PRODUCER
        ),
    }
    if ended and view.cause is not None:
        message = f"{view.cause['kind']}: {view.cause['message']}"
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message, "Python", producer=PRODUCER
        )
    return facets


def _inputs(
    audit: Mapping[str, Any], namespace: str, use_case: str, *, ended: bool
) -> Iterator[InputDataset]:
    """Yield what an attempt took; the first input bears the gates that were judged on it."""
    gates = [_assertion(gate) for gate in audit["gates"]] if ended else []
    for number, item in enumerate(audit["inputs"]):
        found = _dataset(namespace, f"{use_case}.{item['name']}", item["sha256"])
        if gates and number == 0:
            found["inputFacets"] = {
                "dataQualityAssertions": (
                    data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                        gates, producer=PRODUCER
                    )
                )
            }
        yield InputDataset(**found)
    yield from _sources(audit["facts"]) if ended else ()


def _sources(facts: Mapping[str, Any]) -> Iterator[InputDataset]:
    """Yield the files that an ingestion read, named as OpenLineage names stored files."""
    source = facts.get("source")
    for file in source.get("files", ()) if isinstance(source, Mapping) else ():
        if isinstance(file, Mapping) and file.get("location"):
            url = urlsplit(str(file["location"]))
            place = f"{url.scheme}://{url.netloc}" if url.scheme else "file"
            name = url.path.lstrip("/") if url.scheme else str(file["location"])
            yield InputDataset(**_dataset(place, name, str(file.get("sha256", ""))))


def _outputs(view: RecordView, namespace: str, use_case: str) -> Iterator[OutputDataset]:
    """Yield what an attempt made, registered versions as models of the registry."""
    for name, sha256 in view.outputs.items():
        yield OutputDataset(**_dataset(namespace, f"{use_case}.{name}", sha256))
    if view.stage == REGISTERING and view.event in DONE_EVENTS:
        model = str(view.facts.get("model_name"))
        for release in released_versions(view.facts).values():
            name = f"{model}@{release.get('version')}"
            found = _dataset("mlflow", name, str(release.get("bundle_sha256", "")))
            yield OutputDataset(**found)


def _dataset(namespace: str, name: str, sha256: str) -> dict[str, Any]:
    """Return the fields of a dataset, its digest as the version."""
    version = dataset_version_dataset.DatasetVersionDatasetFacet(
        f"sha256:{sha256}", producer=PRODUCER
    )
    facets = {"version": version} if sha256 else {}
    return {"namespace": namespace, "name": name, "facets": facets}


def _assertion(gate: Mapping[str, Any]) -> Any:
    of = f" ({gate['slice']})" if gate.get("slice") else ""
    return data_quality_assertions_dataset.Assertion(
        assertion=f"{gate['metric']} {gate['operator']} {gate['threshold']}",
        success=gate["passed"],
        name=f"{gate['name']}{of}",
        severity="warn" if "waived_by" in gate else "error",
        expected=f"{gate['operator']} {gate['threshold']}",
        actual=str(gate["value"]),
    )
