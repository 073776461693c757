"""Import what a store of ML Metadata tells: one record for each execution that finished.

Rules: every draft is made and checked before the first one is handed in, so that a store of which
one part may not be recorded leaves nothing behind; what is in the log already, by what the store
says of it, is not handed in again, so an import goes on where one was broken off and adds what has
come to a store since. Executions that did not finish are left, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from components.audit.answers import Receipt
from components.audit.imported import artifact_name, artifact_sha256
from components.tfx_history.drafts import Drafts
from components.tfx_history.executions import Execution

MODELS = ("PushedModel", "Model")
"""TFX's types of what an auditor asks after."""
Submit = Callable[[Mapping[str, Any]], Receipt]


@dataclass(frozen=True)
class Told:
    """An execution and its record; `record` is None where it was not handed in."""

    execution: Execution
    outputs: Sequence[Mapping[str, Any]]
    is_new: bool
    record: str | None = None
    index: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        said = {name: self.execution.said[name] for name in ("id", "type", "state")}
        outputs = [
            {
                "name": artifact_name(item),
                "type": item["type"],
                "sha256": artifact_sha256(item),
                "hashed": item["sha256"] is not None,
            }
            for item in self.outputs
        ]
        where = {"is_new": self.is_new, "index": self.index, "record": self.record}
        return {**said, "pipeline": dict(self.execution.pipeline), "outputs": outputs, **where}


def planned(drafts: Drafts) -> list[Told]:
    """Return what an import would do with each execution, all of it checked.

    Raises DataError for one that may not be recorded, IntegrityError where the store or its
    artifacts are not what they were when they were imported before.
    """
    found = []
    for execution in drafts.history.executions:
        view = drafts.recorded(execution)
        if view is None:
            drafts.take(execution)
            drafts.check(execution)
            told = Told(execution, drafts.facts(execution)["outputs"], is_new=True)
        else:
            drafts.take(execution, view.record)
            outputs = view.facts["outputs"]
            told = Told(execution, outputs, is_new=False, record=view.record, index=view.index)
        found.append(told)
    return found


def imported(drafts: Drafts, plan: Sequence[Told], submit: Submit) -> list[Told]:
    """Hand in what is new of a plan; raise what the notary raises."""
    found = []
    for told in plan:
        if told.is_new:
            receipt = submit(drafts.draft(told.execution))
            drafts.take(told.execution, receipt.record)
            told = replace(told, record=receipt.record, index=receipt.index)
        found.append(told)
    return found
