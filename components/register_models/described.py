"""What a model card is made from: verified records, the evaluation, the decision, the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.core.candidates import IMPORTED
from components.core.contract import Contract
from components.register_models.lineage import Work


@dataclass(frozen=True)
class Described:
    """What a card is made from; `made` is the work behind the model, by artifact."""

    model_name: str
    role: str
    run: Mapping[str, Any]
    contract: Contract
    bundle_sha256: str
    made: Mapping[str, Work]
    evaluation: Mapping[str, Any]
    decision: Mapping[str, Any]

    @property
    def framework(self) -> str:
        """The model's framework, by which the evaluation names it."""
        return self.contract.framework

    @property
    def imported(self) -> bool:
        """Say whether the model was trained elsewhere."""
        return self.framework == IMPORTED

    @property
    def slices(self) -> Mapping[str, Any]:
        """The model's metrics by slice."""
        found: Mapping[str, Any] = self.evaluation["models"][self.framework]["slices"]
        return found

    def facts(self, artifact: str) -> Mapping[str, Any]:
        """Return what the maker of an artifact stated, {} where no record is known."""
        return self.made[artifact].facts if artifact in self.made else {}

    def settings(self, artifact: str) -> Mapping[str, Any]:
        """Return what the maker of an artifact depended on, {} where no record is known."""
        return self.made[artifact].settings if artifact in self.made else {}

    @property
    def data_card(self) -> Mapping[str, Any]:
        """The data card that the settings of the run name."""
        return self.settings("examples").get("card") or {}
