"""What an auditor takes away: one file with a version's records, proofs and what they speak of.

    export.json            which version, which bundle, the registration's record
    records/N.json         the envelope of record N, its exact bytes
    records/N.tlog-proof   its place under `checkpoint`
    checkpoint, log.pub    the signed note over the log, with the lines of the witnesses that
                           cosigned it, and the key that verifies it
    artifacts/NAME         the manifest of an artifact (each file's sha256), and files of it
    policies, data-card.json, schemas, report.html
    verify.py, VERIFY.md   the verifier, a file by itself, and how to use it

Rules: the records are the registration's, all its ancestors' and those of what people did to the
version, of a model from elsewhere what was imported of it too, each proven before it is packed;
files are packed only where their bytes are those of a record, and what this machine no longer has
is named in VERIFY.md. The same log and run folder give the same bytes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import schemas
from components.approvals.trail import Trail
from components.audit import export as verifier
from components.audit.anchors.cosignatures import Cosigned, cosigned
from components.audit.answers import ACT, AUDIT, RecordView
from components.audit.imported import makers_of_given
from components.audit.tlog_proof import SUFFIX, TlogProof
from components.audit.verified_log import VerifiedLog
from components.core.artifacts import manifest
from components.core.errors import DataError, SettingsError, TandemError
from components.core.stage_names import DECIDING, INGESTING
from components.register_models.logbook import Release
from pipelines.audit_manual import manual
from pipelines.audit_report import audit_report, page
from pipelines.home import Home
from pipelines.recorded import RecordedArtifacts
from pipelines.runs import find_ended

SCHEMA = "https://tandem.invalid/export/v1"
# Of these artifacts the named files are packed; of each the whole manifest is.
PACKED: Mapping[str, tuple[str, str]] = {
    "examples": ("ingest-examples", "manifest.json"),
    "validation": ("validate-examples", "validation.json"),
    "evaluation": ("evaluate-models", "evaluation.json"),
    "measurements": ("measure-models", "measurements.json"),
    "decision": ("decide-release", "decision.json"),
    "registration": ("register-models", "registration.json"),
}
CONTRACT = "contract.json"
TEMPLATE = "annex-iv"
MAKERS = {"pytorch": "train-pytorch", "tensorflow": "train-tensorflow", "imported": "import-model"}
UNASKED = "it did not cosign this checkpoint; `tandem audit monitor` asks it to"
# The first moment that a zip can name: a file's time says nothing here.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Exported:
    """The file's bytes, which version it is of, and what it had to leave out, with the reason."""

    data: bytes
    release: Release
    records: int
    checkpoint: Cosigned
    absent: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` shows."""
        return {
            "schema": SCHEMA,
            "model": self.release.model,
            "version": self.release.version,
            "bundle_sha256": self.release.bundle_sha256,
            "registration": {"index": self.release.index, "record": self.release.record},
            "records": self.records,
            "absent": dict(self.absent),
            "cosigned_by": dict(self.checkpoint.by),
            "checkpoint": self.checkpoint.note,
        }


@dataclass
class _Package:
    """The files so far, and what is absent."""

    files: dict[str, bytes] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def add_json(self, name: str, value: Any) -> None:
        text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
        self.files[name] = text.encode()

    def add_artifact(self, name: str, folder: Path, file: str) -> None:
        self.add_json(f"artifacts/{name}/manifest.json", manifest(folder))
        self.files[f"artifacts/{name}/files/{file}"] = (folder / file).read_bytes()

    def to_zip(self) -> bytes:
        """Return a zip whose bytes depend on names and contents alone: nothing is compressed."""
        stream = BytesIO()
        with zipfile.ZipFile(stream, "w") as packed:
            for name in sorted(self.files):
                packed.writestr(zipfile.ZipInfo(name, _NO_TIME), self.files[name])
        return stream.getvalue()


def export(home: Home, log: VerifiedLog, release: Release) -> Exported:
    """Return the export of a registered version.

    Raises IntegrityError where a record does not verify, or a file is not what its record names,
    DataError where it would be more than a verifier reads.
    """
    views = _records(log, release)
    log.require_signed(views)
    package, checkpoint = _Package(), cosigned(home.folder, log.checkpoint)
    for view in views:
        _add_record(package, log, view, checkpoint.note)
    package.files["checkpoint"] = checkpoint.note.encode()
    for name in checkpoint.not_by:
        package.absent[f"cosignature of {name}"] = UNASKED
    package.files["log.pub"] = log.key.to_pem()
    _add_settings(package, log, views)
    _add_artifacts(package, home, release)
    package.files["report.html"] = _report(home, log, release).encode()
    for name, data in _schemas():
        package.files[f"schemas/{name}"] = data
    package.add_json("export.json", _said(release))
    package.files["verify.py"] = (files(verifier) / "verify.py").read_bytes()
    text = manual(log, release, len(views), package.absent, checkpoint)
    package.files["VERIFY.md"] = text.encode()
    data = package.to_zip()
    require_readable(package.files, len(data))
    return Exported(data, release, len(views), checkpoint, package.absent)


def require_readable(packed: Mapping[str, bytes], zipped: int) -> None:
    """Raise DataError for an export that its own verify.py would not read, being too large."""
    from components.audit.export import verify

    documents = {name: len(data) for name, data in packed.items() if name.endswith(".json")}
    largest = max(documents, key=documents.__getitem__)
    for amount, most, what in (
        (len(packed), verify.MOST_FILES, "files"),
        (documents[largest], verify.LARGEST_JSON, f"bytes of {largest}"),
        (zipped, verify.MOST_BYTES, "bytes"),
    ):
        if amount > most:
            raise DataError(
                f"the export would have {amount} {what}, and its verify.py reads {most} at most",
                remedy="give a copy of the whole log: `tandem audit verify` reads any size",
            )


def _records(log: VerifiedLog, release: Release) -> list[RecordView]:
    """Return the registration, what it stands on and what people did to the version, by index."""
    found = {view.record: view for view in log.ledger.with_ancestors([release.record])}
    for record in log.ledger.acts():
        said = log.statement(record)["predicate"]
        if (said["model"], said["version"]) == release.key:
            found |= {view.record: view for view in log.ledger.with_ancestors([record])}
    told = log.ledger.with_ancestors(makers_of_given(found.values(), log.views))
    found |= {view.record: view for view in told}
    return sorted(found.values(), key=lambda view: view.index)


def _add_record(package: _Package, log: VerifiedLog, view: RecordView, note: str) -> None:
    proof = log.inclusion(view)
    name = f"records/{view.index:09d}"
    package.files[f"{name}.json"] = proof.envelope
    text = TlogProof(proof.index, proof.hashes, note).to_text()
    package.files[f"{name}{SUFFIX}"] = text.encode()


def _add_settings(package: _Package, log: VerifiedLog, views: list[RecordView]) -> None:
    """Pack the policy and the data card, as the records of those who read them have them."""
    wanted = {DECIDING: ("policy", "policies/release.json")}
    wanted[INGESTING] = ("card", "data-card.json")
    for view in views:
        if view.stage in wanted and view.event != ACT:
            section, name = wanted[view.stage]
            settings = log.statement(view.record)["predicate"][AUDIT]["settings"]
            if section in settings:
                package.add_json(name, settings[section])


def _add_artifacts(package: _Package, home: Home, release: Release) -> None:
    """Pack what this machine still has of the run that registered the version."""
    wanted = {**PACKED, f"{release.framework}_model": (MAKERS[release.framework], CONTRACT)}
    try:
        artifacts = RecordedArtifacts.of(find_ended(home, release.run), home)
    except TandemError as error:
        package.absent |= dict.fromkeys(wanted, error.message)
        return
    for name, (task, file) in wanted.items():
        try:
            package.add_artifact(name, artifacts.output(task, name), file)
        except SettingsError as error:  # a run of another version had no such output
            package.absent[name] = error.message


def _report(home: Home, log: VerifiedLog, release: Release) -> str:
    """Return the auditor's page of the day of the log's last record: the log gives it, no clock."""
    trail = Trail(home.folder)
    version = trail.version(release.model, release.version)
    day = datetime.fromisoformat(log.ledger.last_time).date()
    return page(audit_report(home, trail, version, TEMPLATE, day), elsewhere=True)


def _schemas() -> Iterator[tuple[str, bytes]]:
    place = files(schemas)
    for folder in (place, place / "audit"):
        for path in sorted(folder.iterdir(), key=lambda path: path.name):
            if path.name.endswith(".json"):
                name = path.name if folder is place else f"audit/{path.name}"
                yield name, path.read_bytes()


def _said(release: Release) -> dict[str, Any]:
    """Return what the export claims, which the verifier holds against the records."""
    return {
        "schema": SCHEMA,
        "model": release.model,
        "version": release.version,
        "bundle_sha256": release.bundle_sha256,
        "registration": release.record,
    }
