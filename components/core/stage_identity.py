"""What a stage is before its work begins: its name, run, settings, inputs and code.

From these follow the cache key and the draft of every record, so that both are made in one place
and the plan of a run asks the same question as the run itself. Nothing is written here.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from components.core.artifacts import ArtifactRef
from components.core.cache import cache_key
from components.core.canonical import sha256_value
from components.core.code import environment
from components.core.errors import SettingsError
from components.core.machine import machine
from components.core.outcome import Outcome
from components.core.settings import Section
from components.core.stage_names import REGISTERING, SEALING

# Their work lies outside the run's folder (a registry, the log), so it is always done.
UNCACHED = frozenset({REGISTERING, SEALING})
PLATFORM_RUN_VARIABLE, ATTEMPT_VARIABLE = "TANDEM_PLATFORM_RUN", "TANDEM_ATTEMPT"
BESIDE_VARIABLE = "TANDEM_BESIDE"
"""The descriptor of a socket to the process that the executor gave the stage beside its own."""
Step = Callable[..., Outcome]
_OF_PLATFORM = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}-([0-9a-f]{8})")


def of_platform(run: Mapping[str, Any], platform_run: str | None) -> dict[str, Any]:
    """Return a run's identity with the beginning of the platform's own id of it behind its id.

    A call that is repeated on its way starts one submission twice, as two runs of the platform:
    what the one records must not close what the other began.
    """
    return {**run, "id": f"{run['id']}-{platform_run[:8]}"} if platform_run else dict(run)


def platform_part(run_id: str) -> str | None:
    """Return what `of_platform` put behind a run's id, None for a run that no platform ran."""
    found = _OF_PLATFORM.fullmatch(run_id)
    return found[1] if found else None


@dataclass(frozen=True)
class Stage:
    """One stage of one run, before its work begins."""

    name: str
    run: Mapping[str, Any]
    settings: Section
    inputs: Mapping[str, ArtifactRef]
    modules: Mapping[str, str]
    attempt: int = 1

    @property
    def parts(self) -> dict[str, Any]:
        """What the cache key is made of (rule 3)."""
        return {
            "stage": self.name,
            "settings": self.settings.model_dump(mode="json"),
            "inputs": {name: ref.sha256 for name, ref in self.inputs.items()},
            "modules": dict(self.modules),
            "lock_sha256": environment()["lock_sha256"],
        }

    @property
    def key(self) -> str:
        """The cache key (rule 3)."""
        return cache_key(**self.parts)

    @property
    def repeats(self) -> bool:
        """Say whether equal inputs give equal outputs, so that the cache may answer.

        Settings whose effect depends on the day say so by `depends_on_day`.
        """
        return self.name not in UNCACHED and not getattr(self.settings, "depends_on_day", False)

    def draft(self, event: str, **parts: Any) -> dict[str, Any]:
        """Return the record's content as the stage claims it; the notary signs it."""
        settings = self.settings.model_dump(mode="json")
        settings.pop("run", None)
        return {
            "event": event,
            **_attempt(self.name, self.run, self.inputs, self.attempt),
            "settings": settings,
            "settings_sha256": sha256_value(settings),
            "code_sha256": sha256_value(dict(self.modules)),
            "environment": {**environment(), **machine()},
            "cache_key": self.key,
        } | parts


def unprepared_draft(
    step: Step, run: Mapping[str, Any], inputs: Mapping[str, ArtifactRef], attempt: int = 1
) -> dict[str, Any]:
    """Return the FAIL of an attempt whose settings, code or environment could not be read."""
    return {
        "event": "FAIL",
        **_attempt(step.__name__, run, inputs, attempt),
        "settings": {},
        "settings_sha256": sha256_value({}),
        "code_sha256": None,
        "environment": {},
        "cache_key": None,
    }


def _attempt(
    stage: str, run: Mapping[str, Any], inputs: Mapping[str, ArtifactRef], attempt: int
) -> dict[str, Any]:
    """Return what a draft says of an attempt of which nothing else is known."""
    return {
        "run": dict(run),
        "stage": stage,
        "attempt": attempt,
        "inputs": [ref.to_dict() for ref in inputs.values()],
        "outputs": [],
        "facts": {},
        "gates": [],
        "cause": None,
        "resources": None,
        "claimed_time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def parse_parameters(step: Step, parameters: Mapping[str, Any]) -> Section:
    """Return a stage's settings: the Section that annotates the step's `settings` argument.

    Raises SettingsError for parameters that do not fit it.
    """
    annotation = typing.get_type_hints(step)["settings"]
    try:
        settings: Section = annotation.model_validate(dict(parameters))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{step.__name__} cannot use its parameter {place}: {first['msg']}",
            remedy="give the pipeline the arguments that `tandem compile` describes",
        ) from error
    return settings


def step_modules(step: Step, settings: Section) -> list[str]:
    """Return the modules where a stage's code starts: the step, and the user's functions."""
    users: Callable[[], list[str]] = getattr(settings, "user_modules", list)
    return [inspect.unwrap(step).__module__, *users()]
