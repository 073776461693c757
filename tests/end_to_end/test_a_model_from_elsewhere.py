"""A data scientist's own model by the same door: measured, judged, registered, recorded, served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import foreign_models
import numpy as np
import onnx
import pytest
from prepared_run import run_tandem

from components.core.bundle import Bundle
from components.core.candidates import IMPORTED
from components.core.canonical import sha256_file
from pipelines.registering import register_model
from pipelines.runners.results import TaskState

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Registered:
    """A home with one model that came from elsewhere."""

    home: Path
    settings: Path
    model: Path
    signature: Path
    answer: dict[str, Any]

    def tandem(self, *words: str) -> tuple[int, Any]:
        code, stdout = run_tandem(*words, "--home", str(self.home), "--json")
        return code, json.loads(stdout)

    @property
    def bundle(self) -> Bundle:
        task = self.answer["tasks"]["import-model"]
        return Bundle.open(Path(self.answer["folder"], task["outputs"]["imported_model"]["path"]))


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    folder = tmp_path_factory.mktemp("elsewhere")
    settings = foreign_models.write_use_case(folder / "case")
    model, signature = folder / "model.onnx", folder / "signature.yaml"
    onnx.save(foreign_models.columns_model(), model)
    foreign_models.write_signature(signature)
    words = ["-s", str(settings), "--data", "2013-03", "--signature", str(signature)]
    home = folder / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        code, stdout = run_tandem(
            "models", "register", str(model), *words, "--home", str(home), "--json"
        )
        assert code == 0, stdout
        yield Registered(home, settings, model, signature, json.loads(stdout))


def test_it_is_registered_as_the_candidate_of_a_run_that_measured_it(registered):
    found = registered.answer["registration"]
    assert found["model_name"] == "parcels-late"
    assert found["candidate"]["framework"] == IMPORTED
    assert found["challenger"] is None
    (model,) = registered.answer["models"]
    assert 0.75 < model["auc"]["value"] < 0.9
    assert registered.answer["tasks"]["seal-run"]["state"] == "SUCCEEDED"


def test_its_bundle_holds_the_file_as_it_was_given_and_what_was_proven_of_it(registered):
    bundle = registered.bundle
    given = bundle.folder / "source" / "model.onnx"
    assert given.read_bytes() == registered.model.read_bytes()
    assert bundle.contract.framework == IMPORTED
    assert bundle.contract.input_types == {"distance": "float32", "origin": "string"}
    (form,) = bundle.contract.forms
    assert form.parity is not None
    assert form.parity.batch_sizes == (1, 7, 1024)
    assert form.parity.rows == foreign_models.ROWS


def test_neither_its_page_nor_its_card_says_what_it_was_trained_on(registered):
    folder = Path(registered.answer["folder"])
    page = (folder / "report.html").read_text()
    assert "Evaluated on 2013-03; the model was trained elsewhere." in page
    assert "Trained on" not in page
    (card,) = folder.glob("artifacts/register-models/registration/model_card_imported.md")
    text = card.read_text()
    assert "Not known: the model was trained elsewhere." in text
    assert f"- Given as: model\\.onnx, sha256 {sha256_file(registered.model)}" in text
    assert "- Window: 2013\\-03\n" in text
    assert "2013\\-02" not in text


def test_it_loads_from_the_registry_and_gives_its_own_numbers(registered, monkeypatch):
    import mlflow
    import pandas as pd

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registered.home / 'mlflow.db'}")
    served = mlflow.pyfunc.load_model("models:/parcels-late@candidate")
    rows = pd.DataFrame({"distance": [0.5, -2.0], "origin": ["JFK", "EWR"]})
    logit = foreign_models.SLOPE * rows.distance.to_numpy() + [-0.4, 0.6] + foreign_models.BIAS
    expected = 1 / (1 + np.exp(-logit))
    np.testing.assert_allclose(served.predict(rows)["probability"], expected, atol=1e-6)


def test_the_log_verifies_and_says_where_it_came_from(registered):
    code, answer = registered.tandem("audit", "verify")
    assert (code, answer["findings"]) == (0, [])
    assert registered.tandem("models", "reconcile")[0] == 0
    code, answer = registered.tandem("audit", "trace", "parcels-late@1")
    assert code == 0
    assert "import_model" in json.dumps(answer)
    code, answer = registered.tandem("models", "show", "1")
    assert (code, answer["framework"]) == (0, IMPORTED)
    assert answer["data_span"] == "2013-03"
    assert registered.tandem("models", "card", "1")[0] == 0


def test_its_record_names_the_file_by_its_digest_and_no_place_of_this_machine(registered):
    records = json.loads((Path(registered.answer["folder"]) / "records.json").read_text())
    (imported,) = [
        view
        for view in records["records"]
        if view["stage"] == "import_model" and view["event"] == "COMPLETE"
    ]
    given = imported["facts"]["given"]
    assert given["name"] == "model.onnx"
    assert given["format"] == "onnx"
    assert str(registered.model.parent) not in json.dumps(records)


def test_a_model_that_fails_its_gate_is_not_registered(registered, tmp_path):
    model = tmp_path / "backwards.onnx"
    onnx.save(foreign_models.columns_model(slope=-1.0), model)
    words = ["-s", str(registered.settings), "--data", "2013-03"]
    words += ["--signature", str(registered.signature)]
    code, answer = registered.tandem("models", "register", str(model), *words)
    assert code == 3
    assert answer["registration"] is None
    assert "no model passes: imported auc" in answer["tasks"]["decide-release"]["error"]["message"]
    assert answer["tasks"]["ingest-examples"]["state"] == "CACHED"
    assert answer["tasks"]["validate-examples"]["state"] == "CACHED"
    code, answer = registered.tandem("models", "list")
    assert [version["version"] for version in answer["versions"]] == ["1"]
    assert registered.tandem("audit", "verify")[0] == 0


def test_a_notebook_registers_it_too_with_a_loop_that_runs(registered):
    """Jupyter runs its cells inside a running loop, and its signals' wake-up is the loop's."""

    async def cell() -> Any:
        asyncio.get_running_loop().add_signal_handler(10, lambda: None)
        return register_model(
            registered.bundle.folder,
            settings=str(registered.settings),
            data="2013-03",
            home=registered.home,
            overrides=["policy.champion_gates=[]"],  # it equals the champion
        )

    assert registered.tandem("models", "promote", "1", "--reason", "the only one")[0] == 0
    run = asyncio.run(cell())
    assert run.result.exit_code == 0, {n: t.error for n, t in run.tasks.items() if t.error}
    assert run.tasks["register-models"].state is TaskState.SUCCEEDED
    found = run.document("register-models", "registration", "registration.json")
    assert found["candidate"]["version"] == "2"
    evaluation = run.document("evaluate-models", "evaluation", "evaluation.json")
    assert set(evaluation["models"]) == {"imported", "champion"}
    assert evaluation["comparison"]["champion"]["imported"]["auc_difference"]["value"] == 0
