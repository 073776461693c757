"""What is registered beside a bundle, so that the registry's copy speaks for itself.

    README.md              the model card
    evidence/evaluation    the evaluation as its record has it
    evidence/decision      the decision as its record has it
    evidence/proof.json    the records behind the model, with their inclusion proofs

Rules: the first three are the artifacts' own bytes, so their digests are those of the records; the
proof is verified with the log's public key and nothing else (components/audit/proof.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.bundle import Bundle
from components.register_models.described import Described
from components.register_models.entry import Entry
from components.register_models.evidence import Proven
from components.register_models.lineage import data_span
from components.register_models.mlflow_model import PROOF
from components.register_models.model_card import model_card
from components.register_models.store import DECISION_TAG, RECORD_TAG, SPAN_TAG

CARD = "README.md"
RECORDED = ("evaluation", "decision")


@dataclass(frozen=True)
class Dossier:
    """What all models of a run are registered with: proven records, evaluation and decision."""

    model_name: str
    run: Mapping[str, Any]
    proven: Proven
    digests: Mapping[str, str]
    artifacts: Mapping[str, Path]
    evaluation: Mapping[str, Any]
    decision: Mapping[str, Any]

    def entry(self, role: str, bundle: Bundle) -> Entry:
        """Return what is registered of a bundle in the role that was decided."""
        port = f"{bundle.contract.framework}_model"
        return Entry(
            bundle=bundle,
            sha256=self.digests[port],
            record=self.proven.inputs[port].record,
            said=self._tags(role),
            attached=self._attached(role, bundle),
            created=_mlflow_time(self.proven.inputs["decision"].time),
        )

    def _tags(self, role: str) -> dict[str, str]:
        made = self.proven.made
        records = {name: self.proven.inputs[name].record for name in RECORDED}
        records |= {"examples": made["examples"].record} if "examples" in made else {}
        return {
            SPAN_TAG: data_span(made),
            DECISION_TAG: role,
            **{f"tandem.{name}_sha256": self.digests[name] for name in RECORDED},
            **{f"{RECORD_TAG}.{name}": record for name, record in records.items()},
        }

    def _attached(self, role: str, bundle: Bundle) -> dict[str, str | Path]:
        described = Described(
            self.model_name,
            role,
            self.run,
            bundle.contract,
            self.digests[f"{bundle.contract.framework}_model"],
            self.proven.made,
            self.evaluation,
            self.decision,
        )
        return {
            CARD: model_card(described),
            PROOF: json.dumps(self.proven.proof.bundle.to_dict()),
            **{f"evidence/{name}": self.artifacts[name] for name in RECORDED},
        }


def _mlflow_time(moment: str) -> str:
    """Return a record's time as MLflow writes it: UTC without saying so."""
    return moment.replace("T", " ").removesuffix("Z")
