"""`tandem waive`: a person's signature on one gate's failure, in a file beside the settings.

The file alone changes nothing: the settings must name it, and a run counts it only where the
signer's public key is trusted (components/waivers.py), which is not for the settings to say.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.errors import SettingsError
from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.keys import PublicKey, SigningKey
    from components.waivers import Waiver

FOLDER = "waivers"


def waive(arguments: Namespace) -> int:
    """Sign a waiver and write it; say what must still be done for it to count."""
    from components.core.artifacts import write_text
    from components.core.canonical import sha256_bytes
    from pipelines.settings_file import find_settings

    path = find_settings(arguments.name)
    waiver, listed = _waiver(arguments, path, datetime.now(UTC).date())
    file_of_key = key_file(arguments.key)
    key = own_key(file_of_key)
    signed = waiver.sign(key)
    sha256 = sha256_bytes(signed)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", waiver.gate)
    file = path.parent / FOLDER / f"{stem}-{sha256[:8]}.json"
    write_text(file, signed.decode("utf-8") + "\n")
    folder, trusted = _is_trusted(key.public, arguments.home)
    relative = file.relative_to(path.parent).as_posix()
    if arguments.json:
        said = {"file": str(file), "sha256": sha256, "keyid": key.public.keyid, "trusted": trusted}
        print_json({**said, "setting": relative, "waiver": waiver.statement()["predicate"]})
        return 0
    print(f"{file}: sha256 {sha256}, signed by {key.public.keyid}")
    print(f"add it to {path}: waivers: [{', '.join([*listed, relative])}]")
    waiting = {item.relative_to(path.parent).as_posix() for item in file.parent.glob("*.json")}
    if waiting := waiting - {*listed, relative}:
        print(f"the settings do not list these either: {', '.join(sorted(waiting))}")
    if not trusted:
        public = file_of_key.with_suffix(".pub")
        print("this key is not trusted here yet; who looks after the home may add it:")
        print(f"  {trusting(public, folder)}")
    return 0


def trusting(public: Path, folder: Path) -> str:
    """Return the command that has a folder's keys trust one more."""
    place, key = shlex.quote(str(folder)), shlex.quote(str(public))
    return f"mkdir -p {place} && cp {key} {place}/"


def _waiver(arguments: Namespace, path: Path, today: date) -> tuple[Waiver, Sequence[str]]:
    """Return the waiver that the command line describes, and those that the settings list.

    It is of the settings' use case and schema.
    """
    from components.audit.schema import check_waiver
    from components.core.canonical import sha256_bytes
    from components.core.errors import DataError
    from components.validate_examples.gate_names import DataGates
    from components.validate_examples.schema import parse_schema
    from components.waivers import Waiver
    from pipelines.loaded_settings import load_settings

    if not arguments.reason.strip():
        raise SettingsError("--reason says nothing", remedy="say why the gate may fail, in words")
    loaded = load_settings(path)
    named = loaded.settings
    schema = parse_schema(loaded.schema)
    gates = DataGates(named.name, named.checks, named.source, named.window, schema)
    gates.require(arguments.gate)
    if arguments.slice is not None:
        gates.require_slice(arguments.gate, arguments.slice)
    waiver = Waiver(
        use_case=loaded.settings.name,
        schema_sha256=sha256_bytes(loaded.schema.encode("utf-8")),
        gate=arguments.gate,
        slice=arguments.slice,
        reason=arguments.reason.strip(),
        issued=today,
        until=until_day(arguments.until, today),
    )
    try:
        check_waiver(waiver.statement())
    except DataError as error:
        raise SettingsError(error.message, remedy="give a gate and a reason in words") from error
    return waiver, loaded.settings.waivers


def until_day(text: str, today: date) -> date:
    """Return the day that --until names; SettingsError for none, and for one that is over."""
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--until {text}: not a day", remedy="write it as 2027-01-31") from None
    if until < today:
        raise SettingsError(
            f"--until {text} is over: today is {today} (UTC)", remedy="give a day to come"
        )
    return until


def key_file(option: str | None) -> Path:
    """Return where a person's own key lies: the file named, else the one of their configuration."""
    if option:
        return Path(option)
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "tandem" / "signing.key"


def own_key(path: Path) -> SigningKey:
    """Return the person's own key; say where it is and what for where it was made just now."""
    from components.audit.keys import open_personal_key

    is_new = not path.exists()
    key = open_personal_key(path)
    if is_new:
        print(
            f"made {path} just now: your private key, which signs your waivers and approvals; "
            "keep it to yourself",
            file=sys.stderr,
        )
    return key


def _is_trusted(key: PublicKey, option: str | None) -> tuple[Path, bool]:
    """Return the folder of the keys that a run here would trust, and whether this one is there."""
    from components.audit.folder import AuditFolder
    from components.waivers import KEYS_VARIABLE, trusted_keys

    named = os.environ.get(KEYS_VARIABLE)
    folder = Path(named) if named else AuditFolder(Home.at(option).folder).waiver_keys
    try:
        return folder, key.keyid in trusted_keys(folder)
    except SettingsError as error:
        print(f"note: {error.message}", file=sys.stderr)
        return folder, False
