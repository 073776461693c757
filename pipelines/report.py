"""Write a run's report: one static page with the verdict first and the evidence below.

Rules: no script, no network, nothing but the run's own folder is read; every text that comes from
data, settings or errors is escaped (jinja2's autoescape; an undefined name is an error, not a
blank); a part that the run did not reach is left out, and what is damaged stops the page with the
file's name. The page is not evidence: it says how to verify what is.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2

from components.core.artifacts import read_json, write_text
from components.core.errors import GateError, PlatformError
from components.core.measures import MORE_IS_BETTER, measures_of, words
from pipelines import commands
from pipelines.dag_picture import BOX_HEIGHT, BOX_WIDTH, draw
from pipelines.evaluation_pictures import (
    BAR_HEIGHT,
    BAR_WIDTH,
    MARGIN,
    SIDE,
    charts,
    classes,
    comparison,
    criteria,
    fairness,
    robustness,
    slices,
    stock,
)
from pipelines.home import Home
from pipelines.runners.ir import read_pipeline
from pipelines.runners.results import RunState, TaskResult, TaskState
from pipelines.runs import RECORDS_FILE, RecordedRun
from pipelines.summary import (
    OVERALL,
    RunSummary,
    forms_of,
    milliseconds_text,
    read_summary,
    seconds_text,
    size_text,
    table_cells,
    table_rows,
)

TEMPLATE = "report.html.jinja"
PAGE = "report.html"
REGISTERING = "register-models"
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
    path, page = run.folder / PAGE, render(run, home)
    try:
        write_text(path, page)
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be written: {error.strerror}",
            remedy="free disk space or fix permissions, "
            "or copy the state folder and name the copy with --home",
        ) from error
    return path


def render(run: RecordedRun, home: Home) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"seconds": seconds_text, "size": size_text, "number": _number}
    return environment.get_template(TEMPLATE).render(_context(run, home))


def _context(run: RecordedRun, home: Home) -> dict[str, Any]:
    summary = read_summary(run)
    records = _records(run.folder)
    picture = draw(read_pipeline(run.folder / "pipeline.yaml"))
    return {
        "run": run,
        "identity": run.identity,
        "verdict": verdict(run, summary),
        "decision": summary.decision,
        "errors": [(name, task.error) for name, task in run.tasks.items() if task.error],
        "rows": list(zip(table_rows(summary), *map(table_cells, summary.models), strict=True)),
        "frameworks": [model.framework for model in summary.models],
        "comparison": comparison(summary.evaluation or {}),
        **_pictures(summary),
        "gates": list(_gates(run, summary, records)),
        "examples": run.document("ingest-examples", "examples", "manifest.json"),
        "forms": list(_forms(summary)),
        "searches": list(_searches(records)),
        "machine": (summary.measurements or {}).get("machine"),
        "picture": picture,
        "box": {"width": BOX_WIDTH, "height": BOX_HEIGHT},
        "tasks": {box.task: run.tasks.get(box.task, TaskResult()) for box in picture.boxes},
        "records": records,
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


def _forms(summary: RunSummary) -> Iterator[tuple[str, ...]]:
    """Yield a row of the table of forms for each that was measured."""
    for model in (summary.measurements or {}).get("models", {}):
        for name, form in forms_of(summary.measurements or {}, model).items():
            yield _form_cells(model, name, form)
            if "from_features" in form:
                yield _form_cells(model, f"{name}, from features on", form["from_features"])


def _form_cells(model: str, name: str, form: Mapping[str, Any]) -> tuple[str, ...]:
    one_row, per_second = form["one_row_ms"], form.get("rows_per_second")
    return (
        model,
        name,
        *(milliseconds_text(one_row.get(percentile)) for percentile in ("p50", "p95", "p99")),
        f"{per_second:,.0f} ({form['batch_rows']})" if per_second else "-",
        size_text(form.get("size_bytes")),
        milliseconds_text(form.get("load_ms")),
    )


def _searches(records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each search of the run's trainers: its settings' names and a row for each trial."""
    for view in records:
        search = view.get("facts", {}).get("search")
        if search and view["event"] == "COMPLETE":
            names = list(search["trials"][0]["values"])
            rows = [
                (number, *(trial["values"][name] for name in names), _loss_text(trial))
                for number, trial in enumerate(search["trials"], start=1)
            ]
            yield {
                "stage": view["stage"],
                "names": names,
                "rows": rows,
                "best": search["best_trial"],
            }


def _loss_text(trial: Mapping[str, Any]) -> str:
    if "failed" in trial:
        return f"failed: {trial['failed']}"
    return f"{trial['validation_loss']:.6g}"


def _pictures(summary: RunSummary) -> dict[str, Any]:
    """Return what report_evaluation.html.jinja shows of the evaluation and the decision."""
    evaluation, decision = summary.evaluation or {}, summary.decision or {}
    return {
        "criteria": list(criteria(decision)),
        "charts": list(charts(evaluation)),
        "slices": slices(evaluation),
        "quality": words(measures_of(evaluation).primary),
        "more_is_better": measures_of(evaluation).primary in MORE_IS_BETTER,
        "classes": list(classes(evaluation)),
        "stock": list(stock(evaluation)),
        "fairness": list(fairness(evaluation)),
        "robustness": robustness(evaluation),
        "side": SIDE,
        "margin": MARGIN,
        "bar_width": BAR_WIDTH,
        "bar_height": BAR_HEIGHT,
    }


def _gates(
    run: RecordedRun, summary: RunSummary, records: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield every gate with what it judges; a stage that failed has its gates in its record."""
    validation = run.document("validate-examples", "validation", "validation.json") or {}
    failures = [view for view in records if view["event"] == "FAIL"]
    judged = {"data": validation.get("gates", []), **(summary.decision or {}).get("gates", {})}
    judged |= {view["stage"]: view["gates"] for view in failures}
    waivers = [validation, *(view.get("facts", {}) for view in failures)]
    said = {item["sha256"]: item for place in waivers for item in place.get("waivers", ())}
    for subject, gates in judged.items():
        for gate in gates:
            defaults = {"interval": None, "slice": OVERALL, "waived_by": None}
            waiver = _waiver_words(said.get(gate.get("waived_by"), {}))
            yield {"subject": subject, "waiver": waiver, **defaults, **gate}


def _waiver_words(waiver: Mapping[str, Any]) -> str:
    """Return until when, by whose key and why a gate is waived; nothing of what is not known."""
    if "reason" not in waiver:
        return ""
    return f" until {waiver['until']} with key {waiver['keyid'][:12]}: {waiver['reason']}"


def _number(value: Any) -> str:
    """Return a gate's number with six digits that count; None was not computable."""
    return "not computable" if value is None else f"{value:.6g}"


def _records(folder: Path) -> list[dict[str, Any]]:
    path = folder / RECORDS_FILE
    return list(read_json(path)["records"]) if path.is_file() else []


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
        **read_summary(run).to_dict(),
    }
