"""A form of a PyTorch model that is not the model is refused, and so is one whose proof ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from every_family import FAMILIES, on

from components.core.errors import SettingsError, TandemError
from components.core.features import FeatureSpec, load_split
from components.training.evidence import Evidence
from components.training.parity import Evaluated
from components.training.proof import Prover, Written
from components.training.sealing import Preprocessing

pytestmark = pytest.mark.slow


@pytest.fixture
def model(small_spec: FeatureSpec) -> Any:
    build, _ = on("pytorch", FAMILIES["wide_and_deep"])
    return build(small_spec, FAMILIES["wide_and_deep"], 3)


@pytest.fixture
def evidence(model: Any, small_features: Path, small_transform_graph: Path) -> Evidence:
    from components.train_pytorch.export import predictor

    predict = predictor(model)
    evaluated = Evaluated.by(predict, load_split(small_features, "eval"))
    return Preprocessing.read(small_transform_graph).evidence(predict, evaluated)


def write(folder: Path, model: Any, spec: FeatureSpec) -> Written:
    from components.train_pytorch.export import trace, write_program

    return write_program(folder, trace(model, spec))


def with_another_weight(folder: Path, model: Any, spec: FeatureSpec) -> None:
    bias = next(weight for name, weight in model.named_parameters() if name.endswith("bias"))
    bias.data += 0.5
    write(folder, model, spec)


def without_the_sigmoid(folder: Path, model: Any, spec: FeatureSpec) -> None:
    import torch

    from components.train_pytorch import export

    class Logit(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, dense: Any, ids: Any) -> Any:
            return self.model(dense, ids).squeeze(1)

    sizes = {0: torch.export.Dim("batch")}
    sample = (torch.zeros(2, len(spec.dense)), torch.zeros(2, len(spec.ids), dtype=torch.int32))
    program = torch.export.export(Logit().eval(), sample, dynamic_shapes=(sizes, sizes))
    export.write_program(folder, program)


def cut_in_half(folder: Path, model: Any, spec: FeatureSpec) -> None:
    path = folder / "model.pt2"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_program_that_was_not_changed_is_proven(
    model: Any, evidence: Evidence, small_spec: FeatureSpec, tmp_path: Path
) -> None:
    assert Prover("torch_export").prove(tmp_path, [write(tmp_path, model, small_spec)], evidence)


@pytest.mark.parametrize(
    ("change", "kind", "cause"),
    [
        (with_another_weight, SettingsError, "the torch_export form differs from the framework"),
        (without_the_sigmoid, SettingsError, "the torch_export form differs from the framework"),
        (cut_in_half, SettingsError, "the torch_export form .* does not run in torch: "),
    ],
)
def test_a_program_that_was_changed_is_refused(
    model: Any,
    evidence: Evidence,
    small_spec: FeatureSpec,
    tmp_path: Path,
    change: Callable[[Path, Any, FeatureSpec], None],
    kind: type[TandemError],
    cause: str,
) -> None:
    written = write(tmp_path, model, small_spec)
    change(tmp_path, model, small_spec)
    with pytest.raises(kind, match=cause):
        Prover("torch_export").prove(tmp_path, [written], evidence)


AS_A_TASK = """
import os, signal, sys
from pathlib import Path
import pyarrow
import torch
pid = os.fork()  # as a task is made: whatever threads imports started stay behind
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
from components.core.errors import PlatformError
from components.training.evidence import Evidence, Rows
from components.training.proof import Prover, Written
prover = Prover("torch_export")
child = prover._waiting["torch"]._pid
assert os.waitpid(child, os.WNOHANG) == (0, 0)
"""
NOT_ASKED = """
del prover
assert os.waitpid(child, 0) == (child, 0)
"""
KILLED = """
import numpy as np
os.kill(child, signal.SIGKILL)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
none = Rows({"dense": np.zeros((1, 0)), "ids": np.zeros((1, 0))}, np.zeros(1), np.ones(1))
form = Written("torch_export", "model.pt2", "features")
try:
    prover.prove(Path("."), [form], Evidence(none, none))
except PlatformError as error:
    assert "the proof of torch ended without an answer, exit code -9" in str(error), error
else:
    raise AssertionError("it was proven")
"""


@pytest.mark.parametrize("end", [NOT_ASKED, KILLED], ids=["not asked", "killed"])
def test_the_process_that_waits_ends_and_is_never_waited_for_in_vain(end: str) -> None:
    subprocess.run([sys.executable, "-c", AS_A_TASK + end], check=True, timeout=120)


def test_the_operators_of_a_program_are_read_where_a_branch_holds_them(tmp_path: Path) -> None:
    import torch

    from components.core.operators import operators_of

    class Either(torch.nn.Module):
        def forward(self, dense: Any) -> Any:
            return torch.cond(dense.sum() > 0, lambda x: x.cos(), lambda x: x.sin(), (dense,))

    program = torch.export.export(Either(), (torch.zeros(2, 2),))
    torch.export.save(program, tmp_path / "model.pt2")
    found = operators_of("torch_export", tmp_path / "model.pt2")
    assert found["higher_order"] == ("cond",)
    assert {"cos.default", "sin.default", "sum.default"} <= set(found["aten"])
