"""`tandem models list | show | diff | card | history | reconcile`: the registry and its records.

Rules: what is said of a version is what the log says of it, and each answer cites the record and
the checkpoint that covers it; MLflow is asked for aliases and stored bytes, and is not believed.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from components.core.errors import IntegrityError, SettingsError
from components.register_models.catalogue import Catalogue, Key, opened_catalogue
from components.register_models.description import PARTS, description, difference
from components.register_models.dossier import CARD
from components.register_models.lineage import data_span
from components.register_models.logbook import AliasChange, Logbook, Release
from components.register_models.mlflow_model import stored_digest
from components.register_models.store import shown
from pipelines.cli.output import print_json
from pipelines.cli.version_name import version_named
from pipelines.home import Home

UNRECORDED, GONE = "unrecorded", "gone"


def list_versions(arguments: Namespace) -> int:
    """List every version that MLflow or the log knows."""
    home = Home.at(arguments.home)
    book = Logbook.read(home.folder)
    with opened_catalogue(home.tracking_uri) as catalogue:
        lines = [
            _line(book, catalogue, key)
            for key in sorted(book.releases.keys() | catalogue.versions.keys(), key=_order)
            if arguments.name in (None, key[0])
        ]
    if arguments.json:
        print_json({"versions": lines, "checkpoint": book.checkpoint})
        return 0
    for line in lines:
        said = (line["state"], line["framework"], line["run"], line["data_span"], line["decision"])
        aliases = ", ".join(line["aliases"])
        name = f"{line['model']}@{line['version']}"
        print("  ".join([f"{name:20}", *(part or "-" for part in said), aliases]).rstrip())
    if not lines:
        print(f"no version is registered in {shown(home.tracking_uri)}")
    return 0


def _order(key: Key) -> tuple[str, int, str]:
    model, version = key
    return model, int(version) if version.isdigit() else 0, version


def _line(book: Logbook, catalogue: Catalogue, key: Key) -> dict[str, Any]:
    """Return what the list says of a version; of one without a record, that it has none."""
    release = book.releases.get(key)
    line: dict[str, Any] = dict.fromkeys(
        ("run", "framework", "data_span", "decision", "record"), None
    )
    line |= {"model": key[0], "version": key[1], "aliases": catalogue.aliases_of(key)}
    if release is None:
        return line | {"state": UNRECORDED}
    return line | {
        "state": book.state(release) if key in catalogue.versions else GONE,
        "run": release.run,
        "framework": release.framework,
        "data_span": data_span(book.made(release)),
        "decision": release.role,
        "record": release.index,
    }


def show(arguments: Namespace) -> int:
    """Show what the log says of a version."""
    home = Home.at(arguments.home)
    book = Logbook.read(home.folder)
    with opened_catalogue(home.tracking_uri) as catalogue:
        release = _release(book, catalogue, arguments.version)
        found = description(book, release) | {"aliases": catalogue.aliases_of(release.key)}
    if arguments.json:
        print_json(found | {"checkpoint": book.checkpoint})
        return 0
    print(f"{release.model}@{release.version}  {found['state']}  {', '.join(found['aliases'])}")
    for name in ("role", "framework", "run", "registered", "data_span"):
        print(f"{name:12}  {found[name] or '-'}")
    print(f"{'record':12}  {release.index}, {release.record}")
    for reason in found["decision"]:
        print(f"  {reason}")
    for name, metric in found["metrics"].items():
        print(f"{name:20}  {_value(metric)}")
    for name, size in found["forms"].items():
        print(f"{name:20}  {size:,} bytes")
    for name, digest in found["digests"].items():
        print(f"{name:26}  {digest}")
    return 0


def diff(arguments: Namespace) -> int:
    """Say what differs between two versions."""
    home = Home.at(arguments.home)
    book = Logbook.read(home.folder)
    with opened_catalogue(home.tracking_uri) as catalogue:
        pair = [_release(book, catalogue, what) for what in (arguments.one, arguments.two)]
    one, two = (description(book, release) for release in pair)
    found = difference(one, two)
    if arguments.json:
        names = [f"{release.model}@{release.version}" for release in pair]
        records = [one["record"], two["record"]]
        said = {"versions": names, "records": records, "differences": found}
        print_json(said | {"checkpoint": book.checkpoint})
        return 0
    for part in PARTS:
        print(f"{part}:" if found[part] else f"{part}: the same")
        for item in found[part]:
            print(f"  {item['name']}: {_value(item['one'])} -> {_value(item['two'])}")
    return 0


def card(arguments: Namespace) -> int:
    """Print the stored model card; IntegrityError where the stored bytes are not the recorded."""
    home = Home.at(arguments.home)
    book = Logbook.read(home.folder)
    with opened_catalogue(home.tracking_uri) as catalogue:
        release = _release(book, catalogue, arguments.version)
        _require_stored(release, catalogue)
        if not release.model_sha256:
            raise SettingsError(
                f"{release.model}@{release.version} was registered without a card",
                remedy="run the pipeline again: it registers one",
            )
        with catalogue.fetched(release.key) as folder:
            _require_recorded(release, stored_digest(folder))
            text = (folder / CARD).read_text(encoding="utf-8")
    if arguments.json:
        record = {"index": release.index, "sha256": release.record}
        said = {"model": release.model, "version": release.version, "card": text}
        print_json(said | {"record": record, "checkpoint": book.checkpoint})
    else:
        print(text, end="")
    return 0


def history(arguments: Namespace) -> int:
    """Show every change of an alias that the log holds."""
    book = Logbook.read(Home.at(arguments.home).folder)
    changes = [c for c in book.changes if arguments.name in (None, c.model)]
    if arguments.json:
        said = [change.to_dict() for change in changes]
        print_json({"changes": said, "checkpoint": book.checkpoint})
        return 0
    for change in changes:
        print(_change_line(change))
    if not changes:
        print("no record moves an alias")
    return 0


def _change_line(change: AliasChange) -> str:
    moved = f"{change.before or 'none'} -> {change.after or 'none'}"
    who = f", by {change.actor}" if change.actor else ""
    why = f": {change.reason}" if change.reason else ""
    place = f"#{change.index} {change.time}  {change.model} {change.alias}: {moved}"
    return f"{place}  ({change.event} of run {change.run}{who}){why}"


def reconcile(arguments: Namespace) -> int:
    """Say everything in which MLflow and the log differ; 4 if anything does."""
    from components.audit.findings import exit_code
    from pipelines.cli.comparison import compared

    comparison = compared(Home.at(arguments.home))
    if arguments.json:
        print_json(comparison.to_dict())
    else:
        print(f"{comparison.to_text()}\n\ncovered by checkpoint:\n{comparison.book.checkpoint}")
    return exit_code(comparison.findings)


def _release(book: Logbook, catalogue: Catalogue, what: str) -> Release:
    """Return the release that is named; IntegrityError for a version without a record."""
    models = {model for model, _ in book.releases.keys() | catalogue.versions.keys()}
    key = model, number = version_named(what, models, catalogue.aliases)
    if key in book.releases:
        return book.releases[key]
    if key in catalogue.versions:
        raise IntegrityError(
            f"version {number} of {model} has no record: it was registered out of band",
            remedy="run `tandem models reconcile`; find out who registered it",
        )
    raise SettingsError(
        f"{model} has no version {number}", remedy="`tandem models list` shows them"
    )


def _require_stored(release: Release, catalogue: Catalogue) -> None:
    if release.key not in catalogue.versions:
        raise IntegrityError(
            f"{release.model}@{release.version} is gone from MLflow",
            remedy="run `tandem models reconcile`",
        )


def _require_recorded(release: Release, actual: str) -> None:
    """Raise IntegrityError for stored files that have another digest than the record says."""
    if actual != release.model_sha256:
        raise IntegrityError(
            f"the stored files of {release.model}@{release.version} are not those of its record",
            remedy="run `tandem models reconcile`; find out who writes to the store",
            expected=release.model_sha256,
            actual=actual,
        )


def _value(value: Any) -> str:
    """Return a value for people: of a metric its number and interval."""
    if isinstance(value, dict) and "value" in value:
        interval = f" [{value.get('lower')}, {value.get('upper')}]" if "lower" in value else ""
        return f"{value['value']}{interval}"
    return "-" if value is None else str(value)
