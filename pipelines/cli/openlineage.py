"""`tandem audit openlineage`: the log's lineage as OpenLineage events, to a file or to a server.

Rules: the log is verified first; nothing is sent anywhere but to the address that was typed, no
environment variable and no proxy is asked, and no redirection is followed; a key for the server
comes from a file, and goes over TLS or to the loopback address alone. The file is a JSON object a
line, whole or not there. A server may take the same events again: their identifiers do not change.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.audit.answers import RecordView
from components.audit.client import LOOPBACK
from components.audit.completeness import completeness, no_version_omitted, refusing_with_citation
from components.audit.findings import exit_code
from components.audit.openlineage import events
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import wrong_gates
from components.core.errors import PlatformError, SettingsError
from components.register_models.logbook import Logbook
from pipelines.cli.audit_answers import release_named
from pipelines.cli.output import print_json
from pipelines.cli.output_file import require_file_name
from pipelines.home import Home

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

ENDPOINT = "/api/v1/lineage"
_SECONDS = 30.0


def openlineage(arguments: Namespace) -> int:
    """Write or send the events of a run, of all that stands behind a version, or of everything."""
    _check_words(arguments)
    home = Home.at(arguments.home).folder
    log = VerifiedLog.of(home)
    with no_version_omitted(home, log):
        chosen = _chosen(log, arguments.what)
    with refusing_with_citation(home):
        made = list(events(log, chosen, arguments.namespace))
    about = [wrong.finding for wrong in wrong_gates(_with_ancestors(log, chosen), log.statement)]
    complete = completeness(home, log, about)
    if arguments.output:
        _write(Path(arguments.output), made)
    else:
        _send(arguments.url, made, _key(arguments.api_key_file))
    where = arguments.output or arguments.url
    if arguments.json:
        said = {"events": len(made), "to": where, "completeness": complete.to_dict()}
        found = [finding.to_dict() for finding in complete.findings]
        print_json({**said, "findings": found, "checkpoint": log.checkpoint})
        return exit_code(complete.findings)
    print(f"{len(made)} events: {where}")
    for finding in complete.findings:
        print(finding.to_text())
    print(f"{complete.to_text()}\n\ncovered by checkpoint:\n{log.checkpoint}")
    return exit_code(complete.findings)


def _check_words(arguments: Namespace) -> None:
    if bool(arguments.output) == bool(arguments.url):
        raise SettingsError("where to?", remedy="give -o FILE or --url URL, and one of them")
    if arguments.api_key_file and not arguments.url:
        raise SettingsError("--api-key-file is for --url", remedy="leave it out")


def _chosen(log: VerifiedLog, what: str | None) -> Sequence[RecordView]:
    """Return the records that are asked for, in their order; SettingsError where there are none."""
    if what is None:
        return log.views
    if "@" in what:
        release = release_named(Logbook.of(log), what)
        behind = log.ledger.with_ancestors([release.record])
        starts = [log.ledger.find(view.start) for view in behind if view.start]
        return sorted([*behind, *starts], key=lambda view: view.index)
    runs = {view.run for view in log.views}
    named = [run for run in sorted(runs) if run == what] or [
        run for run in sorted(runs) if what and run.startswith(what)
    ]
    if len(named) != 1:
        raise SettingsError(
            f"{len(named)} runs of the log begin with {what}",
            remedy="name one run as the log has it, or MODEL@VERSION",
        )
    return log.ledger.of_run(named[0])


def _with_ancestors(log: VerifiedLog, chosen: Sequence[RecordView]) -> Sequence[RecordView]:
    return log.ledger.with_ancestors([view.record for view in chosen])


def _write(path: Path, made: Iterable[RunEvent]) -> None:
    from openlineage.client.transport.file import FileConfig, FileTransport

    require_file_name(path)
    beside = path.resolve().with_name(f".{path.name}.unfinished")
    transport = FileTransport(FileConfig(str(beside), append=True))
    try:
        beside.write_bytes(b"")
        for event in made:
            transport.emit(event)
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        beside.unlink(missing_ok=True)
        raise PlatformError(
            f"{path} cannot be written: {error}", remedy="name another file"
        ) from error


def _send(url: str, made: Iterable[RunEvent], key: str | None) -> None:
    import requests

    transport = _transport(url, key)
    try:
        for event in made:
            transport.emit(event)
    except (requests.HTTPError, requests.TooManyRedirects) as error:
        answer = error.response
        raise PlatformError(
            f"the server at {url} answered {answer.status_code} {answer.reason}",
            remedy="see that it takes OpenLineage events at that address; send them again",
        ) from error
    except requests.RequestException as error:
        raise PlatformError(
            f"the server at {url} does not answer: {error}",
            remedy="see that it runs; sending the events again is safe",
        ) from error
    finally:
        transport.close()


def _transport(url: str, key: str | None) -> Any:
    """Return the library's transport to an address, without what an environment would add."""
    import requests
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    session = requests.Session()
    session.trust_env = False  # no proxy and no password that an environment names
    session.max_redirects = 0
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise SettingsError(
            "--url is no http or https address, or holds a name",
            remedy="write it as https://host:5000; a key comes from --api-key-file",
        )
    if key is not None and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingsError(
            "the key of --api-key-file would go over the network in the clear",
            remedy="give an https address, or leave the key out",
        )
    path = parts.path if parts.path.strip("/") else ENDPOINT
    config = HttpConfig(url=url, endpoint=path, timeout=_SECONDS, session=session)
    config.retry = {"total": 2, "backoff_factor": 0.2}
    if key is not None:
        config.auth = ApiKeyTokenProvider({"api_key": key})
    return HttpTransport(config)


def _key(file: str | None) -> str | None:
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"--api-key-file {file} cannot be read: {error}", remedy="name the file of the key"
        ) from error
