"""The model card of a registered model: Markdown in the layout of Hugging Face's template.

Rules: everything on it comes from verified records, the evaluation, the decision and the contract;
what nobody stated is said to be not stated, and never guessed; texts that come from data or
settings cannot become markup; the same model gives the same card, so it names the bundle's digest
and not the version, which the registry gives afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.core.candidates import IMPORTED
from components.core.contract import Contract, Form
from components.core.form_proof import ClassQuality, Quality
from components.core.measures import measures_of, words
from components.core.slice_keys import OVERALL
from components.register_models.card_groups import by_group
from components.register_models.card_metadata import estimates, front_matter
from components.register_models.described import Described
from components.register_models.lineage import data_span
from components.register_models.markdown import NOT_STATED, estimate, items, plain, table

EVALUATED = "eval"


def model_card(described: Described) -> str:
    """Return the card."""
    return "\n".join([*front_matter(described), *_body(described), ""])


def _body(described: Described) -> Iterator[str]:
    name, family = plain(described.model_name), plain(described.contract.family)
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
    inputs = ", ".join(f"{plain(i.name)} ({plain(i.dtype)})" for i in described.contract.inputs)
    yield "## Model Details\n"
    parameters = f"{described.contract.parameters:,} parameters"
    made = f"{family} in {described.framework}"
    yield f"- Model: {'trained elsewhere' if described.imported else made}, {parameters}"
    if given := described.facts(f"{IMPORTED}_model").get("given"):
        yield f"- Given as: {plain(given['name'])}, sha256 {plain(given['sha256'])}"
    yield f"- Decided as: {described.role}"
    yield f"- Run: {plain(described.run.get('id'))}"
    yield f"- Code: commit {plain(code.get('commit') or 'unknown')}{dirty}"
    yield f"- Takes: {inputs}"
    yield f"- Gives: {_given(described)}"


def _given(described: Described) -> str:
    label, classes = (
        plain(described.evaluation.get("label", "1")),
        described.contract.output.classes,
    )
    return {
        "binary": f"the probability that {label} is 1",
        "multi_class": f"the probabilities that {label} is {', '.join(map(plain, classes))}",
        "regression": f"the number that {label} is",
    }[described.contract.task]


def _uses(described: Described) -> Iterator[str]:
    card = described.data_card
    yield "\n## Uses\n"
    yield "The purpose that the data card of the run states, word for word:\n"
    yield plain(card.get("purpose")) if card.get("purpose") else NOT_STATED
    yield "\nUses beyond it were not assessed."


def _limits(described: Described) -> Iterator[str]:
    card, left_out = described.data_card, described.evaluation.get("left_out") or {}
    personal = card.get("personal_data") or {}
    yield "\n## Bias, Risks, and Limitations\n"
    yield "Known gaps of the data, as its card states them:\n"
    yield from items(card.get("known_gaps"))
    yield "\nPersonal data:\n"
    stated = [*personal.get("categories", ())] or (["None."] if personal else [])
    yield from items(stated)
    small = {name: count for name, count in (left_out.get("slices") or {}).items() if count}
    if small:
        yield f"\nSlices of fewer than {left_out['minimum_rows']} rows were not measured:\n"
        yield from (f"- {plain(name)}: {count} of them" for name, count in sorted(small.items()))
    yield "\nAn interval speaks of other rows of the same span, not of later ones."


def _training(described: Described) -> Iterator[str]:
    yield "\n## Training Details\n"
    yield "### Training Data\n"
    if described.imported:
        yield "Not known: the model was trained elsewhere.\n"
        yield "### Data It Was Measured On\n"
        yield from _data(described, [EVALUATED])
        return
    yield from _data(described, described.facts("examples").get("rows_by_split") or {})
    trained = described.facts(f"{described.framework}_model")
    yield "\n### Training Procedure\n"
    said = {**(trained.get("trained_with") or {})}
    for name in ("epochs", "kept_epoch", "seed", "device", "precision"):
        said |= {name: trained[name]} if name in trained else {}
    yield from items([f"{name}: {value}" for name, value in said.items()])


def _data(described: Described, splits: Iterable[str]) -> Iterator[str]:
    data, card = described.facts("examples"), described.data_card
    rows_by_split = data.get("rows_by_split") or {}
    yield f"- Window: {plain(data_span(described.made) or NOT_STATED)}"
    for split in (name for name in splits if name in rows_by_split):
        spans = ", ".join(map(plain, data["splits"][split]))
        yield f"- {plain(split)}: {rows_by_split[split]:,} rows of {spans}"
    for title, key in (("Origin", "origin"), ("Collection", "collection"), ("Licence", "licence")):
        yield f"- {title} of the data: {plain(card[key]) if card.get(key) else NOT_STATED}"
    for file in (data.get("source") or {}).get("files", ()):
        yield f"- File: {plain(file['location'])}, sha256 {plain(file['sha256'])}"
    for entry in data.get("dropped", ()):
        yield f"- Left out: {entry['rows']:,} rows, {plain(entry['reason'])}"


def _evaluation(described: Described) -> Iterator[str]:
    evaluation, slices = described.evaluation, described.slices
    by_slice = measures_of(evaluation).shown
    confidence = evaluation.get("confidence")
    level = f" at {confidence:.0%} confidence" if confidence else ""
    yield "\n## Evaluation\n"
    yield f"By the served form (onnx), on the raw rows of the eval split; intervals{level}.\n"
    cells = [
        (plain(words(name)), estimate(metric), plain(metric.get("method", "-")))
        for name, metric in estimates(slices[OVERALL])
    ]
    yield from table(("metric", "value (interval)", "method of the interval"), cells)
    yield "\n### By slice\n"
    keys = sorted(slices, key=lambda key: (key != OVERALL, key.count(","), key))
    rows = [
        (
            plain(key),
            plain(slices[key].get("n", "-")),
            *(estimate(slices[key].get(name)) for name in by_slice),
        )
        for key in keys
    ]
    yield from table(("slice", "rows", *map(words, by_slice)), rows)
    yield from by_group(evaluation["models"][described.framework].get("fairness") or {})
    yield "\n### Gates of the release policy\n"
    gates = described.decision.get("gates", {}).get(described.framework, ())
    yield from table(
        ("gate", "slice", "value compared", "threshold", "result"), [_gate(gate) for gate in gates]
    )
    yield "\n### Why it was released\n"
    yield from items(described.decision.get("reasons"))


def _gate(gate: Mapping[str, Any]) -> tuple[str, ...]:
    value = "not computable" if gate.get("value") is None else f"{gate['value']:.6g}"
    limit = f"{plain(gate['operator'])} {gate['threshold']:g}"
    result = "passed" if gate["passed"] else "not passed"
    return plain(gate["name"]), plain(gate.get("slice", OVERALL)), value, limit, result


def _forms(contract: Contract) -> Iterator[str]:
    yield "\n## Technical Specifications\n"
    rows = [
        (*map(plain, (form.name, form.path, form.takes)), _proof(form)) for form in contract.forms
    ]
    yield from table(("form", "file", "takes", "compared with the framework"), rows)


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
            (f"record of {plain(name)}", work.record)
            for name, work in sorted(described.made.items())
        ),
    ]
    yield from table(("what", "sha256"), rows)
