"""Write a run's report: one static page with the verdict first and the evidence below.

Rules: no script, no network, nothing but the run's own folder is read; every text that comes from
data, settings or errors is escaped (page.py); a part that the run did not reach is left out, and
what is damaged stops the page with the file's name. The page is not evidence: it says how to verify
what is.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.core.errors import GateError
from components.core.measures import MORE_IS_BETTER, measures_of, words
from components.core.prices import total
from pipelines import commands, drift_picture, latency_picture, lineage
from pipelines.costs import cost_of_run, costs_by_task, records_beside
from pipelines.curve_pictures import MARGIN, SIDE, charts
from pipelines.dag_picture import BOX_HEIGHT, BOX_WIDTH, draw
from pipelines.evaluation_tables import (
    classes,
    comparison,
    criteria,
    fairness,
    robustness,
    stock,
)
from pipelines.home import Home
from pipelines.latency_picture import latency
from pipelines.page import render_page, write_page
from pipelines.report_gates import gates
from pipelines.reproduction import reproduction
from pipelines.runners.ir import Pipeline, read_pipeline
from pipelines.runners.results import RunState, TaskResult, TaskState
from pipelines.runs import RecordedRun
from pipelines.slice_pictures import BAR_WIDTH, slice_tables
from pipelines.start import IR_FILE, read_arguments
from pipelines.summary import (
    RunSummary,
    read_summary,
    table_cells,
    table_rows,
)
from pipelines.training_pictures import BELOW, HEIGHT, LEFT, WIDTH, loss_charts, searches

TEMPLATE = "report.html.jinja"
PAGE = "report.html"
REGISTERING = "register-models"
STATISTICS_PAGE = "statistics.html"
LOSS_BOX = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "below": BELOW}
VERDICTS = {
    "SUCCEEDED": "A candidate was registered",
    "FAILED": "The run failed",
    "STOPPED": "The run was stopped",
    "INTERRUPTED": "The run was interrupted: it can be resumed",
}


def write_report(run: RecordedRun, home: Home) -> Path:
    """Write the page into the run's folder and return its path.

    Raises PlatformError where the folder does not take it.
    """
    remedy = (
        "free disk space or fix permissions, or copy the state folder and name the copy with --home"
    )
    return write_page(run.folder / PAGE, render(run, home), remedy)


def render(run: RecordedRun, home: Home) -> str:
    """Return the page."""
    return render_page(TEMPLATE, _context(run, home))


def _context(run: RecordedRun, home: Home) -> dict[str, Any]:
    summary = read_summary(run)
    records = records_beside(run.folder)
    costs = costs_by_task(records)
    judged = list(gates(run, summary, records))
    pipeline = read_pipeline(run.folder / IR_FILE)
    picture, arguments = draw(pipeline), read_arguments(run.folder)
    return {
        "run": run,
        "identity": run.identity,
        "verdict": verdict(run, summary),
        "decision": summary.decision,
        "errors": [(name, task.error) for name, task in run.tasks.items() if task.error],
        "rows": list(zip(table_rows(summary), *map(table_cells, summary.beside), strict=True)),
        "beside": [model.framework for model in summary.beside],
        "frameworks": [model.framework for model in summary.models],
        "comparison": comparison(summary.evaluation or {}),
        **_pictures(summary, arguments.get("policy", {})),
        **_data(run, judged),
        **_lineage(run, pipeline, records, arguments.get("champion", {})),
        "gates": judged,
        "reproduction": reproduction(run),
        "latency": latency(summary.measurements or {}),
        "line": {"width": latency_picture.WIDTH, "height": latency_picture.HEIGHT},
        "loss_charts": list(loss_charts(records)),
        "loss_box": LOSS_BOX,
        "searches": list(searches(records)),
        "machine": (summary.measurements or {}).get("machine"),
        "picture": picture,
        "box": {"width": BOX_WIDTH, "height": BOX_HEIGHT},
        "tasks": {box.task: run.tasks.get(box.task, TaskResult()) for box in picture.boxes},
        "records": records,
        "costs": costs,
        "cost": total(costs.values()),
        "model_versions": _versions(summary),
        "home": shlex.quote(str(home.folder)),
        "tandem": commands.program("tandem"),
        "registry": commands.registry(home) if summary.registration else None,
    }


def verdict(run: RecordedRun, summary: RunSummary) -> str:
    """Return what became of the run in one sentence."""
    text = VERDICTS.get(run.state, run.state)
    if run.state not in (RunState.FAILED, RunState.STOPPED):
        return text
    if run.result.exit_code == GateError.exit_code:
        text = "A gate stopped the run"
    return f"{text}{_registered(run, summary)}"


def _registered(run: RecordedRun, summary: RunSummary) -> str:
    """Return the end of the sentence on a run that did not end well."""
    task = run.tasks.get(REGISTERING, TaskResult())
    if summary.registration or task.state.is_good:
        return " after a candidate was registered"
    if task.state in (TaskState.FAILED, TaskState.CANCELLED) and task.attempts:
        return ": the registration did not finish"
    return ": nothing was registered"


def _pictures(summary: RunSummary, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what report_evaluation.html.jinja shows of the evaluation and the decision."""
    evaluation, decision = summary.evaluation or {}, summary.decision or {}
    return {
        "criteria": list(criteria(decision)),
        "charts": list(charts(evaluation)),
        "slices": list(slice_tables(evaluation, policy)),
        "quality": words(measures_of(evaluation).primary),
        "more_is_better": measures_of(evaluation).primary in MORE_IS_BETTER,
        "classes": list(classes(evaluation)),
        "stock": list(stock(evaluation)),
        "fairness": list(fairness(evaluation)),
        "robustness": robustness(evaluation),
        "side": SIDE,
        "margin": MARGIN,
        "bar_width": BAR_WIDTH,
    }


def _data(run: RecordedRun, judged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what report_data.html.jinja shows of the examples and of how far they moved."""
    drift = run.document("validate-examples", "statistics", "drift.json")
    statistics = run.tasks.get("validate-examples", TaskResult()).outputs.get("statistics")
    page = f"{statistics.path}/{STATISTICS_PAGE}" if statistics else ""
    return {
        "examples": run.document("ingest-examples", "examples", "manifest.json"),
        "drift": drift_picture.rows(judged, drift),
        "drift_box": {"width": drift_picture.WIDTH, "height": drift_picture.HEIGHT},
        "spans": (drift or {}).get("spans", ()),
        "statistics_page": page if (run.folder / page).is_file() else "",
    }


def _lineage(
    run: RecordedRun,
    pipeline: Pipeline,
    records: Sequence[Mapping[str, Any]],
    champion: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what report_lineage.html.jinja shows of the way from the data to the versions."""
    links = lineage.lineage(run, pipeline, records, champion)
    return {"links": {link.name: link for link in links}, "way": lineage.picture(links)}


def _versions(summary: RunSummary) -> list[str]:
    """Return MODEL@VERSION of what the run registered."""
    if not summary.registration:
        return []
    name = summary.registration.get("model_name", "")
    return [f"{name}@{model.version}" for model in summary.models if model.version]


def summary_dict(run: RecordedRun) -> dict[str, Any]:
    """Return what `tandem runs show --json` shows of a run."""
    return {
        "run": dict(run.identity),
        "state": run.state,
        "exit_code": run.result.exit_code,
        "seconds": run.seconds,
        "folder": str(run.folder),
        "tasks": {name: asdict(task) for name, task in run.tasks.items()},
        "cost": cost_of_run(run.folder),
        **read_summary(run).to_dict(),
    }
