"""A run's records as they read with names for ids, so that two runs can be compared.

A digest that no two runs share is replaced by the name of what it is of; a difference anywhere else
is one between the runs. Left out is what was measured, and when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prepared_run import PreparedRun

from components.audit.verified_log import VerifiedLog

# What repeats byte for byte, by docs/reproducibility.md.
REPRODUCIBLE = {
    ("ingest_examples", "examples"),
    ("validate_examples", "validation"),
    ("transform_features", "features"),
    ("train_pytorch", "pytorch_model"),
}
TIMES = {"clocks", "startedOn", "finishedOn", "timeVerified", "timeCreated", "retain_until"}
# A SavedModel's size changes with its bytes, and MLflow writes the time into a model.
MEASURED = {"resources", "size_bytes", "model_sha256"}


def records(run: PreparedRun) -> dict[tuple[str, int, str], Any]:
    """Return a run's statements by stage, attempt and event, as they read with names for ids."""
    log, run_id = VerifiedLog.of(run.home), run.folder.name
    views = log.ledger.of_run(run_id)
    statements = {(v.stage, v.attempt, v.event): log.statement(v.record) for v in views}
    names = {view.record: f"record of {view.record_id}" for view in views}
    names |= {digest: name for digest, name in changing_digests(run)}
    for key, statement in statements.items():
        audit = statement["predicate"]["tandem_audit"]
        names[audit["idempotency_key"]] = f"key of {key}"
        if waits_for_changing(key[0]):
            names[audit["cache_key"]] = f"cache key of {key[0]}"
        for subject in statement["subject"]:
            if subject["name"].startswith("attempt/"):
                names[subject["digest"]["sha256"]] = f"attempt {key}"
    return {key: named(statement, names, run_id) for key, statement in statements.items()}


def changing_digests(run: PreparedRun) -> Iterator[tuple[str, str]]:
    """Yield the digests that no two runs share, each with its port."""
    for name, result in run.record["tasks"].items():
        stage = name.replace("-", "_")
        for port, output in result["outputs"].items():
            if (stage, port) not in REPRODUCIBLE:
                yield output["sha256"], f"{stage}/{port}"


def waits_for_changing(stage: str) -> bool:
    """Say whether a stage's cache key follows from what does not repeat."""
    return stage not in ("ingest_examples", "validate_examples", "transform_features")


def named(value: Any, names: Mapping[str, str], run_id: str) -> Any:
    """Return a value with names for ids and digests, and without times and measures."""
    if isinstance(value, Mapping):
        left = {k: v for k, v in value.items() if k not in TIMES | MEASURED}
        return {key: named(item, names, run_id) for key, item in left.items()}
    if isinstance(value, list):
        return [named(item, names, run_id) for item in value]
    if isinstance(value, str):
        return names.get(value, value).replace(run_id, "RUN")
    return value
