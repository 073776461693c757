"""Settings as a run takes them: the file and its companions, read into the pipeline's arguments.

Rules: the schema, the card, the waivers and the policy, unless it is a section, are files named
relative to the settings file or the repository; their contents, never their paths, reach the
stages. What holds between the sections is settings.py's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from components.core.canonical import sha256_value
from components.core.data_settings import DataCard
from components.core.errors import SettingsError
from components.core.policy import Policy
from components.core.settings import Section
from pipelines.settings import RunSettings
from pipelines.settings_errors import explain, to_correct
from pipelines.settings_file import SUFFIXES, apply_overrides, companion, read_yaml

AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True)
class LoadedSettings:
    """Parsed settings with the contents of the files that they name.

    `overrides` is what changed the file, KEY=VALUE; `settings` has it already.
    """

    settings: RunSettings
    card: DataCard
    schema: str
    waivers: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments that come from settings: all but run and champion.

        What is not set is left out, because kfp refuses null inside a parameter.
        """
        sections = self.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
        del sections["name"]
        contents = {"card": self.card.model_dump(mode="json"), "schema": self.schema}
        return sections | contents | {"waivers": list(self.waivers)}

    @property
    def sha256(self) -> str:
        """The digest of everything that a person chose, file contents included."""
        return sha256_value({"name": self.settings.name, **self.arguments()})


def load_settings(path: Path, overrides: Sequence[str] = ()) -> LoadedSettings:
    """Read a settings file, change what `overrides` (KEY=VALUE) say, and check all of it.

    Raises SettingsError for anything that cannot be used, naming the key or the file.
    """
    settings = read_settings(path, overrides)
    return LoadedSettings(
        settings=settings,
        card=load_card(path, settings),
        schema=_schema_text(companion(path, settings.schema_file, "schema"), settings),
        waivers=tuple(_waiver(path, name) for name in settings.waivers),
        overrides=tuple(overrides),
    )


def read_settings(path: Path, overrides: Sequence[str] = ()) -> RunSettings:
    """Read a settings file and the policy file that it or an override names, and check them."""
    values = read_yaml(path)
    if isinstance(name := values.get("policy"), str):
        values["policy"] = _policy_values(path, name)
    return parse_settings(values, str(path), [_with_policy(path, item) for item in overrides])


def _with_policy(settings_file: Path, override: str) -> str:
    """Return an override; one of the policy by a file's name has the file's content instead."""
    key, _, value = override.partition("=")
    if key != "policy" or Path(value).suffix not in SUFFIXES:
        return override
    return f"policy={json.dumps(_policy_values(settings_file, value))}"


def _policy_values(settings_file: Path, name: str) -> dict[str, Any]:
    """Return what a policy file says; SettingsError, to be corrected there, where it is wrong."""
    file = companion(settings_file, name, "policy")
    load_policy(file)
    return read_yaml(file)


def load_policy(path: Path) -> Policy:
    """Read a policy file; SettingsError for what no policy can say."""
    return _parse(Policy, read_yaml(path), str(path))


def _waiver(settings_file: Path, name: str) -> str:
    """Return a waiver's text without the line end that editors add; a stage judges what it is."""
    path = companion(settings_file, name, "waivers")
    return path.read_text(encoding="utf-8", errors="replace").strip()


def load_card(path: Path, settings: RunSettings) -> DataCard:
    """Return the data card that the settings of a file name."""
    card = read_yaml(companion(path, settings.card, "card"))
    return _parse(DataCard, card, settings.card)


def _schema_text(path: Path, settings: RunSettings) -> str:
    """Return the text of the schema that the settings fit; SettingsError where they do not.

    A signed waiver may let a column pass that the schema does not know, so where there is one the
    stage alone can say which names are wrong.
    """
    from components.validate_examples.comparators import comparators
    from components.validate_examples.names import check_schema_names, check_severities
    from pipelines.schema_text import read_schema

    schema = read_schema(path)
    check_severities(settings.checks)
    comparators(schema, settings.checks)
    if not settings.waivers:
        check_schema_names(
            schema,
            checks=settings.checks,
            transform=settings.transform,
            source=settings.source,
            slices=settings.evaluate.slices,
            sensitive=settings.evaluate.sensitive,
        )
    return path.read_text(encoding="utf-8")


def parse_settings(
    values: Mapping[str, Any], place: str, overrides: Sequence[str] = ()
) -> RunSettings:
    """Return the settings in a mapping, changed by the overrides.

    Raises SettingsError with the keys that are wrong, whose remedy names `place` or the overrides.
    """
    changed = apply_overrides(values, overrides)
    try:
        return RunSettings.model_validate(changed)
    except ValidationError as error:
        where = to_correct(RunSettings, error, values, place, overrides)
        raise SettingsError(explain(RunSettings, error), remedy=f"correct {where}") from None


def _parse(kind: type[AnySection], values: Mapping[str, Any], place: str) -> AnySection:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError(explain(kind, error), remedy=f"correct it in {place}") from None
