"""Every gate of a run as the report shows it: what it judged, and who waived it.

Rules: data validation and the decision have their gates in their artifacts, a stage that failed
and the tests of the models in their records; a waiver is told with its reason, its key and its last
day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.slice_keys import OVERALL
from pipelines.runs import RecordedRun
from pipelines.summary import RunSummary

# What a form is judged by: on no slice of rows.
OF_FORMS = (
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "rows_per_second",
    "size_bytes",
    "load_ms",
    "proven_form",
)
OF_PROOFS = "measure_models"
IN_RECORDS_ALONE = ("evaluate_models", OF_PROOFS)


def gates(
    run: RecordedRun, summary: RunSummary, records: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield every gate with what it judges."""
    validation = run.document("validate-examples", "validation", "validation.json") or {}
    failures = [view for view in records if view["event"] == "FAIL"]
    judged = {"data": validation.get("gates", []), **(summary.decision or {}).get("gates", {})}
    tests = [v for v in records if v["stage"] in IN_RECORDS_ALONE and v["event"] == "COMPLETE"]
    judged |= {view["stage"]: view["gates"] for view in (*tests, *failures)}
    waivers = [validation, *(view.get("facts", {}) for view in failures)]
    said = {item["sha256"]: item for place in waivers for item in place.get("waivers", ())}
    for subject, of_subject in judged.items():
        for gate in of_subject:
            defaults = {"interval": None, "slice": OVERALL, "waived_by": None}
            waiver = _waiver_words(said.get(gate.get("waived_by"), {}))
            shown = {"subject": subject, "waiver": waiver, **defaults, **gate}
            shown["name"] = str(gate["name"]).removeprefix(f"{subject} ")
            if gate["metric"] in OF_FORMS or subject == OF_PROOFS:
                shown["slice"] = "-"
            yield shown


def _waiver_words(waiver: Mapping[str, Any]) -> str:
    """Return until when, by whose key and why a gate is waived; nothing of what is not known."""
    if "reason" not in waiver:
        return ""
    return f" until {waiver['until']} with key {waiver['keyid'][:12]}: {waiver['reason']}"
