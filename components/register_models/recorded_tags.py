"""The tags that a version must have in MLflow by the records of the log.

Rules: each is made from signed records, as dossier.py and registry.py made it when the version was
registered; a registration that is older than `model_sha256` set fewer, and one that is older than
the fact `aliases` named the whole window of a model from elsewhere.
"""

from __future__ import annotations

from components.register_models.dossier import RECORDED
from components.register_models.lineage import data_span, window_span
from components.register_models.logbook import ALIASES, Logbook, Release
from components.register_models.store import (
    BUNDLE_TAG,
    DECISION_TAG,
    FRAMEWORK_TAG,
    MODEL_TAG,
    RECORD_TAG,
    RUN_TAG,
    SPAN_TAG,
    WEIGHTS_TAG,
)


def recorded_tags(book: Logbook, release: Release) -> dict[str, str]:
    """Return {tag: value}."""
    port = f"{release.framework}_model"
    inputs, made = book.inputs(release), book.made(release)
    tags = {
        RUN_TAG: release.run,
        FRAMEWORK_TAG: release.framework,
        BUNDLE_TAG: release.bundle_sha256,
        RECORD_TAG: str(inputs[port]["record"]),
    }
    if not release.model_sha256:
        return tags
    span = data_span(made) if ALIASES in book.facts(release) else window_span(made)
    tags |= {MODEL_TAG: release.model_sha256, DECISION_TAG: release.role, SPAN_TAG: span}
    for name in RECORDED:
        tags[f"tandem.{name}_sha256"] = str(inputs[name]["sha256"])
        tags[f"{RECORD_TAG}.{name}"] = str(inputs[name]["record"])
    if "examples" in made:
        tags[f"{RECORD_TAG}.examples"] = made["examples"].record
    weights = made[port].facts.get("weights_sha256")
    return tags | ({WEIGHTS_TAG: str(weights)} if weights else {})
