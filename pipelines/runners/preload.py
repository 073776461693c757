"""Which fork server a stage's process comes from, and what each server has imported.

Rules: a server imports what its stages would import anyway, and nothing else; whatever is not named
here runs in "light". The PyTorch trainer's server never imports TensorFlow. What a server could not
import, the task imports itself, and fails with its own message: preloading changes when a package
is imported, never whether.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT = "light"
_WRAPPER = ("kfp.dsl.executor", "components.stage")
_LIGHT_MODULES = (*_WRAPPER, "pyarrow.parquet")
_STAGES: Mapping[str, str] = {
    "ingest_examples": LIGHT,
    "validate_examples": "tensorflow",
    "transform_features": "tensorflow",
    "train_tensorflow": "tensorflow",
    "evaluate_models": LIGHT,
    "measure_models": "tensorflow",
    "train_pytorch": "torch",
    "import_model": LIGHT,
    "decide_release": LIGHT,
    "register_models": "mlflow",
    "seal_run": LIGHT,
}
SERVERS: Mapping[str, tuple[str, ...]] = {
    # Every stage may turn out to be cached, and then runs here.
    LIGHT: (*_LIGHT_MODULES, *(f"components.{stage}.step" for stage in _STAGES)),
    "tensorflow": (
        *_LIGHT_MODULES,
        "tensorflow",
        "keras",
        "tensorflow_data_validation",
        "tensorflow_transform.beam",
        "tensorflow_model_analysis",
        "onnxruntime",
    ),
    "torch": (*_LIGHT_MODULES, "torch", "torch.export.pt2_archive"),
    "mlflow": (
        *_WRAPPER,
        "components.register_models.slim_mlflow",
        "components.register_models.step",
    ),
}
# Of what every run needs, cached or not, this loads longest: four times as long as LIGHT.
LONGEST = "mlflow"


def server_of(stage: str) -> str:
    """Return the name of the fork server that a stage's process comes from."""
    return _STAGES.get(stage, LIGHT)
