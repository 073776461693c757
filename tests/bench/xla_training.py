"""The PyTorch trainer on torch_xla's CPU device against the CPU itself; fails where they differ.

Run by `make try-xla` with PJRT_DEVICE=CPU, in an environment that has torch_xla and little else.
What an XLA program computes is fused otherwise than eager PyTorch, so weights agree to 1e-5, not
1e-6. Nothing here was ever run on a TPU.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from components.core.features import (
    FeatureArrays,
    FeatureSpec,
    IdFeature,
    load_split,
    write_split,
)
from components.core.model_settings import Family, ModelFamily
from components.core.training_settings import Device, Train
from components.train_pytorch import training
from components.training.fit import Fit

ROWS = 2000
SPEC = FeatureSpec(
    dense=("a", "b", "c"),
    ids=(IdFeature(name="k", size=5), IdFeature(name="m", size=9)),
    label="y",
    rows={"train": ROWS, "eval": 0},
)
FAMILIES: tuple[Family, ...] = ("wide_and_deep", "dcn_v2", "ft_transformer")
TOLERANCE = 1e-5


def write_features(folder: Path) -> None:
    """Write made-up rows whose label depends on them."""
    random = np.random.default_rng(5)
    dense = random.standard_normal((ROWS, len(SPEC.dense))).astype(np.float32)
    ids = np.stack([random.integers(0, f.buckets, ROWS) for f in SPEC.ids], 1).astype(np.int32)
    label = (dense[:, 0] + (ids[:, 0] == 1) > 0.5).astype(np.float32)
    write_split(folder, "train", FeatureArrays(dense, ids, label))
    SPEC.write(folder)


def trained(features: Path, family: Family, device: Device) -> tuple[dict[str, np.ndarray], Fit]:
    """Train a family on a device."""
    from importlib import import_module

    train = Train(
        epochs=2,
        batch_size=512,
        device=device,
        clip_norm=0.1,
        weight_decay=0.01,
        class_weights="balanced",
        validation_share=0.2,
    )
    training.fix_machine(train)
    module = import_module(f"components.train_pytorch.families.{family}")
    model = module.build_model(SPEC, ModelFamily(family=family), train.seed)
    done = training.fit_model(model, load_split(features, "train"), train)
    return training.weight_arrays(model), done


def main() -> None:
    """Train each family on both; XLA first, since autograd makes its queues at the first use."""
    print(f"PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        write_features(Path(name))
        for family in FAMILIES:
            started = time.monotonic()
            found, done = trained(Path(name), family, "tpu")
            seconds = time.monotonic() - started
            expected, _ = trained(Path(name), family, "cpu")
            difference = max(float(np.abs(found[n] - expected[n]).max()) for n in expected)
            print(f"{family} on {done.device}: {difference:.1e} from the CPU, {seconds:.1f} s")
            if not difference <= TOLERANCE:
                raise SystemExit(f"{family}: more than {TOLERANCE}")


if __name__ == "__main__":
    main()
