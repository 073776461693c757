"""A real version, exported by the command and verified by a stranger: no Tandem, no network."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prepared_run import PreparedRun, run_tandem
from verified_alone import verified_alone

from components.core.artifacts import manifest

pytestmark = pytest.mark.slow
ARTIFACTS = {
    "examples": "manifest.json",
    "validation": "validation.json",
    "evaluation": "evaluation.json",
    "measurements": "measurements.json",
    "decision": "decision.json",
    "registration": "registration.json",
}
SCHEMAS = ("model_contract.schema", "data_card.schema", "policy.schema", "audit/provenance")
UNPROVEN = ("VERIFY.md", "verify.py", "report.html", "schemas/")


@dataclass(frozen=True)
class Export:
    """The file that the command wrote, what is in it, and whose trainer made the version."""

    path: Path
    files: dict[str, bytes]
    framework: str

    @property
    def contract(self) -> str:
        return f"artifacts/{self.framework}_model/files/contract.json"


@pytest.fixture(scope="module")
def export(small_run: PreparedRun, tmp_path_factory) -> Export:
    path = tmp_path_factory.mktemp("export") / "version.zip"
    words = ("audit", "export", "flights-late@1", "-o", str(path), "--home", str(small_run.home))
    code, printed = run_tandem(*words)
    assert code == 0, printed
    registered = small_run.json("register_models", "registration", "registration.json")
    roles = (registered["candidate"], registered["challenger"])
    (framework,) = [role["framework"] for role in roles if int(role["version"]) == 1]
    with zipfile.ZipFile(path) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    return Export(path, files, framework)


def verdict(packed: Path, folder: Path) -> tuple[int, dict[str, Any]]:
    done = verified_alone(packed, folder, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_real_version_verifies_where_there_is_nothing_but_cryptography(
    export: Export, tmp_path: Path
) -> None:
    code, answer = verdict(export.path, tmp_path)
    assert (code, answer["findings"], answer["verified"]) == (0, [], True)
    assert answer["model"] == "flights-late@1"
    left = [name for name in answer["unproven"] if not name.startswith(UNPROVEN)]
    assert left == []
    assert {export.contract, "data-card.json", "policies/release.json"} <= export.files.keys()
    assert answer["records"] == sum(name.endswith(".tlog-proof") for name in export.files)


def test_it_holds_all_artifacts_that_an_auditor_reads_as_the_run_made_them(
    export: Export, small_run: PreparedRun
) -> None:
    wanted = {**ARTIFACTS, f"{export.framework}_model": "contract.json"}
    made = {
        name: small_run.folder / output["path"]
        for task in small_run.record["tasks"].values()
        for name, output in task["outputs"].items()
    }
    for name, file in wanted.items():
        packed = export.files[f"artifacts/{name}/files/{file}"]
        assert packed == (made[name] / file).read_bytes()
        listed = json.loads(export.files[f"artifacts/{name}/manifest.json"])
        assert listed == manifest(made[name])
    assert json.loads(export.files["data-card.json"])["purpose"]
    assert json.loads(export.files["policies/release.json"])["gates"]


def test_it_says_what_it_is_to_whoever_opens_it(export: Export) -> None:
    assert "flights-late" in export.files["report.html"].decode()
    assert "python verify.py" in export.files["VERIFY.md"].decode()
    for schema in SCHEMAS:
        assert json.loads(export.files[f"schemas/{schema}.json"])["$schema"], schema


def with_one_byte_changed(export: Export, name: str, to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as packed:
        for file, data in export.files.items():
            middle = len(data) // 2
            other = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            packed.writestr(file, other if file == name else data)
    return to


@pytest.mark.parametrize("what", ["contract", "examples"])
def test_one_byte_changed_in_a_file_of_an_artifact_is_found(
    export: Export, what: str, tmp_path: Path
) -> None:
    name = export.contract if what == "contract" else "artifacts/examples/files/manifest.json"
    code, answer = verdict(with_one_byte_changed(export, name, tmp_path / "x.zip"), tmp_path)
    assert (code, answer["verified"]) == (4, False)
    assert any(name in json.dumps(finding) for finding in answer["findings"])
