"""`tandem audit reproduce`: what a version was made from, whether it is here, and what comes again.

Rules: without --run nothing is run and nothing written; with it, the run is made again only where
code, data, environment and settings are as recorded, because anything else proves nothing; a
champion that is not here keeps nothing else from being tried. 0 where all that must repeat did, 4
where something did not, or where the version has findings (version_findings.py), 5 where it could
not be tried, or not all of it compared.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.audit.completeness import no_version_omitted, refusing_with_citation
from components.audit.findings import Finding
from components.audit.findings import exit_code as code_of
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import version_findings
from components.core.errors import IntegrityError, SettingsError, UnverifiableError
from components.register_models.logbook import Logbook
from pipelines.cli.audit_answers import release_named
from pipelines.cli.champion_bundle import ChampionBundle, champion_bundle
from pipelines.cli.output import print_json
from pipelines.cli.recorded_here import Check, Recorded, checks, kept
from pipelines.home import Home

if TYPE_CHECKING:
    from pipelines.cli.verdicts import Verdict

SCHEMA = "https://tandem.invalid/reproduction/v1"


def reproduce(arguments: Namespace) -> int:
    """Say whether what a version was made from is here, and with --run make it again."""
    if arguments.into and not arguments.run:
        raise SettingsError("--into is where --run works", remedy="give --run too, or leave it out")
    home = Home.at(arguments.home)
    log = VerifiedLog.of(home.folder)
    book = Logbook.of(log)
    with no_version_omitted(home.folder, log):
        release = release_named(book, arguments.version)
    recorded = Recorded.of(book, release)
    with refusing_with_citation(home.folder):
        log.proven([recorded.release.record])
    champion = champion_bundle(recorded, home)
    found = checks(recorded, home)
    lacking = [check for check in found if not check.same]
    if champion is not None:
        found.append(champion.to_check())
    findings = version_findings(log, [release.record])
    answer = _answer(recorded, log, found, findings)
    if not arguments.run:
        _print(answer, found, arguments)
        all_here = all(check.same for check in found)
        return code_of(findings) or (0 if all_here else UnverifiableError.exit_code)
    if lacking:
        raise UnverifiableError(
            f"the run of {arguments.version} cannot be made again here: "
            + "; ".join(check.to_text() for check in lacking),
            remedy=f"check out {recorded.run['code']['commit'] or 'its code'}, run `make setup`, "
            "and restore the data and the run's folder",
        )
    made = _run(recorded, champion, home, answer, found, arguments)
    return code_of(findings) or made


def _run(
    recorded: Recorded,
    champion: ChampionBundle | None,
    home: Home,
    answer: dict[str, Any],
    found: Sequence[Check],
    arguments: Namespace,
) -> int:
    from pipelines.cli.repetition import repeat
    from pipelines.cli.verdicts import verdicts
    from pipelines.recorded import RecordedArtifacts
    from pipelines.runs import find_run

    before = find_run(home, recorded.release.run)
    with _fresh_home(arguments.into) as fresh:
        again = repeat(recorded, kept(recorded, home), champion, (home, fresh), sys.stderr)
        of_both = RecordedArtifacts.of(before, home), RecordedArtifacts.of(again, fresh)
        is_here = champion is None or champion.path is not None
        judged = list(verdicts(*of_both, champion=is_here))
    answer |= {
        "run_again": {"id": again.id, "state": again.state, "home": arguments.into},
        "artifacts": [verdict.to_dict() for verdict in judged],
    }
    _print(answer, found, arguments, [verdict.to_text() for verdict in judged])
    return exit_code(judged)


def exit_code(judged: Sequence[Verdict]) -> int:
    """Return 4 where something must repeat and did not, 5 where that is not known, else 0."""
    if any(verdict.is_finding for verdict in judged):
        return IntegrityError.exit_code
    return UnverifiableError.exit_code if any(verdict.is_open for verdict in judged) else 0


@contextmanager
def _fresh_home(into: str | None) -> Iterator[Home]:
    """Give a home that holds nothing: the folder named, else a temporary one."""
    if into is None:
        with tempfile.TemporaryDirectory(prefix="tandem-reproduced-") as temporary:
            yield Home(Path(temporary))
        return
    folder = Path(into).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"--into {into} holds something", remedy="name a new folder")
    yield Home(folder)


def _answer(
    recorded: Recorded, log: VerifiedLog, found: Sequence[Check], findings: Sequence[Finding]
) -> dict[str, Any]:
    release = recorded.release
    stages = [
        {
            "stage": stage,
            "index": log.ledger.find(work.record).index,
            "record": work.record,
            "settings_sha256": work.audit["settings_sha256"],
            "code_sha256": work.audit["code_sha256"],
        }
        for stage, work in recorded.work.items()
    ]
    return {
        "schema": SCHEMA,
        "model": release.model,
        "version": release.version,
        "index": release.index,
        "record": release.record,
        "run": dict(recorded.run),
        "stages": sorted(stages, key=lambda stage: stage["index"]),
        "here": [check.to_dict() for check in found],
        "artifacts": None,
        "findings": [finding.to_dict() for finding in findings],
        "checkpoint": log.checkpoint,
    }


def _print(
    answer: dict[str, Any], found: Sequence[Check], arguments: Namespace, lines: Sequence[str] = ()
) -> None:
    if arguments.json:
        print_json(answer)
        return
    code = answer["run"].get("code") or {}
    changed = ", with uncommitted changes" if code.get("dirty") else ""
    print(f"{answer['model']}@{answer['version']} by run {answer['run']['id']}")
    print(f"    #{answer['index']} record  {answer['record']}")
    print(f"commit {code.get('commit') or 'unknown'}{changed}")
    for stage in answer["stages"]:
        print(f"#{stage['index']} {stage['stage']}, record {stage['record']}")
    for check in found:
        print(check.to_text())
    if again := answer.get("run_again"):
        print(f"made again as run {again['id']}: {again['state'].lower()}")
    for line in lines:
        print(line)
    for finding in answer["findings"]:
        print(Finding(**finding).to_text())
    print(f"\ncovered by checkpoint:\n{answer['checkpoint']}")
