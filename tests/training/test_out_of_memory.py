"""Memory that runs out in a training is told with the batch size to try, in both frameworks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.core.quiet import QUIET

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
# A hidden layer's activations, 10,000 rows x 50,000 units, need 2 GB; 1 GiB is left.
SCRIPT = """
import resource, sys
import numpy as np
from components.core.errors import PlatformError
from components.core.features import FeatureArrays, FeatureSpec
from components.core.model_settings import ModelFamily
from components.core.training_settings import Train
from importlib import import_module
framework = sys.argv[1]
training = import_module(f"components.train_{framework}.training")
families = import_module(f"components.train_{framework}.families.wide_and_deep")
train = Train(epochs=1, batch_size=10_000, device="cpu")
training.fix_machine(train)
family = ModelFamily.model_validate({"family": "wide_and_deep", "hidden_units": [50_000]})
spec = FeatureSpec(dense=("a", "b"), ids=(), label="late", rows={})
model = families.build_model(spec, family, 13)
rows = 10_000
arrays = FeatureArrays(
    np.ones((rows, 2), np.float32), np.empty((rows, 0), np.int32), np.ones(rows, np.float32)
)
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
try:
    training.fit_model(model, arrays, train)
except PlatformError as error:
    print(error.message, error.remedy, sep="\\n")
"""


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_batch_that_does_not_fit_is_told_with_a_smaller_one(framework: str) -> None:
    environment = QUIET | os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, framework], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    message, remedy = done.stdout.splitlines()
    assert message == "training ran out of memory with batches of 10000 rows"
    assert "train.batch_size=5000" in remedy
