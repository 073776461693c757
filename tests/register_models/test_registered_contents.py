"""What a registered version holds: code, example, evaluation, decision, card and proof."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_bundles
import yaml
from release_chain import Chain

from components.audit.answers import ProofBundle
from components.audit.folder import AuditFolder
from components.audit.keys import read_public_key
from components.audit.proof import verify_bundle
from components.core.artifacts import tree_digest
from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import IntegrityError
from components.register_models.mlflow_model import stored_digest, write_model
from components.register_models.store import opened_store

pytestmark = pytest.mark.slow
ALONE = """
import sys, json
sys.path.insert(0, sys.argv[1] + "/code")
import importlib, pandas, pathlib
(code,) = pathlib.Path(sys.argv[1], "code").glob("*.py")
model = importlib.import_module(code.stem)._load_pyfunc(sys.argv[1] + "/bundle")
rows = pandas.DataFrame({"distance": [0.5, None], "origin": ["JFK", None]})
print(json.dumps(model.predict(rows)["probability"].tolist()))
print(any(name.split(".")[0] in ("components", "mlflow") for name in sys.modules))
"""


@pytest.fixture
def chain(notary, tmp_path) -> Chain:
    return Chain(tmp_path).until_decision()


def _stored(version: str = "1") -> Path:
    with opened_store() as client:
        source = client.get_model_version("flights", version).source
    return Path(source.removeprefix("file://"))


def test_evaluation_decision_and_card_are_stored_as_they_were_recorded(chain):
    found = chain.register()
    stored = _stored()
    for name in ("evaluation", "decision"):
        assert tree_digest(stored / "evidence" / name) == tree_digest(chain.path(name))
    cards = [
        folder / name
        for folder, name in (
            (stored, "README.md"),
            (chain.path("registration"), "model_card_pytorch.md"),
        )
    ]
    assert cards[0].read_bytes() == cards[1].read_bytes()
    assert stored_digest(stored) == found["candidate"]["model_sha256"]
    assert not [path for path in stored.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_the_stored_proof_convinces_whoever_has_the_public_key_and_nobody_with_another(
    chain, home, tmp_path
):
    chain.register()
    proof = ProofBundle.from_dict(json.loads((_stored() / "evidence/proof.json").read_text()))
    records = [chain.ports[name].metadata["record"] for name in ("pytorch_model", "decision")]
    key = read_public_key(AuditFolder(home))
    proven = verify_bundle(proof, records, key)
    assert {"ingest_examples", "validate_examples", "decide_release"} <= proven.stages
    other = type(key)(bytes(reversed(key.raw)))
    with pytest.raises(IntegrityError):
        verify_bundle(proof, records, other)


def test_the_card_says_what_the_records_say_and_nothing_becomes_markup(chain):
    chain.register()
    card = (_stored() / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["pipeline_tag"] == "tabular-classification"
    (result,) = front["model-index"][0]["results"]
    assert {"type": "roc_auc", "name": "AUC", "value": 0.75} in result["metrics"]
    for words in (
        "\n\\# Tell of \\<late\\> flights\n",
        "An authority \\| and another",
        "- One year only",
        "- Window: 2013\\-01\\:2013\\-02",
        "- train: 2,000 rows of 2013\\-01",
        "- Left out: 1 rows, cancelled",
        "- train\\.learning\\_rate\\: 0\\.01",
        f"tandem audit trace {tree_digest(chain.path('pytorch_model'))}",
    ):
        assert words in body, words
    assert "0.7500 (0.7400 to 0.7600)" in body


def test_the_example_is_a_row_of_the_signature_and_of_nobody(chain):
    from mlflow.models import Model

    chain.register()
    stored = _stored()
    model = Model.load(str(stored))
    assert model.load_input_example(str(stored)).to_dict("list") == {
        "distance": [0.0],
        "origin": [""],
    }
    served = json.loads(model.get_serving_input(str(stored)))
    assert served == {"dataframe_split": {"columns": ["distance", "origin"], "data": [[0.0, ""]]}}


def test_the_stored_code_needs_neither_tandem_nor_mlflow(chain):
    chain.register()
    command = [sys.executable, "-P", "-c", ALONE, str(_stored())]
    scores, foreign = subprocess.check_output(command, text=True, cwd="/").splitlines()
    rows = tiny_bundles.table(2)
    rows = rows.set_column(0, "distance", [[0.5, None]]).set_column(3, "origin", [["JFK", None]])
    expected = OnnxScorer(Bundle.open(chain.path("pytorch_model"))).predict(rows)
    np.testing.assert_array_equal(np.float32(json.loads(scores)), expected)
    assert foreign == "False"


def test_changed_bytes_of_a_stored_bundle_are_not_loaded(chain):
    import mlflow

    chain.register()
    (_stored() / "bundle" / "model.onnx").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"differs from its contract: model\.onnx"):
        mlflow.pyfunc.load_model(str(_stored()))


def test_the_same_model_is_written_with_the_same_bytes(tmp_path):
    bundle = Bundle.open(tiny_bundles.write_bundle(tmp_path / "bundle", "pytorch"))
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_model(tmp_path / name, bundle, {"tandem.run": "run-1"}, "2013-03-01 12:00:00")
        digests.add(stored_digest(tmp_path / name))
    assert len(digests) == 1
