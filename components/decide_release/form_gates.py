"""Gates on the forms of a model: what was measured of each, and which must be there.

Rules: a gate on a form judges the models whose framework exports that form, on the worse bound of
what was timed more than once; a size, and a loading time, which is taken once, are judged as they
are. A bound that too few calls did not give is the settings' error. A form that the policy requires
is required of every model: measure_models measures the forms of a contract alone, and a contract
holds no form without a proof. A form that no model has is the policy's error, unless the model was
imported: no setting of ours could have exported it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from components.core.candidates import IMPORTED
from components.core.errors import SettingsError
from components.core.outcome import Gate
from components.core.policy import Policy
from components.core.policy_gates import FormGate

PROVEN = "proven_form"
ONCE = ("size_bytes", "load_ms")
Measurements = Mapping[str, Any]


def form_gates(policy: Policy, measurements: Measurements, model: str) -> Iterator[Gate]:
    """Yield the gates on the speed, size and loading time of a model's forms."""
    for declared in policy.form_gates:
        having = _having(declared.form, measurements)
        if model in having:
            yield _form_gate(declared, having[model], model)


def required_forms(policy: Policy, measurements: Measurements, model: str) -> Iterator[Gate]:
    """Yield a gate for each form that must be there: 1 where the model has it, else 0.

    An imported model, beside which no other one has the form, must have what a gate is on.
    """
    required = list(policy.forms)
    if model == IMPORTED:
        gated = (gate.form for gate in policy.form_gates)
        required += [form for form in gated if model not in _having(form, measurements)]
    for form in dict.fromkeys(required):
        yield Gate(
            name=f"{model} {form}",
            metric=PROVEN,
            value=float(model in _having(form, measurements)),
            operator=">=",
            threshold=1.0,
        )


def _having(form: str, measurements: Measurements) -> dict[str, Mapping[str, Any]]:
    """Return what was measured of a form by the models that have it: one, or one was imported."""
    forms = {name: found["forms"] for name, found in measurements["models"].items()}
    having = {name: found[form] for name, found in forms.items() if form in found}
    if not having and IMPORTED not in forms:
        raise SettingsError(
            f"the policy has a gate on form {form}, which no model has",
            remedy="remove the gate, or export the form: see train.forms",
            expected=form,
            actual=sorted({name for found in forms.values() for name in found}),
        )
    return having


def _form_gate(declared: FormGate, form: Mapping[str, Any], model: str) -> Gate:
    latencies: dict[str, Any] = {
        f"{percentile}_ms": value for percentile, value in form["one_row_ms"].items()
    }
    found = Gate(
        name=f"{model} {declared.form} {declared.metric}",
        metric=declared.metric,
        value=float({**latencies, **form}[declared.metric]),
        operator=declared.operator,
        threshold=declared.threshold,
    )
    if declared.metric not in ONCE:
        return _at_worst(found, *form["intervals"][declared.metric])
    return found


def _at_worst(gate: Gate, lower: float | None, upper: float | None) -> Gate:
    """Return the gate on the bound that is worse for the model; SettingsError without one."""
    if lower is None or upper is None:
        raise SettingsError(
            f"the policy has a gate on {gate.name}, whose interval has no bound: too few calls",
            remedy="time more of them: raise evaluate.latency_runs",
            expected=f"{gate.metric} {gate.operator} {gate.threshold:g} at worst",
            actual=[lower, upper],
        )
    worse = lower if gate.operator == ">=" else upper
    return replace(gate, value=worse, interval=(lower, upper))
