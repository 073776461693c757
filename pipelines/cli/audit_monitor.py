"""`tandem audit monitor` and `tandem audit witness`: the log against what is kept outside of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.errors import SettingsError
from pipelines.cli.output import print_json
from pipelines.home import Home

REMEDY = (
    "where an anchor could not be asked, see that it answers; where it says otherwise, the log or "
    "the anchor was rewritten: compare both with other copies, and ask who had the log's key"
)

if TYPE_CHECKING:
    from components.audit.keys import PublicKey


def monitor(arguments: Namespace) -> int:
    """Compare the log with its anchors; 1 where one says otherwise or cannot be asked.

    With --keep they get its checkpoint after that, unless one says otherwise.
    """
    from components.audit.anchors.anchoring import compare, with_newest_kept

    home = Home.at(arguments.home).folder
    found = compare(home)
    if arguments.keep and not found.trouble:
        found = with_newest_kept(home, found)
    code = 1 if found.trouble else 0
    if arguments.json:
        print_json(found.to_dict())
        return code
    for item in found.trouble:
        print(": ".join(filter(None, (item.anchor, item.where, item.message))))
    notes = ", ".join(f"{name} {count}" for name, count in sorted(found.compared.items()))
    verdict = f"trouble: {len(found.trouble)}" if found.trouble else "the log agrees"
    print(f"{verdict}; {found.size} entries, checkpoints compared: {notes or 'none, no anchor'}")
    if found.trouble:
        print(f"remedy: {REMEDY}")
    print(f"\ncovered by checkpoint:\n{found.checkpoint}")
    return code


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
