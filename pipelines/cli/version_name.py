"""How a registered version is named in words: a number or an alias, of NAME@ or the only model.

Rules: one grammar for every command; whose aliases count, the caller says: MLflow's for commands
that look, the log's for those that act, because MLflow's may have been moved by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from components.core.errors import SettingsError


def version_named(
    what: str, models: Collection[str], aliases: Mapping[tuple[str, str], str]
) -> tuple[str, str]:
    """Return (model, number), whether there is such a version or not.

    `aliases` are numbers by model and alias. Raises SettingsError for an alias that is none, and
    where the model is not said and not the only one.
    """
    name, _, version = what.rpartition("@")
    model = name or model_named(None, models)
    if version.isdigit():
        return model, version
    if (number := aliases.get((model, version))) is None:
        raise SettingsError(
            f"{model} has no version or alias {version}", remedy="`tandem models list` shows them"
        )
    return model, number


def model_named(name: str | None, models: Collection[str]) -> str:
    """Return the model that is meant: the one named, else the only one; else SettingsError."""
    known = sorted(models)
    if name in known or (name is None and len(known) == 1):
        return name or known[0]
    raise SettingsError(
        f"no model {name} is registered"
        if name
        else f"{len(known)} models are registered: {', '.join(known) or 'none'}",
        remedy=f"name one of: {', '.join(known)}" if known else "run the pipeline first",
    )
