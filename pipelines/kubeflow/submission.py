"""A run for a cluster: what KFP is given, made and checked before anybody is asked.

Rules:
1. nothing of this machine goes along: sources are read by the stages' pods, so they lie where pods
   can reach them; the champion comes to it when it is sent (champion.py);
2. the run's name is USECASE-SPAN-KEY, KEY the digest of what was compiled, of the settings with
   their window, and of whether the cache is used: the same command gives the same name, by which
   a run is found again (once.py);
3. images are by a real digest, and spans have ended.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from components.core.canonical import sha256_value
from components.core.errors import SettingsError
from components.reading.databases import variable_of
from pipelines.arguments import sections_and_identity
from pipelines.compiler import TRAINING, compiled
from pipelines.kubeflow.siblings import KEY_LENGTH
from pipelines.kubeflow.windows import require_ended
from pipelines.loaded_settings import LoadedSettings
from pipelines.preflight.against_schema import check_against_schema
from pipelines.preflight.against_source import check_against_source
from pipelines.preflight.checks import check_signature_names
from pipelines.preflight.on_target import check_on_target, check_subjects
from pipelines.shipped import shipped_of
from pipelines.sources import MAIN, require_table, source_tables
from pipelines.target import Target

REACHABLE = ("s3://", "gs://", "package://", "http://", "https://")
NO_FOLDER = Path("/")
"""Where relative sources start: there are none (rule 1)."""


@dataclass(frozen=True)
class Submission:
    """A run that can be sent: `parameters` are the pipeline's but for the champion of `model_name`.

    `spec` is what KFP runs.
    """

    use_case: str
    span: str
    key: str
    model_name: str
    target: Target
    ir: str
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The run's name in KFP (rule 2)."""
        return f"{self.same_span}{self.key}"

    @property
    def same_span(self) -> str:
        """What the names of all runs of this use case and span begin with."""
        return f"{self.use_case}-{self.span}-"

    @property
    def spec(self) -> Mapping[str, Any]:
        """The compiled pipeline with its Kubernetes part, as a run carries both."""
        return as_spec(self.ir)

    @property
    def shipped_sha256(self) -> str:
        """What it does, wherever it runs (pipelines/shipped.py)."""
        return shipped_of(self.spec["pipeline_spec"])


@functools.lru_cache(maxsize=8)
def as_spec(ir: str) -> Mapping[str, Any]:
    """Return a compiled pipeline of two documents as the API takes it inside a run.

    It is parsed once, which takes a tenth of a second; nobody changes what is returned.
    """
    pipeline, platform = yaml.load_all(ir, Loader=yaml.CSafeLoader)
    return MappingProxyType({"pipeline_spec": pipeline, "platform_spec": platform})


def prepare(
    loaded: LoadedSettings,
    target: Target,
    *,
    cache: bool,
    trigger: str = "manual",
    now: datetime.datetime | None = None,
) -> Submission:
    """Check what can be checked wherever kfp is, a pod of the launcher too; return what to send.

    Raises SettingsError for what a cluster could not use.
    """
    settings = loaded.settings
    require_placeable(target)
    require_ended(settings.window, ZoneInfo(target.time_zone), now or utc_now())
    require_reachable(loaded, target)
    ir = compiled_for(target)
    taken = as_spec(ir)["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
    sections, identity = sections_and_identity(loaded, ir, taken, NO_FOLDER, cache=cache)
    parameters = {**sections, "run": identity | {"trigger": trigger}}
    key = sha256_value({"ir": identity["ir_sha256"], "settings": loaded.sha256, "cache": cache})
    return Submission(
        use_case=settings.name,
        span=settings.window.last,
        key=key[:KEY_LENGTH],
        model_name=settings.registry.model_name,
        target=target,
        ir=ir,
        parameters=parameters,
    )


def compiled_for(target: Target) -> str:
    """Return the pipeline as this code compiles it for a target: no other is ever submitted."""
    return _compiled(target.model_dump_json(by_alias=True))


@functools.cache
def _compiled(target: str) -> str:
    """Return the pipeline for a target, given as JSON: for many runs it is compiled once."""
    return compiled(TRAINING, Target.model_validate_json(target))


def check_run(loaded: LoadedSettings, target: Target) -> None:
    """Raise SettingsError for one run that would fail there, before anybody is asked."""
    check_settings(loaded, target)
    require_ended(loaded.settings.window, ZoneInfo(target.time_zone), utc_now())


def check_settings(loaded: LoadedSettings, target: Target) -> None:
    """Raise SettingsError for settings that would fail there, as they do here before a run."""
    settings = loaded.settings
    require_placeable(target)
    require_reachable(loaded, target)
    check_on_target(settings.train, target)
    check_subjects(settings.source.subject, target)
    check_signature_names(settings)
    check_against_schema(settings, loaded.schema)
    spans = settings.window.spans()
    if files := require_table(MAIN, settings.source.table, NO_FOLDER, spans):
        check_against_source(settings.source, files[0])


def utc_now() -> datetime.datetime:
    """Return the moment."""
    return datetime.datetime.now(datetime.UTC)


def require_placeable(target: Target) -> None:
    """Raise SettingsError for a target that is no cluster's, or whose images are not there."""
    if target.images is None or target.root is None:
        raise SettingsError(
            f"the target {target.name} is no cluster's: it has no images or no root",
            remedy="name another with --target, or run it here with `tandem run`",
        )
    if missing := target.images.missing():
        raise SettingsError(
            f"the target {target.name} has digests of zeros for {', '.join(missing)}",
            remedy="put in those of your own images (docs/images.md)",
        )


def require_reachable(loaded: LoadedSettings, target: Target) -> None:
    """Raise SettingsError for a source that only this machine can read (rule 1)."""
    given = {*target.environment, *target.secrets, *target.config_maps}
    if result := loaded.settings.checks.example_validator:
        _require_in_bucket("checks.example_validator", result.location)
    for key, table in source_tables(loaded.settings.source):
        place, database = table.location or "", table.database
        if database is None:
            _require_in_bucket(key, place)
        if database is not None and (variable := variable_of(database)) not in given:
            raise SettingsError(
                f"{key} is in the database {database}, whose address the target {target.name} does "
                "not give to the pods",
                remedy=f"name {variable} below the target's secrets",
            )


def _require_in_bucket(key: str, place: str) -> None:
    file = place.rpartition("::")[2]  # of an archive, where that lies
    if not file.startswith(REACHABLE):
        raise SettingsError(
            f"{key} is at {place}, which the pods of a cluster do not have",
            remedy="put it into a bucket, and name it as s3://BUCKET/KEY or gs://BUCKET/KEY",
        )
