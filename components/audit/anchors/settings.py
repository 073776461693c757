"""Which anchors a home has: its audit/anchors.yaml, by schemas/anchors.schema.json.

Rules: without the file there is the git repository, without a remote; a field that the schema does
not know is refused. The file belongs to who looks after the home: no run's settings change it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import schemas
from components.audit.anchors.anchor import Anchor
from components.audit.anchors.bucket import BucketAnchor
from components.audit.anchors.cosigned import Prove, WitnessAnchor
from components.audit.anchors.git import GitAnchor, GitRemote
from components.audit.anchors.timestamp import TimestampAnchor
from components.audit.folder import AuditFolder
from components.audit.keys import PublicKey
from components.core.canonical import parse_json
from components.core.errors import SettingsError

FILE = "anchors.yaml"
SCHEMA = Path(str(schemas.__file__)).parent / "anchors.schema.json"


def anchors_of(home: Path, prove: Prove) -> list[Anchor]:
    """Return a home's anchors; raise SettingsError for a file that cannot be used."""
    said = _read(AuditFolder(home).root / FILE)
    folder = home / "anchors"
    found: list[Anchor] = []
    git = said.get("git", {})
    if git.get("enabled", True):
        local = GitAnchor(folder / "git")
        found.append(local)
        if (remote := git.get("remote")) is not None:
            found.append(GitRemote(local, remote))
    if (bucket := said.get("bucket")) is not None:
        found.append(BucketAnchor(bucket["address"], bucket["days"]))
    if (stamps := said.get("timestamp")) is not None:
        root = AuditFolder(home).root / stamps["root"]
        found.append(TimestampAnchor(stamps["url"], root, folder / "timestamps"))
    for item in said.get("witnesses", ()):
        key = PublicKey(bytes.fromhex(item["key"]))
        place = folder / f"witness-{key.keyid[:16]}"
        found.append(WitnessAnchor(item["url"], item["name"], key, place, prove))
    return found


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    import yaml
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", remedy="write it as YAML") from error
    wrong = best_match(Draft202012Validator(parse_json(SCHEMA.read_bytes())).iter_errors(value))
    if wrong is not None:
        raise SettingsError(
            f"{path}: {wrong.json_path}: {wrong.message[:200]}", remedy=f"see {SCHEMA.name}"
        )
    settings: dict[str, Any] = value
    return settings
