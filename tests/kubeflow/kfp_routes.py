"""What the API server does at each path; kfp_server.py says what it is taken from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import kfp_lists as lists
import kfp_server_api as api
from kfp_calls import Call
from kfp_wire import Refusal, parsed, written

V2 = "/apis/v2beta1"


def _healthz(call: Call) -> Any:
    return api.V2beta1GetHealthzResponse(multi_user=call.server.multi_user or None)


def _upload(call: Call) -> Any:
    text, name = call.upload()
    try:
        namespace = call.allow(call.query.get("namespace", ""))
    except Refusal as refusal:
        raise Refusal(400, refusal.message) from None
    return call.server.store.upload(namespace, name, text, call.query.get("description", ""))


def _upload_version(call: Call) -> Any:
    text, name = call.upload()
    key = call.query.get("pipelineid", "")
    return call.server.store.upload_version(key, name, text, call.query.get("description", ""))


def _in_namespace(call: Call, kind: dict[str, Any]) -> list[Any]:
    """Return what is of the namespace that a list asks for, or of its experiment."""
    store, experiment = call.server.store, call.query.get("experiment_id", "")
    asked = call.query.get("namespace", "")
    if experiment:
        store.one(store.experiments, experiment, "Experiment")
        asked = store.namespaces[experiment]
    namespace = call.allow(asked)
    found = [one for key, one in kind.items() if store.namespaces[key] == namespace]
    return [one for one in found if not experiment or one.experiment_id == experiment]


def _pipelines(call: Call) -> Any:
    found = _in_namespace(call, call.server.store.pipelines)
    return call.page(found, lists.PIPELINE_KEYS, api.V2beta1ListPipelinesResponse, "pipelines")


def _pipeline(call: Call, key: str) -> Any:
    return call.allow_one(key, call.server.store.pipelines, "Pipeline")


def _versions(call: Call, key: str) -> Any:
    _pipeline(call, key)
    found = [one for one in call.server.store.versions.values() if one.pipeline_id == key]
    return call.page(
        found, lists.VERSION_KEYS, api.V2beta1ListPipelineVersionsResponse, "pipeline_versions"
    )


def _version(call: Call, key: str, version: str) -> Any:
    _pipeline(call, key)
    return call.server.store.one(call.server.store.versions, version, "PipelineVersion")


def _experiments(call: Call) -> Any:
    if call.method == "POST":
        asked = parsed("V2beta1Experiment", call.body)
        return call.server.store.create_experiment(call.allow(asked.namespace or ""), asked)
    found = _in_namespace(call, call.server.store.experiments)
    answer = api.V2beta1ListExperimentsResponse
    return call.page(found, lists.EXPERIMENT_KEYS, answer, "experiments")


def _experiment(call: Call, key: str) -> Any:
    found = call.allow_one(key, call.server.store.experiments, "Experiment")
    if call.method == "DELETE":  # what is in it stays, as there
        del call.server.store.experiments[key]
        return {}
    return found


def _runs(call: Call) -> Any:
    store = call.server.store
    if call.method == "POST":
        asked = parsed("V2beta1Run", call.body)
        _experiment(call, asked.experiment_id or "")
        return store.create_run(asked)
    return call.page(
        _in_namespace(call, store.runs), lists.RUN_KEYS, api.V2beta1ListRunsResponse, "runs"
    )


def _run(call: Call, key: str) -> Any:
    found = call.allow_one(key, call.server.store.runs, "Run")
    if call.method == "DELETE":
        del call.server.store.runs[key]
        return {}
    return found


def _act_on_run(call: Call, key: str, act: str) -> Any:
    found, store = call.allow_one(key, call.server.store.runs, "Run"), call.server.store
    if act in ("archive", "unarchive"):
        found.storage_state = "ARCHIVED" if act == "archive" else "AVAILABLE"
    else:
        {"retry": store.retry, "terminate": store.terminate}[act](key)
    return {}


def _log(call: Call, key: str, pod: str) -> Any:
    call.allow_one(key, call.server.store.runs, "Run")
    if pod not in call.server.store.logs:
        raise Refusal(500, f'error in retrieving log: pods "{pod}" not found')
    return call.server.store.logs[pod]


def _recurring_runs(call: Call) -> Any:
    store = call.server.store
    if call.method == "POST":
        asked = parsed("V2beta1RecurringRun", call.body)
        _experiment(call, asked.experiment_id or "")
        return store.create_recurring(asked)
    found = _in_namespace(call, store.recurring)
    answer = api.V2beta1ListRecurringRunsResponse
    return call.page(found, lists.JOB_KEYS, answer, "recurring_runs")


def _recurring_run(call: Call, key: str) -> Any:
    found = call.allow_one(key, call.server.store.recurring, "Job")
    if call.method == "DELETE":
        del call.server.store.recurring[key]
        return {}
    return found


def _act_on_recurring_run(call: Call, key: str, act: str) -> Any:
    call.allow_one(key, call.server.store.recurring, "Job")
    call.server.store.enable(key, act.upper())
    return {}


_ID = "([^/:]+)"
ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", f"{V2}/healthz", _healthz),
    ("POST", f"{V2}/pipelines/upload", _upload),
    ("POST", f"{V2}/pipelines/upload_version", _upload_version),
    ("GET", f"{V2}/pipelines", _pipelines),
    ("GET", f"{V2}/pipelines/{_ID}", _pipeline),
    ("GET", f"{V2}/pipelines/{_ID}/versions", _versions),
    ("GET", f"{V2}/pipelines/{_ID}/versions/{_ID}", _version),
    ("GET|POST", f"{V2}/experiments", _experiments),
    ("GET|DELETE", f"{V2}/experiments/{_ID}", _experiment),
    ("GET|POST", f"{V2}/runs", _runs),
    ("GET|DELETE", f"{V2}/runs/{_ID}", _run),
    ("POST", f"{V2}/runs/{_ID}:(archive|unarchive|retry|terminate)", _act_on_run),
    ("GET|POST", f"{V2}/recurringruns", _recurring_runs),
    ("GET|DELETE", f"{V2}/recurringruns/{_ID}", _recurring_run),
    ("POST", f"{V2}/recurringruns/{_ID}:(enable|disable)", _act_on_recurring_run),
    ("GET", f"/apis/v1alpha1/runs/{_ID}/nodes/{_ID}/log", _log),
]


def answer(call: Call, path: str) -> tuple[int, Any]:
    kfp = call.server
    if kfp.version.startswith("1."):
        if path == "/apis/v1beta1/healthz":
            return 200, {"tag_name": kfp.version, "multi_user": kfp.multi_user}
        return 404, {"code": 5, "message": "Not Found", "details": []}
    for methods, pattern, function in ROUTES:
        found = re.fullmatch(pattern, path)
        if found and call.method in methods.split("|"):
            try:
                with kfp.store.lock:
                    value = function(call, *found.groups())
                    return 200, value if isinstance(value, str) else written(value)
            except Refusal as refusal:
                return refusal.status, refusal.body()
    return 404, {"code": 5, "message": "Not Found", "details": []}
