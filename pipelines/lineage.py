"""A run's lineage: from the spans of data through every artifact to the registered versions.

Rules: an artifact is what a record of the run says it is, and where the run's folder names another
digest that is said; what came from the cache names the record of the work; an artifact that the run
did not reach is left out. The audit log proves it: this is read from the run's folder alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.audit.answers import DONE_EVENTS
from components.core.data_settings import ONLY_SPAN
from components.core.stage_names import INGESTING, REGISTERING
from pipelines.dag_picture import Picture, place
from pipelines.runners.ir import Pipeline
from pipelines.runners.results import OutputRef
from pipelines.runners.tasks import Task
from pipelines.runs import RecordedRun

SOURCE, CHAMPION = "source", "champion"
# What comes from outside the pipeline, by the stage that takes it.
OUTSIDE = {INGESTING: SOURCE, "evaluate_models": CHAMPION}


@dataclass(frozen=True)
class Link:
    """One artifact, source or version, and what it was made from, by name.

    `record` and `record_id` are of the run's own record, `origin` is the record of the work where
    the cache answered, `recorded` the record's digest where it is another.
    """

    name: str
    what: str
    made_from: tuple[str, ...]
    sha256: str = ""
    record: str = ""
    record_id: str = ""
    origin: str = ""
    recorded: str = ""


Records = Sequence[Mapping[str, Any]]


def lineage(
    run: RecordedRun, pipeline: Pipeline, records: Records, champion: Mapping[str, Any]
) -> list[Link]:
    """Return the links, each after those that it was made from."""
    done = {view["stage"]: view for view in records if view["event"] in DONE_EVENTS}
    links = [*_source(run), *_champion(champion)]
    for name, task in pipeline.tasks.items():
        for output, ref in (run.tasks[name].outputs if name in run.tasks else {}).items():
            links.append(_artifact(task, output, ref, done.get(task.stage, {}), links))
    return [*links, *_versions(run, done.get(REGISTERING, {}))]


def picture(links: Sequence[Link]) -> Picture:
    """Draw the links; those that are made from as many steps stand below each other."""
    depth: dict[str, int] = {}
    for link in links:
        depth[link.name] = 1 + max((depth.get(name, -1) for name in link.made_from), default=-1)
    columns = [
        [name for name, column in depth.items() if column == number]
        for number in range(max(depth.values(), default=-1) + 1)
    ]
    return place(columns, {link.name: set(link.made_from) for link in links})


def _source(run: RecordedRun) -> Iterator[Link]:
    """Yield where the examples came from: which spans of how many files."""
    manifest = run.document("ingest-examples", "examples", "manifest.json")
    if manifest:
        spans = sorted({span for spans in manifest["splits"].values() for span in spans})
        files = len(manifest["source"]["files"])
        counted = f"{files} file{'s' if files != 1 else ''}, listed under Data"
        yield Link(SOURCE, f"{_spans_text(spans)}{counted}", ())


def _spans_text(spans: Sequence[str]) -> str:
    named = [span for span in spans if span != ONLY_SPAN]
    return f"spans {named[0]} to {named[-1]} of " if named else ""


def _champion(champion: Mapping[str, Any]) -> Iterator[Link]:
    if champion:
        yield Link(CHAMPION, f"version {champion['version']}", (), champion["bundle_sha256"])


def _artifact(
    task: Task, output: str, ref: OutputRef, view: Mapping[str, Any], before: Iterable[Link]
) -> Link:
    """Return an output's link; what stands outside the pipeline feeds the stages that take it."""
    known = {link.name for link in before}
    outside = [name for name in (OUTSIDE.get(task.stage, ""),) if name in known]
    recorded = view.get("outputs", {}).get(output, "")
    return Link(
        name=output,
        what=task.stage,
        made_from=(*outside, *sorted(source.output for source in task.artifacts.values())),
        sha256=ref.sha256,
        record=view.get("record", ""),
        record_id=view.get("record_id", ""),
        origin=view.get("facts", {}).get("origin", {}).get(output, ""),
        recorded=recorded if recorded and recorded != ref.sha256 else "",
    )


def _versions(run: RecordedRun, view: Mapping[str, Any]) -> Iterator[Link]:
    """Yield the registered versions, the candidate first."""
    found = run.document("register-models", "registration", "registration.json") or {}
    for role in ("candidate", "challenger"):
        if version := found.get(role):
            bundle = f"{version['framework']}_model"
            yield Link(
                name=f"{found['model_name']}@{version['version']}",
                what=f"{role}, in the registry",
                made_from=(bundle, "registration"),
                sha256=version.get("bundle_sha256", ""),
                record=view.get("record", ""),
                record_id=view.get("record_id", ""),
            )
