"""What a schedule is asked for: settings with all files that they name, and the target, as values.

Rules: whoever has it needs no file of the machine where it was written; nothing secret is in it,
since a target names secrets and holds none. A request says what its code compiles
(pipelines/shipped.py): code that compiles another pipeline does not take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from components.core.data_settings import DataCard, Window
from components.core.errors import SettingsError
from pipelines.kubeflow.submission import as_spec, compiled_for
from pipelines.loaded_settings import LoadedSettings
from pipelines.settings import RunSettings
from pipelines.settings_errors import explain
from pipelines.shipped import shipped_of
from pipelines.target import Target

SHIPPED = "shipped_sha256"


@dataclass(frozen=True)
class Request:
    """Runs of one use case on one target."""

    loaded: LoadedSettings
    target: Target
    cache: bool

    def of(self, window: Window) -> LoadedSettings:
        """Return the settings for the spans of one run; SettingsError where they do not fit."""
        values = self.loaded.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
        values["window"] = window.model_dump(mode="json")
        try:
            return replace(self.loaded, settings=RunSettings.model_validate(values))
        except ValidationError as error:
            raise SettingsError(
                f"no run can take {window.first} to {window.last}: {explain(RunSettings, error)}",
                remedy="change schedule.spans, or the window that it is as long as by default",
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object without null, which kfp takes in no parameter."""
        loaded = self.loaded
        return {
            "settings": loaded.settings.model_dump(mode="json", by_alias=True, exclude_none=True),
            "card": loaded.card.model_dump(mode="json", exclude_none=True),
            "schema": loaded.schema,
            "waivers": list(loaded.waivers),
            "overrides": list(loaded.overrides),
            "target": self.target.model_dump(mode="json", by_alias=True, exclude_none=True),
            "cache": self.cache,
            SHIPPED: self._shipped(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Request:
        """Read what `to_dict` wrote; SettingsError for anything else, and of other code."""
        try:
            loaded = LoadedSettings(
                settings=RunSettings.model_validate(value["settings"]),
                card=DataCard.model_validate(value["card"]),
                schema=str(value["schema"]),
                waivers=tuple(value["waivers"]),
                overrides=tuple(value["overrides"]),
            )
            asked = cls(loaded, Target.model_validate(value["target"]), bool(value["cache"]))
            shipped = str(value[SHIPPED])
        except (ValidationError, KeyError, TypeError) as error:
            raise SettingsError(
                "what the schedule asks for is of another version of Tandem",
                remedy="delete the schedule and create it again",
            ) from error
        asked._require_shipped(shipped)
        return asked

    def _shipped(self) -> str:
        return shipped_of(as_spec(compiled_for(self.target))["pipeline_spec"])

    def _require_shipped(self, expected: str) -> None:
        actual = self._shipped()
        if actual != expected:
            raise SettingsError(
                "the schedule was created by code of another pipeline than this image has",
                remedy="build the images from that code, name them in the target, and create the "
                "schedule again; or create it again with the code of these images",
                expected=expected,
                actual=actual,
            )
