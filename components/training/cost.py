"""What a training took: the artifact `*_training`, which is outside reproducibility.

Rules: counted are the seconds from the untrained model to the trained one, a search's trials
included, without export and proof; CPU seconds are of this process and of those it started; what a
process before a resume took is not known here, so `resumed_from_step` says that there was one.
"""

from __future__ import annotations

from pathlib import Path

from components.core.artifacts import write_json
from components.core.resources import Stopwatch
from components.training.fit import Fit

TRAINING_FILE = "training.json"


def write_cost(folder: Path, framework: str, watch: Stopwatch, done: Fit) -> None:
    """Write training.json; to be called when the model is trained."""
    taken = watch.read()
    value = {
        "version": 1,
        "framework": framework,
        "device": done.device,
        "cpu_seconds": taken["cpu_seconds"],
        "wall_seconds": taken["wall_seconds"],
        "resumed_from_step": done.resumed_from_step,
    }
    write_json(folder / TRAINING_FILE, value)
