"""`tandem audit monitor` and `tandem audit witness`: the log against what is kept outside of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.errors import SettingsError, UnverifiableError
from pipelines.cli.output import print_json
from pipelines.home import Home

REMEDY = (
    "where an anchor could not be asked, see that it answers; where it says otherwise, the log or "
    "the anchor was rewritten: compare both with other copies, and ask who had the log's key"
)

if TYPE_CHECKING:
    from components.audit.anchors.anchoring import Comparison
    from components.audit.keys import PublicKey


def monitor(arguments: Namespace) -> int:
    """Compare the log with its anchors; 1 where one says otherwise or cannot be asked.

    5 where an anchor has nothing to compare with, or there is none. With --keep they get its
    checkpoint after that, unless one says otherwise.
    """
    from components.audit.anchors.anchoring import compare, with_newest_kept
    from components.audit.unrecorded import drafts

    home = Home.at(arguments.home).folder
    found = compare(home)
    if arguments.keep and not found.trouble:
        found = with_newest_kept(home, found)
    lack = None if found.trouble else _lack(found, kept_now=arguments.keep)
    code = 1 if found.trouble else lack.exit_code if lack else 0
    unrecorded = drafts(home)
    if arguments.json:
        said = {"error": lack.to_dict(), "exit_code": code} if lack else {}
        print_json(found.to_dict() | {"drafts": unrecorded.to_dict()} | said)
        return code
    print("\n".join([*unrecorded.lines(), *_lines(found, lack)]))
    return code


def _lack(found: Comparison, *, kept_now: bool) -> UnverifiableError | None:
    """Return why agreement would be an empty word, if it would be."""
    if not found.compared:
        return UnverifiableError(
            "no anchor is configured, so the log was compared with nothing",
            remedy="name one in audit/anchors.yaml of the home, or take `enabled: false` out",
        )
    empty = [name for name, count in found.compared.items() if not count]
    if not empty:
        return None
    how = "it does now" if kept_now else "have it do so with --keep"
    return UnverifiableError(
        f"nothing to compare with: {', '.join(empty)} kept no checkpoint of this log",
        remedy=f"a new log's or a new anchor's first has yet to be kept: {how}, and monitor again; "
        "one that kept some before was emptied: ask who could",
    )


def _lines(found: Comparison, lack: UnverifiableError | None) -> Iterator[str]:
    for item in found.trouble:
        yield ": ".join(filter(None, (item.anchor, item.where, item.message)))
    if lack:
        yield lack.message
    notes = ", ".join(f"{name} {count}" for name, count in sorted(found.compared.items()))
    verdict = f"trouble: {len(found.trouble)}" if found.trouble else "the log agrees"
    verdict = "not verified" if lack else verdict
    yield f"{verdict}; {found.size} entries, checkpoints compared: {notes or 'none, no anchor'}"
    for name, reach in sorted(found.reach.items()):
        if found.compared[name] and reach < found.size:
            yield f"{name} reaches to {reach} of {found.size} entries, and knows none added since"
    if lack or found.trouble:
        yield f"remedy: {lack.remedy if lack else REMEDY}"
    yield f"\ncovered by checkpoint:\n{found.checkpoint}"


def witness(arguments: Namespace) -> int:
    """Cosign checkpoints of the logs whose keys are given, until stopped."""
    from components.audit.anchors.witness import Witness
    from components.audit.anchors.witness_server import WitnessServer
    from components.audit.keys import open_personal_key

    host, _, port = arguments.listen.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"no address: {arguments.listen}", remedy="give HOST:PORT")
    key = open_personal_key(Path(arguments.key))
    served = Witness(arguments.name, key, _logs(arguments.log), Path(arguments.state))
    try:
        server = WitnessServer((host, int(port)), served)
    except OSError as error:
        raise SettingsError(
            f"{arguments.listen} cannot be listened on: {error.strerror}", remedy="name another"
        ) from error
    address = f"http://{host}:{server.server_port}"
    if arguments.json:
        print_json({"url": address, "name": arguments.name, "key": key.public.raw.hex()})
    else:
        print(f"{arguments.name} cosigns at {address}, with key {key.public.raw.hex()}")
    sys.stdout.flush()  # whoever started it waits for the address
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _logs(options: Sequence[str]) -> Mapping[str, Sequence[PublicKey]]:
    """Return each log's keys by its name, of FIRST.pub, or FIRST.pub,SECOND.pub after changes."""
    from components.audit.checkpoint import origin_of
    from components.audit.keys import PublicKey

    logs = {}
    for option in options:
        try:
            keys = [PublicKey.from_pem(Path(name).read_bytes()) for name in option.split(",")]
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"no public key in {option}: {error}", remedy="give a log's notary.pub"
            ) from error
        logs[origin_of(keys[0])] = keys
    return logs
