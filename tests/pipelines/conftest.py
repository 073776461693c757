"""Settings of a small use case with the files that they name, and the folder of a finished run."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.artifacts import write_json
from pipelines.runners.results import OutputRef, RunResult, RunState, TaskResult, TaskState
from pipelines.runners.run_folder import write_run

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "training.yaml"
CARD = {
    "origin": "a made-up shop",
    "collection": "written for the tests",
    "licence": "CC0-1.0",
    "purpose": "tests",
    "personal_data": {"present": False},
}
SETTINGS: dict[str, Any] = {
    "name": "shop",
    "source": {
        "table": {"location": "rows.csv"},
        "target": {"name": "late", "column": "delay", "above": 15},
        "leakage": ["arrived"],
    },
    "window": {"first": "2013-01", "last": "2013-03"},
    "schema": "shop.pbtxt",
    "card": "card.yaml",
    "transform": {"features": {"distance": {"kind": "zscore"}, "origin": {"kind": "vocabulary"}}},
    "model": {
        "pytorch": "pipelines.examples.mortgage.model_pytorch:build_model",
        "tensorflow": "pipelines.examples.mortgage.model_tensorflow:build_model",
    },
    "evaluate": {"slices": [["origin"]]},
    "policy": {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.6}]},
    "registry": {"model_name": "shop-late"},
}
SCHEMA = "".join(
    f'feature {{ name: "{name}" }}\n' for name in ("distance", "late", "month", "origin", "year")
)
ROWS = "year,month,origin,distance,delay,arrived\n" + "".join(
    f"2013,{month},{'JFK' if number % 3 else 'LGA'},{100 + number},{number % 40},1200\n"
    for month in (1, 2, 3)
    for number in range(40)
)


@pytest.fixture
def values() -> dict[str, Any]:
    return copy.deepcopy(SETTINGS)


@pytest.fixture
def write_settings(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write a settings file with its schema and card, and return its path."""

    def write(settings: dict[str, Any]) -> Path:
        (tmp_path / "card.yaml").write_text(yaml.safe_dump(CARD))
        (tmp_path / "shop.pbtxt").write_text(SCHEMA)
        (tmp_path / "rows.csv").write_text(ROWS)
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


RUN_ID = "20130102T030405Z-ab12cd"
IDENTITY = {
    "id": RUN_ID,
    "name": "shop",
    "trigger": "manual",
    "actor": "sha256:0123456789abcdef",
    "code": {"commit": "c" * 40, "dirty": True},
    "ir_sha256": "1" * 64,
    "settings_sha256": "2" * 64,
    "cache": True,
}


def _model(auc: float) -> dict[str, Any]:
    estimate = {"value": auc, "lower": auc - 0.01, "upper": auc + 0.01, "method": "delong"}
    overall = {
        "n": 500,
        "auc": estimate,
        "log_loss": estimate,
        "calibration_error": {"value": 0.02},
    }
    slices = {"overall": overall, "origin=JFK": {"n": 90, "auc": estimate}}
    return {"bundle_sha256": "3" * 64, "slices": slices}


def _documents() -> dict[tuple[str, str, str], Any]:
    gate = {"name": "auc", "metric": "auc", "value": 0.69, "operator": ">=", "threshold": 0.6}
    gate |= {"slice": "overall", "passed": True, "interval": [0.69, 0.71]}
    one_row = {"p50": 0.05, "p95": 0.0625, "p99": 0.125}
    speed = {"one_row_ms": one_row, "batch_ms": {"p50": 3.5}, "batch_rows": 1024}
    speed |= {"rows_per_second": 742531.3}
    onnx = speed | {"size_bytes": 345678, "load_ms": 28.9, "from_features": speed}
    litert = speed | {"size_bytes": 78060, "load_ms": 1.25}
    return {
        ("ingest-examples", "examples", "manifest.json"): {
            "rows": 900,
            "splits": {"train": ["2013-01", "2013-02"], "eval": ["2013-03"]},
            "source": {
                "rows": 1000,
                "files": [{"location": "rows.csv", "bytes": 12345, "sha256": "4" * 64}],
            },
            "dropped": [{"reason": "cancelled", "rows": 100}],
        },
        ("validate-examples", "validation", "validation.json"): {
            "gates": [{**gate, "name": "minimum rows", "metric": "rows"}]
        },
        ("evaluate-models", "evaluation", "evaluation.json"): {
            "models": {"pytorch": _model(0.70), "tensorflow": _model(0.68)},
            "comparison": {"auc_difference": {"value": 0.02, "lower": 0.01, "upper": 0.03}},
        },
        ("measure-models", "measurements", "measurements.json"): {
            "machine": {"cpu": "a small one", "cores": 2},
            "models": {
                "pytorch": {"forms": {"onnx": onnx}},
                "tensorflow": {"forms": {"onnx": onnx, "litert": litert}},
            },
        },
        ("decide-release", "decision", "decision.json"): {
            "go": True,
            "winner": "pytorch",
            "challenger": "tensorflow",
            "reasons": ["its AUC is higher"],
            "would_change": ["an AUC of TensorFlow above 0.70"],
            "gates": {"pytorch": [gate], "tensorflow": [gate]},
        },
        ("register-models", "registration", "registration.json"): {
            "model_name": "shop-late",
            "candidate": {"framework": "pytorch", "version": "7"},
            "challenger": {"framework": "tensorflow", "version": "8"},
        },
    }


Change = Callable[[dict[tuple[str, str, str], Any]], None]


@pytest.fixture
def record_run(tmp_path: Path) -> Callable[..., Path]:
    """Write the folder of a run that ended well, or changed by `change`, into HOME/runs."""

    def record(
        change: Change = lambda documents: None,
        results: dict[str, TaskResult] | None = None,
        state: RunState = RunState.SUCCEEDED,
    ) -> Path:
        folder = tmp_path / "home" / "runs" / RUN_ID
        documents = _documents()
        change(documents)
        tasks = {}
        for (task, output, file), value in documents.items():
            path = folder / "artifacts" / task / output
            write_json(path / file, value)
            before = dict(tasks[task].outputs) if task in tasks else {}
            ref = OutputRef(str(path.relative_to(folder)), "5" * 64)
            tasks[task] = TaskResult(TaskState.SUCCEEDED, outputs={**before, output: ref})
        tasks["train-pytorch"] = TaskResult(TaskState.SUCCEEDED, wall_seconds=12.0)
        tasks["train-tensorflow"] = TaskResult(TaskState.CACHED, wall_seconds=0.3)
        shutil.copy(GOLDEN, folder / "pipeline.yaml")
        started, ended = "2013-01-02T03:04:05.000+00:00", "2013-01-02T03:05:15.000+00:00"
        failed = state is not RunState.SUCCEEDED
        tasks |= results or {}
        write_run(RunResult(RUN_ID, folder, state, int(failed), started, ended, tasks), IDENTITY)
        return folder

    return record
