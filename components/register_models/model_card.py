"""The model card of a registered model: Markdown in the layout of Hugging Face's template.

Rules: everything on it comes from verified records, the evaluation, the decision and the contract;
what nobody stated is said to be not stated, and never guessed; texts that come from data or
settings cannot become markup; the same model gives the same card, so it names the bundle's digest
and not the version, which the registry gives afterwards.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.core import measures
from components.core.contract import ClassQuality, Contract, Form, Quality
from components.core.task import Task
from components.register_models.lineage import Work, data_span

OVERALL = "overall"
ERROR_TYPES = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "r2": "r_squared",
}
# What Hugging Face's own metrics are called.
METRIC_TYPES = {"auc": "roc_auc", "accuracy": "accuracy"}
# Hugging Face's names of what a model is for.
PIPELINES: Mapping[Task, str] = {
    "binary": "tabular-classification",
    "multi_class": "tabular-classification",
    "regression": "tabular-regression",
}
NOT_STATED = "Not stated."
# CommonMark lets each ASCII punctuation mark be escaped (section 2.4), the backslash with them.
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in string.punctuation})


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


def model_card(described: Described) -> str:
    """Return the card."""
    return "\n".join([*_front_matter(described), *_body(described), ""])


def _front_matter(described: Described) -> list[str]:
    import yaml

    overall = described.slices[OVERALL]
    metrics = [
        {
            "type": (METRIC_TYPES | ERROR_TYPES).get(name, name),
            "name": _title(name),
            "value": metric["value"],
        }
        for name, metric in _estimates(overall)
    ]
    use_case = str(described.run.get("name") or described.model_name)
    pipeline = PIPELINES[described.contract.task]
    result = {
        "task": {"type": pipeline},
        "dataset": {"name": use_case, "type": use_case, "split": "eval"},
        "metrics": metrics,
    }
    head = {
        "library_name": "mlflow",
        "pipeline_tag": pipeline,
        "tags": [described.framework, described.contract.family, "onnx", "tandem"],
        "metrics": [metric["type"] for metric in metrics],
        "model-index": [{"name": described.model_name, "results": [result]}],
    }
    return ["---", yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(), "---"]


def _body(described: Described) -> Iterator[str]:
    name, family = _text(described.model_name), _text(described.contract.family)
    yield f"\n# Model Card for {name} ({described.framework})\n"
    yield from _details(described, family)
    yield from _uses(described)
    yield from _limits(described)
    yield from _training(described)
    yield from _evaluation(described)
    yield from _forms(described.contract)
    yield from _verifying(described)


def _details(described: Described, family: str) -> Iterator[str]:
    code = described.run.get("code") or {}
    dirty = ", with uncommitted changes" if code.get("dirty") else ""
    inputs = ", ".join(f"{_text(i.name)} ({_text(i.dtype)})" for i in described.contract.inputs)
    yield "## Model Details\n"
    parameters = f"{described.contract.parameters:,} parameters"
    yield f"- Model: {family} in {described.framework}, {parameters}"
    yield f"- Decided as: {described.role}"
    yield f"- Run: {_text(described.run.get('id'))}"
    yield f"- Code: commit {_text(code.get('commit') or 'unknown')}{dirty}"
    yield f"- Takes: {inputs}"
    yield f"- Gives: {_given(described)}"


def _given(described: Described) -> str:
    label, classes = (
        _text(described.evaluation.get("label", "1")),
        described.contract.output.classes,
    )
    return {
        "binary": f"the probability that {label} is 1",
        "multi_class": f"the probabilities that {label} is {', '.join(map(_text, classes))}",
        "regression": f"the number that {label} is",
    }[described.contract.task]


def _uses(described: Described) -> Iterator[str]:
    card = described.data_card
    yield "\n## Uses\n"
    yield "The purpose that the data card of the run states, word for word:\n"
    yield _text(card.get("purpose")) if card.get("purpose") else NOT_STATED
    yield "\nUses beyond it were not assessed."


def _limits(described: Described) -> Iterator[str]:
    card, left_out = described.data_card, described.evaluation.get("left_out") or {}
    personal = card.get("personal_data") or {}
    yield "\n## Bias, Risks, and Limitations\n"
    yield "Known gaps of the data, as its card states them:\n"
    yield from _items(card.get("known_gaps"))
    yield "\nPersonal data:\n"
    stated = [*personal.get("categories", ())] or (["None."] if personal else [])
    yield from _items(stated)
    small = {name: count for name, count in (left_out.get("slices") or {}).items() if count}
    if small:
        yield f"\nSlices of fewer than {left_out['minimum_rows']} rows were not measured:\n"
        yield from (f"- {_text(name)}: {count} of them" for name, count in sorted(small.items()))
    yield "\nAn interval speaks of other rows of the same span, not of later ones."


def _training(described: Described) -> Iterator[str]:
    data, trained = described.facts("examples"), described.facts(f"{described.framework}_model")
    card = described.data_card
    yield "\n## Training Details\n"
    yield "### Training Data\n"
    yield f"- Window: {_text(data_span(described.made) or NOT_STATED)}"
    for split, rows in (data.get("rows_by_split") or {}).items():
        spans = ", ".join(map(_text, data["splits"][split]))
        yield f"- {_text(split)}: {rows:,} rows of {spans}"
    for title, key in (("Origin", "origin"), ("Collection", "collection"), ("Licence", "licence")):
        yield f"- {title} of the data: {_text(card[key]) if card.get(key) else NOT_STATED}"
    for file in (data.get("source") or {}).get("files", ()):
        yield f"- File: {_text(file['location'])}, sha256 {_text(file['sha256'])}"
    for entry in data.get("dropped", ()):
        yield f"- Left out: {entry['rows']:,} rows, {_text(entry['reason'])}"
    yield "\n### Training Procedure\n"
    said = {**(trained.get("trained_with") or {})}
    for name in ("epochs", "kept_epoch", "seed", "device", "precision"):
        said |= {name: trained[name]} if name in trained else {}
    yield from _items([f"{name}: {value}" for name, value in said.items()])


def _evaluation(described: Described) -> Iterator[str]:
    evaluation, slices = described.evaluation, described.slices
    by_slice = measures.measures_of(evaluation).shown
    confidence = evaluation.get("confidence")
    level = f" at {confidence:.0%} confidence" if confidence else ""
    yield "\n## Evaluation\n"
    yield f"By the served form (onnx), on the raw rows of the eval split; intervals{level}.\n"
    cells = [
        (_text(_title(name)), _estimate(metric), _text(metric.get("method", "-")))
        for name, metric in _estimates(slices[OVERALL])
    ]
    yield from _table(("metric", "value (interval)", "method of the interval"), cells)
    yield "\n### By slice\n"
    keys = sorted(slices, key=lambda key: (key != OVERALL, key.count(","), key))
    rows = [
        (
            _text(key),
            _text(slices[key].get("n", "-")),
            *(_estimate(slices[key].get(name)) for name in by_slice),
        )
        for key in keys
    ]
    yield from _table(("slice", "rows", *map(_title, by_slice)), rows)
    yield "\n### Gates of the release policy\n"
    gates = described.decision.get("gates", {}).get(described.framework, ())
    yield from _table(
        ("gate", "slice", "value compared", "threshold", "result"), [_gate(gate) for gate in gates]
    )
    yield "\n### Why it was released\n"
    yield from _items(described.decision.get("reasons"))


def _gate(gate: Mapping[str, Any]) -> tuple[str, ...]:
    value = "not computable" if gate.get("value") is None else f"{gate['value']:.6g}"
    limit = f"{_text(gate['operator'])} {gate['threshold']:g}"
    result = "passed" if gate["passed"] else "not passed"
    return _text(gate["name"]), _text(gate.get("slice", OVERALL)), value, limit, result


def _forms(contract: Contract) -> Iterator[str]:
    yield "\n## Technical Specifications\n"
    rows = [
        (*map(_text, (form.name, form.path, form.takes)), _proof(form)) for form in contract.forms
    ]
    yield from _table(("form", "file", "takes", "compared with the framework"), rows)


def _proof(form: Form) -> str:
    if form.parity is not None:
        parity = form.parity
        return f"at most {parity.max_abs_difference:.2g} off (allowed: {parity.tolerance:g})"
    quality = form.quality
    if isinstance(quality, Quality):
        return f"AUC {quality.auc:.4f} of {quality.framework_auc:.4f}"
    if isinstance(quality, ClassQuality):
        return f"accuracy {quality.accuracy:.4f} of {quality.framework_accuracy:.4f}"
    if quality is not None:
        return f"{quality.error:.4f} standard deviations of the label"
    return "-"


def _verifying(described: Described) -> Iterator[str]:
    yield "\n## How to Verify\n"
    yield "This card is a reading aid, not evidence. The evidence is the signed log:\n"
    yield "```"
    yield "tandem audit verify"
    yield f"tandem audit trace {described.bundle_sha256}"
    yield "tandem models reconcile"
    yield "```\n"
    yield "`evidence/proof.json`, beside this card, holds the records with their proofs.\n"
    rows = [
        (f"bundle of {described.framework}", described.bundle_sha256),
        ("weights", described.contract.weights_sha256),
        *(
            (f"record of {_text(name)}", work.record)
            for name, work in sorted(described.made.items())
        ),
    ]
    yield from _table(("what", "sha256"), rows)


def _estimates(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (name, metric)
        for name, metric in sorted(metrics.items())
        if isinstance(metric, Mapping) and isinstance(metric.get("value"), int | float)
    ]


def _estimate(metric: Any) -> str:
    if not isinstance(metric, Mapping) or metric.get("value") is None:
        return "-"
    value, lower, upper = (metric.get(name) for name in ("value", "lower", "upper"))
    interval = "" if lower is None or upper is None else f" ({lower:.4f} to {upper:.4f})"
    return f"{value:.4f}{interval}"


def _title(metric: str) -> str:
    return measures.words(metric)


def _items(texts: Sequence[str] | None) -> list[str]:
    return [f"- {_text(text)}" for text in texts] if texts else [NOT_STATED]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines; the cells are Markdown, made here or by _text."""
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


def _text(value: Any) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return " ".join(str(value).split()).translate(_MARKUP)
