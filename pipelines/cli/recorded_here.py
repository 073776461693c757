"""Whether the code, the data and the environment that a version was made from are here as recorded.

Rules: what is compared with comes from the log alone, stage by stage: the digest of the step's
modules, of the sources' files, of the lock. Where files are looked for, and the pipeline and the
arguments for making it again, come from the run's folder, if that is here, and are held against the
log's digests. Nothing is run and nothing is written.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.audit.claims import signable
from components.core.artifacts import read_json
from components.core.canonical import sha256_value
from components.core.code import environment, module_digests
from components.core.data_settings import Source, Window
from components.core.errors import SettingsError, TandemError
from components.core.settings import Section
from components.core.sources import use_sources
from components.core.stage_identity import UNCACHED, step_modules
from components.core.stage_names import INGESTING
from components.register_models.lineage import Work
from components.register_models.logbook import Logbook, Release
from pipelines.home import Home
from pipelines.plan import load_step, prospective_stage
from pipelines.runners.ir import Pipeline, parse_pipeline
from pipelines.runs import find_run
from pipelines.settings_file import REPOSITORY
from pipelines.sources import pin_sources
from pipelines.start import ARGUMENTS_FILE, START_FILE, read_ir, read_start


@dataclass(frozen=True)
class Check:
    """One thing that must be here as it was; `why` says what else is."""

    what: str
    same: bool
    recorded: str
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    def to_text(self) -> str:
        """Return it for people, on one line."""
        return f"{self.what}: as recorded" if self.same else f"{self.what}: not here: {self.why}"


@dataclass(frozen=True)
class Kept:
    """What the run's folder keeps for making it again."""

    ir: str
    pipeline: Pipeline
    arguments: Mapping[str, Any]
    sources: Path


@dataclass(frozen=True)
class Recorded:
    """A version's release, and the work behind it by stage."""

    release: Release
    run: Mapping[str, Any]
    work: Mapping[str, Work]

    @classmethod
    def of(cls, book: Logbook, release: Release) -> Recorded:
        """Return what the log says of a version."""
        audit = book.statements[release.record]["predicate"]["tandem_audit"]
        work = {item.audit["stage"]: item for item in book.made(release).values()}
        own = Work(release.record, audit)
        return cls(release, audit["run"], {**work, audit["stage"]: own})


def checks(recorded: Recorded, home: Home) -> list[Check]:
    """Return every check, in the order of code, environment, data and the run's folder."""
    sources = _sources(recorded, home)
    use_sources(sources)
    return [
        *_code(recorded),
        *_environment(recorded),
        *_data(recorded, sources),
        *_folder(recorded, home),
    ]


def kept(recorded: Recorded, home: Home) -> Kept:
    """Return what a run's folder keeps; SettingsError or DataError where it does not."""
    run = find_run(home, recorded.release.run)
    ir = read_ir(run.folder, recorded.run["ir_sha256"])
    pipeline = parse_pipeline(yaml.load(ir, Loader=yaml.CSafeLoader))
    arguments = read_json(run.folder / ARGUMENTS_FILE)
    return Kept(ir, pipeline, arguments, Path(read_start(run.folder).sources))


def _sources(recorded: Recorded, home: Home) -> Path:
    """Return the folder of the run's settings file, the repository where nobody knows it."""
    folder = home.runs / recorded.release.run
    there = (folder / START_FILE).is_file()
    return Path(read_start(folder).sources) if there else REPOSITORY


def _code(recorded: Recorded) -> Iterator[Check]:
    for stage, work in recorded.work.items():
        expected = str(work.audit["code_sha256"])
        try:
            actual, why = modules_digest(stage, work.settings), ""
        except TandemError as error:
            actual, why = "", error.message
        changed = why or f"its modules hash to {actual[:12]}, recorded was {expected[:12]}"
        yield Check(f"code of {stage}", actual == expected, expected, changed)


def modules_digest(stage: str, settings: Mapping[str, Any]) -> str:
    """Return the digest that a stage's records name of its code, for recorded settings.

    They are read only where they name modules of the user's: what no record keeps, such as where
    the champion lay, would be missing. Raises SettingsError for ones that the step does not take.
    """
    step = load_step(stage)
    section: type[Section] = typing.get_type_hints(step)["settings"]
    if stage in UNCACHED or not hasattr(section, "user_modules"):
        return sha256_value(module_digests([step.__module__]))
    return sha256_value(module_digests(step_modules(step, _parsed(section, settings))))


def _parsed(section: type[Section], settings: Mapping[str, Any]) -> Section:
    """Return recorded settings as a step takes them; they are recorded by their fields' names."""
    try:
        return section.model_validate(dict(settings), by_name=True)
    except ValidationError as error:
        raise SettingsError(
            f"its step takes other settings now: {error.errors()[0]['msg']}",
            remedy="check out the recorded commit",
        ) from error


def _environment(recorded: Recorded) -> Iterator[Check]:
    """Yield one check for each part of the environment; stages share what they were run in.

    Of the machine nothing is asked: what a record says of it does not decide a result.
    """
    here = environment()
    for name in sorted(here):
        said = {_made_in(work)[name] for work in recorded.work.values() if name in _made_in(work)}
        expected = ", ".join(sorted(said))
        same = said == {here.get(name)}
        yield Check(f"{name} of the environment", same, expected, f"here it is {here.get(name)}")


def _made_in(work: Work) -> Mapping[str, str]:
    made: Mapping[str, str] = work.audit["environment"]
    return made


def _data(recorded: Recorded, sources: Path) -> Iterator[Check]:
    """Yield whether the sources' files are those of the ingestion; of a query nobody can say."""
    settings = recorded.work[INGESTING].settings
    try:
        source = Source.model_validate(settings["source"])
        spans = Window.model_validate(settings["window"]).spans()
    except (KeyError, ValidationError) as error:
        why = f"its record names them otherwise than this version does: {type(error).__name__}"
        yield Check("data", False, "", why)
        return
    expected = recorded.work[INGESTING].facts.get("source", {}).get("files", ())
    said = ", ".join(f"{file['location']} {file['sha256']}" for file in expected)
    try:
        pinned = pin_sources(source, sources, spans=spans)
    except TandemError as error:
        yield Check("data", False, said, f"{error.message}; {error.remedy}")
        return
    queried = [table.name for table in (pinned.table, *pinned.joins.values()) if table.query]
    why = f"{', '.join(queried)} is asked of a database, whose state nobody recorded"
    yield Check("data", not queried, said, why if queried else "")


def _folder(recorded: Recorded, home: Home) -> Iterator[Check]:
    """Yield whether the run's folder keeps the pipeline and the settings that the log names."""
    ir_sha256 = str(recorded.run.get("ir_sha256"))
    try:
        found = kept(recorded, home)
        differing = list(_other_settings(recorded, found))
    except TandemError as error:
        yield Check("the run's folder", False, ir_sha256, f"{error.message}; {error.remedy}")
        return
    why = f"its settings of {', '.join(differing)} are not those of the log" if differing else ""
    yield Check("the run's folder", not differing, ir_sha256, why)


def _other_settings(recorded: Recorded, found: Kept) -> Iterator[str]:
    """Yield the stages for which the kept arguments are not the recorded settings."""
    for task in found.pipeline.tasks.values():
        work = recorded.work.get(task.stage)
        if work is not None and task.stage not in UNCACHED:
            settings = prospective_stage(task, found.arguments, {}).settings.model_dump(mode="json")
            if sha256_value(signable(settings)) != work.audit["settings_sha256"]:
                yield task.stage
