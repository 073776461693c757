"""The speed and size of every form of a bundle, each by its own runtime on the same real rows.

Rules: a form that takes features gets those that the bundle's own preprocessing makes of the rows,
and that is not timed with it; so that forms can be compared, the ONNX form is timed whole and, as
`from_features`, without its preprocessing. What PyTorch runs is timed in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from components.core.bundle import Bundle
from components.core.runtimes import RUNTIMES, Inputs
from components.measure_models import torch_process
from components.measure_models.timing import THREADS, Often, time_calls, time_form
from components.measure_models.torch_process import TorchProcess

SERVED = "onnx"


def beside(*bundles: Bundle) -> AbstractContextManager[TorchProcess | None]:
    """Begin to import PyTorch in a process of its own where a bundle has a form that it runs."""
    names = {form.name for bundle in bundles for form in bundle.contract.forms}
    if any(RUNTIMES[name] == torch_process.RUNTIME for name in names):
        return torch_process.torch_process()
    return nullcontext()


def time_forms(
    bundle: Bundle, rows: Inputs, often: Often, process: TorchProcess | None
) -> dict[str, dict[str, Any]]:
    """Return the speed and size of each form of a bundle; `rows` are raw inputs."""
    served = time_form(SERVED, bundle.path(SERVED), rows, often)
    timed = {SERVED: served | {"size_bytes": bundle.size_bytes(SERVED)}}
    if bundle.contract.preprocessing is None:
        others = [form for form in bundle.contract.forms if form.takes == "raw_rows"]
        features: Mapping[str, Any] = {}
    else:
        others, features = list(bundle.contract.forms), _features(bundle, rows)
        timed[SERVED]["from_features"] = _time_part(bundle, features, often)
    for form in others:
        if form.name != SERVED:
            time = time_form
            if process is not None and RUNTIMES[form.name] == torch_process.RUNTIME:
                time = process.time_form
            inputs = rows if form.takes == "raw_rows" else features
            found = time(form.name, bundle.path(form.name), inputs, often)
            timed[form.name] = found | {"size_bytes": bundle.size_bytes(form.name)}
    return timed


def _features(bundle: Bundle, rows: Inputs) -> dict[str, Any]:
    """Return the features of raw rows, as forms that take features take them."""
    from components.training.parity import preprocessing_of

    return preprocessing_of(bundle)(rows)


def _time_part(bundle: Bundle, features: Inputs, often: Often) -> dict[str, Any]:
    """Return the speed of what the served form does behind its preprocessing."""
    from components.training.composition import open_features_part

    part = open_features_part(bundle.path(SERVED), THREADS)
    return time_calls(part, features, often)
