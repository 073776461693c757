"""The gates that the settings of a record ask for, as the stage that judges them must name them.

Why: a stage says which gates it judged, and could leave one out; what it was asked for stands in
its own settings, in the same signed record.

Rules: settings are read as a record has them; what is not as this version writes it asks for
nothing here. Each gate is asked for by name, operator and threshold, so that one held to a lower
threshold than the policy's is not the policy's. A gate on every value of a column (`origin=*`)
asks for one slice at least: which slices had rows is no part of the log. What TFDV found, and a
limit that only the schema's text sets, is asked for by no setting.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.core.candidates import IMPORTED, OVER_CHAMPION
from components.core.measures import MEASURES, MORE_IS_BETTER
from components.core.slice_keys import ALL_SPLITS, OVERALL, asks_for

Recorded = Mapping[str, Any]
"""A gate of a record, its numbers as numbers."""
SPLITS = ("train", "eval")
_TOLD = {"of_class": "{} of {}", "at": "{}@{}", "k": "{}@{}"}


@dataclass(frozen=True)
class Asked:
    """A gate that must have been judged; None is whatever the record says.

    `name` ends in `:` where what follows is the data's to say; `slice` may be a pattern.
    """

    name: str
    operator: str | None
    threshold: float | None
    slice: str | None = OVERALL

    def is_judged(self, gates: Iterable[Recorded]) -> bool:
        """Say whether one of the gates is the one asked for."""
        return any(map(self._is, gates))

    def _is(self, gate: Recorded) -> bool:
        name, key = str(gate["name"]), str(gate.get("slice", OVERALL))
        named = name.startswith(self.name) if self.name.endswith(":") else name == self.name
        return (
            named
            and (self.slice is None or self.slice == key or asks_for(self.slice, key))
            and self.operator in (None, gate["operator"])
            and self.threshold in (None, gate["threshold"])
        )

    def __str__(self) -> str:
        of = f" ({self.slice})" if self.slice not in (None, OVERALL) else ""
        compared = "" if self.threshold is None else f" {self.operator} {self.threshold:g}"
        return f"{self.name.removesuffix(':')}{of}{compared}"


OneOf = Sequence[Asked]
"""Gates of which one must have been judged: what is asked for depends on what the data is."""


def of_policy(policy: Mapping[str, Any], model: str) -> Iterator[OneOf]:
    """Yield what a policy asks of a candidate, whatever forms it has and whoever is champion."""
    for gate in _each(policy, "gates"):
        yield [_compared(f"{model} {_metric(gate)}", gate, str(gate.get("slice", OVERALL)))]
    for gate in _each(policy, "fairness_gates"):
        name = f"{gate.get('metric')} {gate.get('compare')} by {gate.get('column')}"
        yield [_compared(f"{model} {name}", gate)]
    for form in _listed(policy, "forms"):
        yield [Asked(f"{model} {form}", ">=", 1.0)]


def of_forms(
    policy: Mapping[str, Any], model: str, forms: Collection[str] | None = None
) -> Iterator[OneOf]:
    """Yield what a policy asks of the forms that a candidate has, all of them unless said.

    A model that was imported must have what a gate is on.
    """
    for gate in _each(policy, "form_gates"):
        form = str(gate.get("form"))
        if forms is None or form in forms:
            yield [_compared(f"{model} {form} {gate.get('metric')}", gate)]
        elif model == IMPORTED:
            yield [Asked(f"{model} {form}", ">=", 1.0)]


def of_champion(policy: Mapping[str, Any], model: str) -> Iterator[OneOf]:
    """Yield what a policy asks of a candidate where there is a champion.

    A gate that names no metric is on the first of its task, which the policy does not say.
    """
    for gate in _each(policy, "champion_gates"):
        primary = [measures.primary for measures in MEASURES.values()]
        metrics = [str(gate["metric"])] if gate.get("metric") else primary
        yield [_over_champion(model, metric, gate) for metric in metrics]


def of_checks(checks: Mapping[str, Any], target: Any = None) -> Iterator[OneOf]:
    """Yield what the checks of data ask of every validation; `target` is the source's, if told."""
    classes = isinstance(target, Mapping) and not target.get("number")
    for split in SPLITS:
        if classes:
            share = _number(checks.get("minimum_class_share"))
            yield [Asked(f"class_share:{target.get('name')}", ">=", share, split)]
        least = _number(checks.get("minimum_rows"))
        yield [Asked("minimum_rows", ">=", least, split)]
        yield [Asked("schema", "==", 0.0, split), Asked("schema:", None, None, split)]
    yield [Asked(f"leakage{end}", "==", 0.0, ALL_SPLITS) for end in ("", ":")]
    if (limit := _number(checks.get("duplicate_rows"))) is not None:
        yield [Asked("duplicate_rows", "<=", limit, ALL_SPLITS)]
    if (limit := _number(checks.get("label_shift"))) is not None:
        yield [Asked("label_shift:", "<=", limit, None)]
    for kind in ("drift", "skew"):
        limits = checks.get(kind)
        for column, limit in sorted(limits.items()) if isinstance(limits, Mapping) else ():
            # A column that is not there fails for that, and a waiver may let it by.
            missing = Asked(f"{kind}:{column}", "==", 1.0, None)
            yield [Asked(f"{kind}:{column}", "<=", _number(limit), None), missing]


def _compared(name: str, gate: Mapping[str, Any], slice_: str = OVERALL) -> Asked:
    return Asked(name, str(gate.get("operator")), _number(gate.get("threshold")), slice_)


def _over_champion(model: str, metric: str, gate: Mapping[str, Any]) -> Asked:
    """Return the gate on a difference; where less is better the margin is below zero."""
    margin, more = _number(gate.get("margin")) or 0.0, metric in MORE_IS_BETTER
    operator = (">" if more else "<") + ("=" if margin < 0 else "")
    threshold = margin if more else 0.0 - margin
    of = str(gate.get("slice", OVERALL))
    return Asked(f"{model} {metric}_{OVER_CHAMPION}", operator, threshold, of)


def _metric(gate: Mapping[str, Any]) -> str:
    """Return how a gate names its metric: with the class, the threshold or the k it is told."""
    metric = str(gate.get("metric"))
    for name, words in _TOLD.items():
        if (told := gate.get(name)) is not None:
            number = None if name == "of_class" else _number(told)
            return words.format(metric, told if number is None else f"{number:g}")
    return metric


def _each(policy: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    return [item for item in _listed(policy, section) if isinstance(item, Mapping)]


def _listed(policy: Mapping[str, Any], section: str) -> Sequence[Any]:
    found = policy.get(section)
    return found if isinstance(found, list | tuple) else ()


def _number(value: Any) -> float | None:
    """Return a setting's number, which a record holds as a text where it is large."""
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
