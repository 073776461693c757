"""Images: the one that a face names by default, and which of ours holds a stage's packages.

Rules: runners pin the real image by digest; a stage is in the smallest image that holds all it may
import. `data` has every framework beside the TFX libraries, because measuring and importing open
every form of both, and the evaluation and the decision write TFMA's files.
"""

from collections.abc import Mapping

BASE_IMAGE = "python:3.11"
# Folders of infra/images, by stage.
IMAGE_OF_STAGE: Mapping[str, str] = {
    "ingest_examples": "data",
    "validate_examples": "data",
    "transform_features": "data",
    "train_pytorch": "pytorch",
    "train_tensorflow": "tensorflow",
    "import_model": "data",
    "evaluate_models": "data",
    "measure_models": "data",
    "decide_release": "data",
    "register_models": "registry",
    "seal_run": "registry",
}
