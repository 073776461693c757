"""`tandem audit impact | gates | diff | inventory`: an auditor's questions, answered from the log.

Rules: the log is read and verified, no notary and no registry is asked; each answer cites index and
digest of its records and the checkpoint that covers them; 4 where the answer is not whole, because
something was started and never closed.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from components.core.errors import SettingsError, UnverifiableError
from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.register_models.impact import Ingestion
    from components.register_models.logbook import Logbook, Release

MODELS_REMEDY = "name a version as a run registered it, or an alias that the log knows"


class Answer(Protocol):
    """What a command prints; both forms cite the same records."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""

    def to_text(self) -> str:
        """Return the answer for people."""


def impact(arguments: Namespace) -> int:
    """Say which registered models saw a dataset or a span."""
    from components.audit.completeness import refusing_with_citation
    from components.audit.findings import exit_code
    from components.register_models.impact import impact as find
    from components.register_models.subject_impact import impact_of_subject

    home = Home.at(arguments.home).folder
    if (arguments.what is None) == (arguments.subject is None):
        raise SettingsError("which data?", remedy="name a dataset, a span, or --subject, and one")
    with refusing_with_citation(home):
        if arguments.subject is None:
            answer = find(home, arguments.what)
        else:
            answer = impact_of_subject(home, arguments.subject, _subjects_key(arguments))
    _print(answer, arguments)
    found = exit_code(answer.complete.findings)
    return found or (UnverifiableError.exit_code if answer.unknown or answer.erased else 0)


def forget(arguments: Namespace) -> int:
    """Erase a subject from the indexes of rows; no record changes.

    5 where there is no index, and where one may be of another key.
    """
    from components.audit.subjects import erase, kept_roots
    from components.register_models.logbook import Logbook
    from components.register_models.subject_impact import subject_roots

    home = Home.at(arguments.home).folder
    book = Logbook.read(home)
    named = {root: item for item, root in subject_roots(book) if root}
    roots = {*named, *kept_roots(home)}
    if not roots:
        raise UnverifiableError(
            "no ingestion in the log has an index of subjects, so nothing was erased",
            remedy="see that --home is the one that the data was ingested in",
        )
    erased = erase(home, sorted(roots), _subjects_key(arguments), arguments.subject)
    cited = [_root_cited(root, named.get(root)) for root in erased.roots]
    unknown = [_root_cited(root, named.get(root)) for root in erased.unknown]
    code = UnverifiableError.exit_code if unknown else 0
    if arguments.json:
        said = {"erased_from": cited, "unknown": unknown, "indexes": len(roots)}
        print_json(said | {"checkpoint": book.checkpoint})
        return code
    print(f"erased from {len(cited)} of {len(roots)} indexes of subjects")
    for item in cited:
        print(f"    {_by_record(item)}")
    for item in unknown:
        print(f"nothing shows that this key made the index {_by_record(item)}")
    print(f"\ncovered by checkpoint:\n{book.checkpoint}")
    return code


def _root_cited(root: str, item: Ingestion | None) -> dict[str, Any]:
    """Return a root and the record that names it, if any: a failed ingestion's has none."""
    cited = {} if item is None else {"index": item.index, "record": item.record}
    return {"root": root, "index": None, "record": None} | cited


def _by_record(item: Mapping[str, Any]) -> str:
    if item["record"] is None:
        return f"{item['root']}, named by no record"
    return f"{item['root']}, named by #{item['index']} record  {item['record']}"


def _subjects_key(arguments: Namespace) -> bytes:
    from components.audit.subjects import key_of_environment, read_key

    return read_key(Path(arguments.key)) if arguments.key else key_of_environment()


def gates(arguments: Namespace) -> int:
    """List the gates that were judged, or those that failed."""
    from components.audit.completeness import refusing_with_citation
    from components.audit.findings import exit_code
    from components.audit.gates import Period
    from components.audit.gates import gates as find

    since, until = arguments.since, arguments.until
    period = Period(
        since=None if since is None else moment("--since", since, at_end=False),
        until=None if until is None else moment("--until", until, at_end=True),
    )
    if period.is_empty:
        raise SettingsError(
            f"--until {until} is before --since {since}: nothing can be in between",
            remedy="give the earlier one as --since",
        )
    home = Home.at(arguments.home).folder
    with refusing_with_citation(home):
        answer = find(home, failed=arguments.failed, period=period)
    _print(answer, arguments)
    return exit_code(answer.complete.findings)


def diff(arguments: Namespace) -> int:
    """Say what differs between two versions, gates and people too."""
    from components.audit.completeness import no_version_omitted, refusing_with_citation
    from components.audit.findings import exit_code
    from components.audit.verified_log import VerifiedLog
    from components.register_models.logbook import Logbook
    from components.register_models.version_difference import version_difference

    home = Home.at(arguments.home).folder
    log = VerifiedLog.of(home)
    book = Logbook.of(log)
    with no_version_omitted(home, log):
        one, two = (release_named(book, what) for what in (arguments.one, arguments.two))
    with refusing_with_citation(home):
        answer = version_difference(home, log, book, one, two)
    _print(answer, arguments)
    return exit_code(answer.complete.findings)


def release_named(book: Logbook, what: str) -> Release:
    """Return the version that is named, by the log alone; SettingsError where it knows none."""
    from pipelines.cli.version_name import version_named

    models = {model for model, _ in book.releases}
    aliases = {key: str(change.after) for key, change in book.aliases.items()}
    model, number = version_named(what, models, aliases)
    if (model, number) not in book.releases:
        raise SettingsError(
            f"no record in the log registered version {number} of {model}", remedy=MODELS_REMEDY
        )
    return book.releases[model, number]


def inventory(arguments: Namespace) -> int:
    """Say which versions were in use at a moment, and who had approved them."""
    from components.audit.findings import exit_code
    from components.register_models.inventory import inventory as find

    at = moment("--at", arguments.at, at_end=True)
    answer = find(Home.at(arguments.home).folder, at)
    _print(answer, arguments)
    return exit_code(answer.complete.findings)


def moment(option: str, text: str, *, at_end: bool) -> datetime:
    """Return a moment: of a day (UTC) its beginning or its end, else as said, UTC unless it says.

    Raises SettingsError for what is neither.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            said = datetime.fromisoformat(text)
        except ValueError:
            raise SettingsError(
                f"{option} {text}: neither a day nor a moment",
                remedy="write it as 2027-01-31 or 2027-01-31T12:00:00Z",
            ) from None
        return said if said.tzinfo else said.replace(tzinfo=UTC)
    return datetime.combine(day, time.max if at_end else time.min, UTC)


def _print(answer: Answer, arguments: Namespace) -> None:
    if arguments.json:
        print_json(answer.to_dict())
    else:
        print(answer.to_text())
