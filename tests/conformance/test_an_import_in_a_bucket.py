"""The one face that a training does not have, import_model, with its artifacts in a bucket.

The model itself lies on a disk of the process: no target has a place for it (docs/registry.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import foreign_models
import onnx
import pytest
import yaml
from bucket_launcher import BUCKET, Launcher, fetch, local, mount
from served_bucket import served_bucket

from components.audit.process import NotaryProcess
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.buckets import stored_digest
from components.core.bundle import Bundle
from components.core.candidates import IMPORTED
from components.core.sources import SOURCES_VARIABLE
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.prepared import PreparedRun, prepare_import
from pipelines.runners.ir import parse_pipeline
from pipelines.settings_file import data_overrides

__all__ = ["mount"]
pytestmark = pytest.mark.slow
TASKS = ("ingest-examples", "validate-examples", "import-model")


@pytest.fixture
def log(tmp_path: Path, mount: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the home of a notary that sees the bucket and nothing else."""
    home = tmp_path / "log"
    with served_bucket(BUCKET) as address:
        monkeypatch.setenv("TANDEM_ARTIFACTS", f"{address}/root")
        with NotaryProcess(home) as notary:
            monkeypatch.setenv("TANDEM_NOTARY", notary.address)
            monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "pod"))
            monkeypatch.delenv("TANDEM_CACHE", raising=False)
            yield home


def prepared(folder: Path) -> PreparedRun:
    """Return the run of a model from elsewhere as `tandem models register` prepares it."""
    settings = foreign_models.write_use_case(folder / "case")
    model, signature = folder / "model.onnx", folder / "signature.yaml"
    onnx.save(foreign_models.columns_model(), model)
    foreign_models.write_signature(signature)
    loaded = load_settings(settings, data_overrides("2013-03", settings, []))
    return prepare_import(model, signature, loaded, settings, Home(folder / "home"), cache=False)


def test_a_model_from_elsewhere_becomes_a_bundle_in_the_bucket_and_a_record_of_it(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prepared(tmp_path)
    run = str(asked.arguments["run"]["id"])
    monkeypatch.setenv(SOURCES_VARIABLE, asked.start.sources)
    pipeline = parse_pipeline(yaml.safe_load(asked.ir))
    launcher = Launcher(f"s3://{BUCKET}/root/{run}", pipeline, asked.arguments)
    for name in TASKS:
        done = launcher.run(pipeline.tasks[name])
        assert done.returncode == 0, done.stderr[-2000:]
    made = launcher.results["import-model"].outputs["imported_model"]
    (view,) = (
        view
        for view in VerifiedLog.of(log).ledger.of_run(run)
        if (view.stage, view.event) == ("import_model", "COMPLETE")
    )
    assert view.outputs == {"imported_model": stored_digest(made.path)}
    fetch(made.path)
    bundle = Bundle.open(local(made.path))
    assert bundle.contract.framework == IMPORTED
    assert (bundle.folder / "source" / "model.onnx").is_file()
    assert verify_log(log) == []
