"""One process of a TensorFlow training: `python -m components.train_tensorflow.worker FOLDER`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Train."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import components.train_tensorflow.slim_tensorflow  # noqa: F401 - before anything of TensorFlow
    from components.train_tensorflow.framework import TensorFlow
    from components.training.worker import work

    rank = int(json.loads(os.environ["TF_CONFIG"])["task"]["index"])
    work(Path(arguments[0]), TensorFlow(), rank)


if __name__ == "__main__":
    main(sys.argv[1:])
