"""The user's functions: `module:function`, loaded by name.

Rules: a model function is called as `build_model(spec, family, seed)` and returns the framework's
own model, which maps dense float32 [batch, D] and ids int32 [batch, K] to [batch, spec.outputs]: a
logit, a logit for each class, or a number (heads.py). A name that cannot be loaded is the caller's
error, and so is what the module raises, shown with its line.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from components.core.errors import SettingsError
from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.core.sources import make_importable
from components.training.users_line import naming_the_users_line

BuildModel = Callable[[FeatureSpec, ModelFamily, int], Any]
CUSTOM_FAMILY = "custom"
MODEL_FUNCTION = "model function"


def module_of(name: str) -> str:
    """Return the module's part of `module:function`."""
    return name.partition(":")[0]


def load_model_function(name: str) -> BuildModel:
    """Return the model function of that name; raise SettingsError if there is none."""
    build: BuildModel = load_function(name, MODEL_FUNCTION, "model")
    return build


def load_function(name: str, what: str, section: str) -> Callable[..., Any]:
    """Return the function that `module:function` names; raise SettingsError if there is none.

    `what` it is and the `section` of the settings that names it are for the message.
    """
    with naming_the_users_line(name, what):
        module = _load_module(name, what, section)
    found = getattr(module, name.partition(":")[2], None)
    if not callable(found):
        raise SettingsError(
            f"{module_of(name)} has no function {name.partition(':')[2]}",
            remedy=f"name a function of that module in the settings' {section} section",
            expected=name,
        )
    function: Callable[..., Any] = found
    return function


def family_of(name: str) -> str:
    """Return the FAMILY that the function's module declares, or `custom`."""
    module = _load_module(name, MODEL_FUNCTION, "model")
    return str(getattr(module, "FAMILY", CUSTOM_FAMILY))


def _load_module(name: str, what: str, section: str) -> ModuleType:
    module = module_of(name)
    make_importable()
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise SettingsError(
            f"{what} {name}: there is no module {error.name}",
            remedy=f"correct the name in the settings' {section} section, or install its package",
        ) from error
