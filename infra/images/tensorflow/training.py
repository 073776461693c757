"""Train in the image of tensorflow-tpu: INPUT OUTPUT, two folders.

Run in a container by infra/images/try_tensorflow_tpu.py. Reads features, transform_graph and
settings.json of INPUT; writes the bundle into OUTPUT. Ends with 0 only if `device: tpu` is refused
where there is no TPU, and the same training goes on the CPU.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path

from components.core.artifacts import read_json
from components.core.errors import SettingsError
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow


def main(arguments: list[str]) -> int:
    """Try both devices; return 0, or 1 where a TPU that is not there was not missed."""
    given, made = map(Path, arguments)
    print(f"tensorflow-tpu {version('tensorflow-tpu')}, libtpu {version('libtpu')}", flush=True)
    try:
        _train(given, made / "on-tpu", "tpu")
    except SettingsError as error:
        print(f"device: tpu: {error.message}", flush=True)
    else:
        print("device: tpu trained where no TPU is", file=sys.stderr)
        return 1
    before = time.monotonic()
    _train(given, made / "bundle", "cpu")
    print(f"device: cpu: trained, exported and proven in {time.monotonic() - before:.0f} s")
    return 0


def _train(given: Path, bundle: Path, device: str) -> None:
    bundle.mkdir()
    recorded = read_json(given / "settings.json")
    settings = TrainTensorflowSettings.model_validate(
        {"model": recorded["model"], "train": recorded["train"] | {"device": device}}
    )
    train_tensorflow(
        settings=settings,
        features=given / "features",
        transform_graph=given / "transform_graph",
        tensorflow_model=bundle,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
