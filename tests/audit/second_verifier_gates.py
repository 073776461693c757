"""The second verifier's "Gates that settings ask for", of the page alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from second_verifier_bytes import need, parsed, unbase64

DONE = ("COMPLETE", "CACHED")
CANDIDATES = ("imported", "pytorch", "tensorflow")
MADE = {"decide_release": "decision", "validate_examples": "validation"}
MORE = {"auc", "pr_auc", "accuracy", "precision", "recall", "auc_macro", "auc_weighted"}
MORE |= {"top_k_accuracy", "f1", "r2"}
FIRST_OF_TASKS = ("auc", "log_loss", "mean_squared_error")
WAIVER = "https://tandem.invalid/waiver/v1"
PART = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)


class Gate(NamedTuple):
    """One that is asked for; None is whatever a record says."""

    name: str
    operator: str | None = None
    threshold: float | None = None
    slice: str | None = "overall"

    def is_among(self, gates: Any) -> bool:
        return any(self.is_there(gate) for gate in gates)

    def is_there(self, gate: Any) -> bool:
        begins = self.name.endswith(":") and gate["name"].startswith(self.name)
        return (
            (begins or gate["name"] == self.name)
            and self.operator in (None, gate["operator"])
            and self.threshold in (None, float(gate["threshold"]))
            and (self.slice is None or is_slice(self.slice, gate.get("slice", "overall")))
        )


class LeftOut:
    """Takes the records of a log in order, and finds what one of them left out."""

    def __init__(self, forms: Mapping[str, Any]) -> None:
        self.form, self.done = forms[WAIVER], dict[str, Any]()

    def take(self, record: str, audit: Any, what: str) -> None:
        if audit["event"] not in DONE:
            return
        self.done[record] = audit
        for gate in audit["gates"]:
            if not gate["passed"] and "waived_by" in gate:
                self.waiver(gate, audit, f"{what}: gate {gate['name']}")
        if audit["stage"] == "register_models":
            self.registration(audit, what)
        elif audit["stage"] in MADE:
            judge = self.judge(audit, MADE[audit["stage"]])
            asked = self.of_policy if audit["stage"] == "decide_release" else of_checks
            for some in asked(audit["settings"], judge, what):
                left_out = f"{what}: it left out {some[0].name}"
                need(any(gate.is_among(judge["gates"]) for gate in some), left_out)

    def judge(self, audit: Any, name: str) -> Any:
        """The record that made an output, through the cache; an empty one where none did."""
        while audit["event"] == "CACHED":
            audit = self.done.get(audit["facts"]["origin"].get(name), NOBODY)
        return audit

    def of_input(self, judge: Any, name: str) -> Any:
        """The record that made an input of a judge, or an empty one."""
        found = [self.done[i["record"]] for i in judge["inputs"] if i["name"] == name]
        return self.judge(found[0], name) if found else NOBODY

    def registration(self, audit: Any, what: str) -> None:
        judge = self.of_input(audit, "decision")
        if part(judge["settings"], "policy").get("gates"):
            for version in audit["facts"].get("versions", {}).values():
                is_judged = version["framework"] in candidates(judge)
                need(is_judged, f"{what}: its decision judged no gate of {version['framework']}")

    def waiver(self, gate: Any, audit: Any, what: str) -> None:
        texts = [text.encode() for text in rows(audit["settings"], "waivers", str)]
        held = [text for text in texts if sha256(text).hexdigest() == gate["waived_by"]]
        need(held, f"{what}: its waiver is not held")
        statement = parsed(unbase64(parsed(held[0], what)["payload"], what), what)
        need(self.form.is_valid(statement), f"{what}: that is no waiver")
        said, schema = statement["predicate"], audit["settings"].get("schema_text")
        need(said["gate"]["name"] == gate["name"], f"{what}: the waiver of another gate")
        same = said["gate"].get("slice") in (None, gate.get("slice"))
        need(same, f"{what}: the waiver of another slice")
        need(said["useCase"] == audit["run"].get("name"), f"{what}: the waiver of another use case")
        digest = statement["subject"][0]["digest"]["sha256"]
        own = not isinstance(schema, str) or sha256(schema.encode()).hexdigest() == digest
        need(own, f"{what}: the waiver of another schema")

    def of_policy(self, settings: Any, judge: Any, what: str) -> Iterator[list[Gate]]:
        policy = part(settings, "policy")
        models = candidates(judge)
        need(models or not policy.get("gates"), f"{what}: it judged no candidate")
        sizes = part(self.of_input(judge, "measurements")["facts"], "size_bytes")
        overall = part(self.of_input(judge, "evaluation")["facts"], "overall")
        for model in models:
            yield from of_model(policy, model)
            yield from of_forms(policy, model, part(sizes, model))
            if "champion" in overall:
                yield from over_champion(policy, model)


NOBODY: dict[str, Any] = {"event": "", "gates": [], "inputs": [], "settings": {}, "facts": {}}


def of_model(policy: Any, model: str) -> Iterator[list[Gate]]:
    for row in rows(policy, "gates"):
        name = f"{model} {row['metric']}"
        if row.get("of_class") is not None:
            name += f" of {row['of_class']}"
        elif (at := number(row.get("at"))) is not None or (at := number(row.get("k"))) is not None:
            name += f"@{at:g}"
        yield [of_row(name, row, row.get("slice", "overall"))]
    for row in rows(policy, "fairness_gates"):
        yield [of_row(f"{model} {row['metric']} {row['compare']} by {row['column']}", row)]
    for form in rows(policy, "forms", str):
        yield [Gate(f"{model} {form}", ">=", 1)]


def of_forms(policy: Any, model: str, measured: Any) -> Iterator[list[Gate]]:
    for row in rows(policy, "form_gates"):
        own = of_row(f"{model} {row['form']} {row['metric']}", row)
        if row["form"] in measured:
            yield [own]
        elif model == "imported":
            yield [own, Gate(f"{model} {row['form']}", ">=", 1)]


def over_champion(policy: Any, model: str) -> Iterator[list[Gate]]:
    for row in rows(policy, "champion_gates"):
        margin, some = number(row.get("margin")) or 0, []
        for metric in [row["metric"]] if row.get("metric") else FIRST_OF_TASKS:
            sign, least = (">", margin) if metric in MORE else ("<", -margin)
            sign += "=" if margin < 0 else ""
            of = row.get("slice", "overall")
            some.append(Gate(f"{model} {metric}_over_champion", sign, least, of))
        yield some


def of_checks(settings: Any, judge: Any, what: str) -> Iterator[list[Gate]]:
    checks, target = part(settings, "checks"), part(settings, "source").get("target")
    if not checks:
        return
    for split in ("train", "eval"):
        if isinstance(target, dict) and not target.get("number"):
            share = number(checks.get("minimum_class_share"))
            yield [Gate(f"class_share:{target['name']}", ">=", share, split)]
        yield [Gate("minimum_rows", ">=", number(checks.get("minimum_rows")), split)]
        yield [Gate("schema", "==", 0, split), Gate("schema:", slice=split)]
    yield [Gate(name, "==", 0, "all splits") for name in ("leakage", "leakage:")]
    for name, of in (("duplicate_rows", "all splits"), ("label_shift:", None)):
        if (limit := number(checks.get(name.rstrip(":")))) is not None:
            yield [Gate(name, "<=", limit, of)]
    for kind in ("drift", "skew"):
        for column, limit in part(checks, kind).items():
            name = f"{kind}:{column}"
            yield [Gate(name, "<=", number(limit), None), Gate(name, "==", 1, None)]


def of_row(name: str, row: Any, of: str = "overall") -> Gate:
    return Gate(name, row["operator"], number(row.get("threshold")), of)


def candidates(judge: Any) -> list[str]:
    first = {gate["name"].split(" ")[0] for gate in judge["gates"]}
    chosen = [judge["facts"].get(role) for role in ("winner", "challenger")]
    return [name for name in CANDIDATES if name in first or name in chosen]


def is_slice(asked: str, found: str) -> bool:
    if asked == found:
        return True
    parts = [[part.partition("=") for part in PART.findall(key)] for key in (asked, found)]
    return len(parts[0]) == len(parts[1]) and all(
        name == other and value in ("*", given)
        for (name, _, value), (other, _, given) in zip(*parts, strict=True)
    )


def part(value: Any, name: str) -> Any:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def rows(value: Any, name: str, kind: type = dict) -> list[Any]:
    found = value.get(name)
    return [item for item in found if isinstance(item, kind)] if isinstance(found, list) else []


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
