"""The same IR through kfp.local: what the embedded executor wrote, kfp's own runner writes too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.audit.process import NotaryProcess
from components.core.artifacts import tree_digest

pytestmark = pytest.mark.slow

RUN_UNDER_KFP_LOCAL = """
import json, sys
from kfp import components, local
ir, arguments, root = sys.argv[1:]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root)
pipeline = components.load_component_from_file(ir)
pipeline(**json.load(open(arguments)))
"""

# What does not repeat byte for byte, and why: docs/reproducibility.md.
REPRODUCIBLE = {
    "ingest_examples": ("examples",),
    "validate_examples": ("validation",),
    "transform_features": ("features",),
    "train_pytorch": ("pytorch_model",),
}


@pytest.fixture(scope="module")
def under_kfp_local(tmp_path_factory, small_run):
    """Run the recorded IR and arguments of the small run under kfp.local; return its root."""
    folder = tmp_path_factory.mktemp("kfp-local")
    home = folder / "home"
    arguments = dict(small_run.arguments)
    arguments["run"] = arguments["run"] | {"id": "20130101T000000Z-kfp10c", "cache": False}
    (folder / "arguments.json").write_text(json.dumps(arguments))
    (folder / "run.py").write_text(RUN_UNDER_KFP_LOCAL)
    with NotaryProcess(home) as notary:
        variables = os.environ | {
            "TANDEM_HOME": str(home),
            "TANDEM_NOTARY": notary.address,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        finished = subprocess.run(
            [
                sys.executable,
                folder / "run.py",
                small_run.folder / "pipeline.yaml",
                folder / "arguments.json",
                folder / "root",
            ],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-4000:]
    return folder / "root"


def output(root: Path, stage: str, name: str) -> Path:
    """Return the folder that kfp.local gave to one output."""
    (found,) = [p for p in root.rglob(name) if p.is_dir() and stage.replace("_", "-") in p.parts]
    return found


def read(root: Path, stage: str, name: str, file: str):
    return json.loads((output(root, stage, name) / file).read_text())


@pytest.mark.parametrize("stage", sorted(REPRODUCIBLE))
def test_reproducible_artifacts_have_the_same_digest(under_kfp_local, small_run, stage):
    for name in REPRODUCIBLE[stage]:
        digest = tree_digest(output(under_kfp_local, stage, name))
        assert digest == small_run.digest(stage, name)


def test_the_fitted_values_and_their_onnx_form_are_the_same(under_kfp_local, small_run):
    there = output(under_kfp_local, "transform_features", "transform_graph")
    here = small_run.output("transform_features", "transform_graph")
    for name in ("preprocessing.json", "preprocessing.onnx"):
        assert (there / name).read_bytes() == (here / name).read_bytes()


def test_every_metric_of_every_slice_is_the_same(under_kfp_local, small_run):
    there = read(under_kfp_local, "evaluate_models", "evaluation", "evaluation.json")
    here = small_run.json("evaluate_models", "evaluation", "evaluation.json")
    for framework in ("pytorch", "tensorflow"):
        assert there["models"][framework]["slices"] == here["models"][framework]["slices"]


def test_the_policy_judges_the_same(under_kfp_local, small_run):
    there = read(under_kfp_local, "decide_release", "decision", "decision.json")
    here = small_run.json("decide_release", "decision", "decision.json")
    assert there["go"] is here["go"] is True
    assert there["gates"] == here["gates"]


def test_both_runs_registered_a_candidate(under_kfp_local, small_run):
    there = read(under_kfp_local, "register_models", "registration", "registration.json")
    here = small_run.json("register_models", "registration", "registration.json")
    assert set(there) == set(here)
    assert there["model_name"] == here["model_name"]


def test_the_tensorflow_weights_are_the_same(under_kfp_local, small_run):
    there = read(under_kfp_local, "train_tensorflow", "tensorflow_model", "contract.json")
    here = small_run.json("train_tensorflow", "tensorflow_model", "contract.json")
    assert there["weights_sha256"] == here["weights_sha256"]
