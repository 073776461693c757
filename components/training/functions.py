"""The user's model functions: `module:function`, loaded by name.

Rules: the function is called as `build_model(spec, family, seed)` and returns the framework's own
model, which maps dense float32 [batch, D] and ids int32 [batch, K] to a logit [batch, 1]. A name
that cannot be loaded is the caller's error; an error inside the module is shown as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from components.core.errors import SettingsError
from components.core.features import FeatureSpec
from components.core.settings import ModelFamily
from components.core.sources import make_importable

BuildModel = Callable[[FeatureSpec, ModelFamily, int], Any]
CUSTOM_FAMILY = "custom"


def module_of(name: str) -> str:
    """Return the module's part of `module:function`."""
    return name.partition(":")[0]


def load_model_function(name: str) -> BuildModel:
    """Return the function that `module:function` names; raise SettingsError if there is none."""
    found = getattr(_load_module(name), name.partition(":")[2], None)
    if not callable(found):
        raise SettingsError(
            f"{module_of(name)} has no function {name.partition(':')[2]}",
            remedy="name a function of that module in the settings' model section",
            expected=name,
        )
    build: BuildModel = found
    return build


def family_of(name: str) -> str:
    """Return the FAMILY that the function's module declares, or `custom`."""
    return str(getattr(_load_module(name), "FAMILY", CUSTOM_FAMILY))


def _load_module(name: str) -> ModuleType:
    module = module_of(name)
    make_importable()
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise SettingsError(
            f"model function {name}: there is no module {error.name}",
            remedy="correct the name in the settings' model section, or install its package",
        ) from error
