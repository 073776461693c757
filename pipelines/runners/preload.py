"""Which fork server a stage's process comes from, and what each server has imported.

Rules: a server imports what its stages would import anyway, and nothing else; what stands behind
LATER no first task waits for. Whatever is not named here runs in "light". The PyTorch trainer's
server never imports TensorFlow. What a server could not import, the task imports itself, and fails
with its own message: preloading changes when a package is imported, never whether.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.runners.fork_server import LATER

LIGHT = "light"
_WRAPPER = ("kfp.dsl.executor", "components.stage")
_LIGHT_MODULES = (*_WRAPPER, "pyarrow.parquet")
# pandas: pyarrow imports it with the first array that it makes for numpy.
_EVALUATION = ("pandas", "pyarrow.dataset", "onnxruntime")
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
    LIGHT: (
        *_LIGHT_MODULES,
        *(f"components.{stage}.step" for stage in _STAGES),
        LATER,
        *_EVALUATION,
    ),
    "tensorflow": (
        *_LIGHT_MODULES,
        "components.train_tensorflow.slim_tensorflow",
        "tensorflow_data_validation",
        LATER,
        "tensorflow_transform.beam",
        "onnxruntime",
    ),
    "torch": (
        *_LIGHT_MODULES,
        "torch",
        "torch.export.pt2_archive",
        LATER,
        "pandas",
        "torch.export._trace",
        "torch.onnx._internal.exporter",
        "onnxscript.function_libs.torch_lib.ops",
    ),
    "mlflow": (
        *_WRAPPER,
        "components.register_models.slim_mlflow",
        "components.register_models.step",
    ),
}
# A process that a stage has at the other end of a socket: the server that it is forked from, and
# the module whose `serve` it runs.
BESIDE: Mapping[str, tuple[str, str]] = {
    "measure_models": ("torch", "components.measure_models.torch_process"),
}
# Of what every run needs, cached or not, this loads longest: four times as long as LIGHT.
LONGEST = "mlflow"
# Of what a run needs that finds nothing cached; the data's validation waits for it.
LONGEST_UNCACHED = "tensorflow"


def modules_of(server: str) -> tuple[str, ...]:
    """Return all that a server imports, in its order."""
    return tuple(module for module in SERVERS[server] if module != LATER)


def server_of(stage: str) -> str:
    """Return the name of the fork server that a stage's process comes from."""
    return _STAGES.get(stage, LIGHT)
