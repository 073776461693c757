"""What a record left out: a gate that its settings ask for, or the waiver that let one by.

Why: a stage that leaves a gate out, or somebody who hands in a record in its place, names gates
that all passed; nothing of them is wrong but that there should be more.

Rules: only what was done is judged, of the cache the record that it came from, by the settings of
who took it; what stands in another record (a model's forms, whether there was a champion) is read
only where a gate is not there. A waiver's text stands in the settings of the validation: it must
be there, of the digest that the gate names, and say this gate, this use case and this schema.
Whether the key that signed it was trusted is no matter of the log, which has no such key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.audit import asked_gates
from components.audit.acts import Reader, Statement
from components.audit.answers import AUDIT, DONE_EVENTS, gate_in_numbers
from components.audit.asked_gates import OneOf
from components.audit.envelope import Envelope
from components.audit.gate_results import result_of
from components.audit.schema import check_waiver
from components.core.candidates import CANDIDATES, CHAMPION
from components.core.canonical import sha256_bytes
from components.core.errors import DataError, IntegrityError
from components.core.stage_names import DECIDING, REGISTERING, VALIDATING

Block = Mapping[str, Any]
LOOKED_UP = frozenset({"evaluate_models", "measure_models", DECIDING})
"""The stages whose records are read to say what another left out, mostly soon after."""
_MADE = {DECIDING: "decision", VALIDATING: "validation"}
BY_SETTINGS = frozenset({*_MADE, REGISTERING})
"""The stages whose settings, or whose inputs', say which gates there must be."""


def left_out(statement: Statement, read: Reader) -> Iterator[str]:
    """Yield, of a record of work that was done, each gate and each waiver that is not there."""
    audit = statement["predicate"][AUDIT]
    if audit["event"] not in DONE_EVENTS:
        return
    yield from _unheld(audit)
    if audit["stage"] == REGISTERING:
        yield from _unjudged(audit, read)
    elif audit["stage"] in _MADE:
        judged = _work(audit, _MADE[audit["stage"]], read)
        gates = [] if judged is None else _gates(judged)
        if audit["stage"] == DECIDING:
            yield from _not_decided(audit, judged or audit, gates, read)
        elif checks := _section(audit, "checks"):
            target = _section(audit, "source").get("target")
            yield from _missing(asked_gates.of_checks(checks, target), gates, "checks")


def _not_decided(audit: Block, judged: Block, gates: list[Block], read: Reader) -> Iterator[str]:
    """Yield what the policy asks for and the decision did not judge, of each candidate."""
    policy = _section(audit, "policy")
    models = _models(judged, gates)
    if not models and policy.get("gates"):
        yield "its policy asked for gates, and it judged those of no candidate"
    for model in models:
        yield from _missing(asked_gates.of_policy(policy, model), gates, "policy")
        if _lacks(asked_gates.of_forms(policy, model), gates):
            forms = _forms(judged, model, read)
            yield from _missing(asked_gates.of_forms(policy, model, forms), gates, "policy")
        over_champion = list(asked_gates.of_champion(policy, model))
        if _lacks(over_champion, gates) and _had_champion(judged, read):
            yield from _missing(over_champion, gates, "policy")


def _lacks(asked: Iterable[OneOf], gates: list[Block]) -> bool:
    return any(True for _ in _missing(asked, gates, ""))


def _missing(asked: Iterable[OneOf], gates: list[Block], by: str) -> Iterator[str]:
    for alternatives in asked:
        if not any(one.is_judged(gates) for one in alternatives):
            words = " or ".join(map(str, alternatives))
            yield f"its {by} asked for the gate {words}, which is not among those it judged"


def _unjudged(audit: Block, read: Reader) -> Iterator[str]:
    """Yield each framework that is registered though its decision judged no gate of it."""
    decision = _made_by(audit, "decision", read)
    if decision is None or not _section(decision, "policy").get("gates"):
        return
    judged = _models(decision, _gates(decision))
    versions = audit["facts"].get("versions")
    for role, version in sorted(versions.items()) if isinstance(versions, Mapping) else ():
        framework = version.get("framework") if isinstance(version, Mapping) else None
        if framework not in judged:
            yield f"it registers {framework} as {role}, of which its decision judged no gate"


def _models(audit: Block, gates: list[Block]) -> list[str]:
    """Return the candidates that a decision judged, or chose."""
    named = {str(gate["name"]).partition(" ")[0] for gate in gates}
    chosen = [audit["facts"].get(role) for role in ("winner", "challenger")]
    return sorted(name for name in CANDIDATES if name in named or name in chosen)


def _forms(audit: Block, model: str, read: Reader) -> frozenset[str]:
    """Return the forms of a model that were measured; none where no record says so."""
    measured = _made_by(audit, "measurements", read)
    sizes = measured["facts"].get("size_bytes") if measured else None
    forms = sizes.get(model) if isinstance(sizes, Mapping) else None
    return frozenset(map(str, forms)) if isinstance(forms, Mapping) else frozenset()


def _had_champion(audit: Block, read: Reader) -> bool:
    """Say whether the evaluation that was decided on measured a champion."""
    evaluated = _made_by(audit, "evaluation", read)
    overall = evaluated["facts"].get("overall") if evaluated else None
    return isinstance(overall, Mapping) and CHAMPION in overall


def _made_by(audit: Block, name: str, read: Reader) -> Block | None:
    """Return the block of the work that made an input; None where no record tells it."""
    for item in audit["inputs"]:
        if item["name"] == name and item["record"]:
            try:
                return _work(read(item["record"])["predicate"][AUDIT], name, read)
            except IntegrityError:  # told by the checks of parents
                return None
    return None


def _work(audit: Block, name: str, read: Reader) -> Block | None:
    """Return the block of the work that what came from the cache was made by."""
    seen: set[str] = set()
    while audit["event"] == "CACHED":
        origin = audit["facts"].get("origin")
        record = origin.get(name) if isinstance(origin, Mapping) else None
        if not isinstance(record, str) or record in seen:
            return None
        seen.add(record)
        try:
            audit = read(record)["predicate"][AUDIT]
        except IntegrityError:
            return None
    return audit


def _unheld(audit: Block) -> Iterator[str]:
    """Yield each gate that a waiver let by which is not in the settings, or is not about it."""
    waived = [gate for gate in audit["gates"] if result_of(gate) == "waived"]
    if not waived:
        return
    texts = audit["settings"].get("waivers")
    listed = [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
    held = {sha256_bytes(text.encode("utf-8", "surrogatepass")): text for text in listed}
    for gate in waived:
        text = held.get(gate["waived_by"])
        what = f"its gate {gate['name']} was let by"
        if text is None:
            yield f"{what} by the waiver {gate['waived_by'][:12]}, which it does not hold"
        elif (why := _not_about(text, gate, audit)) is not None:
            yield f"{what} by the waiver {gate['waived_by'][:12]}, and {why}"


def _not_about(text: str, gate: Block, audit: Block) -> str | None:
    """Return why a waiver does not let a gate of a record by, None where it does."""
    try:
        envelope = Envelope.from_bytes(text.encode("utf-8", "surrogatepass"))
        value = envelope.unsigned_statement()
        check_waiver(value)
    except (IntegrityError, DataError):
        return "that is no waiver"
    said, of = value["predicate"], value["predicate"]["gate"]
    schema = audit["settings"].get("schema_text")
    if of["name"] != gate["name"] or of.get("slice") not in (None, gate.get("slice")):
        return "that is of another gate"
    if said["useCase"] != audit["run"].get("name"):
        return "that is of another use case"
    digest = value["subject"][0]["digest"]["sha256"]
    if isinstance(schema, str) and sha256_bytes(schema.encode()) != digest:
        return "that is of another schema"
    return None


def _gates(audit: Block) -> list[Block]:
    return list(map(gate_in_numbers, audit["gates"]))


def _section(audit: Block, name: str) -> Mapping[str, Any]:
    """Return a section of a record's settings, empty where it is none."""
    found = audit["settings"].get(name)
    return found if isinstance(found, Mapping) else {}
