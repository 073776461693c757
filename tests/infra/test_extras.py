"""What forms with environments of their own are tried on, and when they are refused."""

import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from components.core.bundle import Bundle
from components.core.errors import IntegrityError, PlatformError, SettingsError

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.fixture
def extras(monkeypatch):
    monkeypatch.syspath_prepend(INFRA / "extras")
    return import_module


@pytest.fixture
def bundles(extras):
    return extras("bundles")


@pytest.fixture
def extra(monkeypatch):
    monkeypatch.syspath_prepend(INFRA / "host")
    return import_module("extra")


def test_the_bundle_is_that_of_the_newest_run_that_has_one(bundles, small_bundle, tmp_path):
    for run in ("20260101T000000Z-b", "20260102T000000Z-a"):
        shutil.copytree(small_bundle, tmp_path / run / "artifacts/train-pytorch/pytorch_model")
    (tmp_path / "20260103T000000Z-c/artifacts/train-pytorch/pytorch_model").mkdir(parents=True)
    assert bundles._newest(tmp_path).parents[2].name == "20260102T000000Z-a"


def test_where_no_run_has_a_bundle_the_remedy_is_named(bundles, monkeypatch, tmp_path):
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    with pytest.raises(SettingsError) as caught:
        bundles.open_bundle([])
    assert "BUNDLE=path" in caught.value.remedy


def test_a_folder_without_a_contract_is_no_bundle(bundles, tmp_path):
    with pytest.raises(SettingsError, match=r"contract\.json"):
        bundles.open_bundle([str(tmp_path)])


def test_a_bundle_without_a_form_of_pytorch_is_refused(bundles, small_bundle):
    with pytest.raises(IntegrityError, match="torch_export"):
        bundles.open_bundle([str(small_bundle)])


def test_a_bundle_of_which_a_byte_changed_is_refused(bundles, small_bundle):
    with (small_bundle / "preprocessing.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(IntegrityError, match="differs from its contract"):
        bundles.open_bundle([str(small_bundle)])


def test_edge_rows_hold_every_word_that_the_preprocessing_knows(bundles, small_bundle):
    trial = bundles.Trial.of(Bundle.open(small_bundle))
    assert trial.features.rows == trial.edges
    assert [set(column) for column in trial.features.ids.T] == [{0, 1, 2, 3}, {0, 1, 2}]


@pytest.mark.slow
def test_a_runs_bundle_is_tried_on_its_evaluation_rows_and_its_bounded_program_agrees(
    bundles, small_run, monkeypatch
):
    import torch

    monkeypatch.setenv("TANDEM_HOME", str(small_run.home))
    bundle = bundles.open_bundle([])
    trial = bundles.Trial.of(bundle)
    assert trial.features.rows > trial.edges
    program = bundles.bounded(bundle).module()
    inputs = (torch.tensor(trial.features.dense), torch.tensor(trial.features.ids))
    for size in bundles.BATCH_SIZES:
        batches = zip(
            *(rows[: 2 * bundles.LARGEST_BATCH].split(size) for rows in inputs), strict=True
        )
        with torch.no_grad():
            found = np.concatenate([program(*batch).numpy() for batch in batches])
        np.testing.assert_allclose(found, trial.expected[: len(found)], atol=1e-5)
    with pytest.raises(AssertionError):
        program(*(rows[: bundles.LARGEST_BATCH + 1] for rows in inputs))


@pytest.fixture
def executorch(extras):
    return extras("executorch_form")


@pytest.mark.parametrize(("error", "code"), [(0.0, 0), (9e-6, 0), (2e-5, 1), (np.nan, 1)])
def test_a_difference_over_the_tolerance_ends_with_1(
    bundles, executorch, small_bundle, error, code
):
    trial = bundles.Trial.of(Bundle.open(small_bundle))
    outputs = {size: trial.expected.copy() for size in bundles.BATCH_SIZES}
    # The first row has nothing, so its features are ordinary and its difference counts whole.
    outputs[7][0] += error
    assert executorch.compare(trial, outputs, 1e-5) == code


@pytest.mark.parametrize(("error", "code"), [(0.02, 0), (0.08, 1)])
def test_values_differ_in_units_of_their_deviation(bundles, executorch, small_bundle, error, code):
    trial = bundles.Trial.of(Bundle.open(small_bundle))
    trial = replace(trial, expected=np.zeros_like(trial.expected), unit=4000.0)
    outputs = {size: trial.expected.copy() for size in bundles.BATCH_SIZES}
    outputs[7][0] += error
    assert executorch.compare(trial, outputs, 1e-5) == code


@pytest.mark.parametrize(("error", "code"), [(9e-6, 0), (2e-5, 1)])
def test_the_class_that_differs_most_counts(bundles, executorch, small_bundle, error, code):
    trial = bundles.Trial.of(Bundle.open(small_bundle))
    trial = replace(trial, expected=np.stack([trial.expected] * 3, axis=1))
    outputs = {size: trial.expected.copy() for size in bundles.BATCH_SIZES}
    outputs[7][0, 2] += error
    assert executorch.compare(trial, outputs, 1e-5) == code


def test_an_output_of_another_shape_is_refused(bundles, executorch, small_bundle):
    trial = bundles.Trial.of(Bundle.open(small_bundle))
    with pytest.raises(IntegrityError, match="batches of 7"):
        executorch.compare(trial, {7: trial.expected[:, None]}, 1e-5)


def test_a_program_that_does_not_run_is_an_error(bundles, executorch, small_bundle, tmp_path):
    trial = bundles.Trial.of(Bundle.open(small_bundle))
    with pytest.raises(PlatformError, match="converted but does not run"):
        executorch.run_fresh(tmp_path / "absent.pte", trial)


@pytest.mark.parametrize("form", ["executorch_form", "coreml_form"])
def test_an_error_ends_with_1_and_a_line_of_cause_and_remedy(extras, form, tmp_path, capsys):
    assert extras(form).main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


TAKES = {"dense": ("FLOAT32", 2), "ids": ("INT32", 2), "probability": ("FLOAT32",)}


@pytest.mark.parametrize(
    "other", [{"var_12": ("FLOAT32",)}, {"probability": ("FLOAT16",)}, {"ids": ("INT32", 3)}]
)
def test_a_package_that_takes_or_gives_something_else_is_refused(extras, small_bundle, other):
    coreml, contract = extras("coreml_form"), Bundle.open(small_bundle).contract
    coreml.require(TAKES, contract)
    with pytest.raises(IntegrityError, match="takes and gives"):
        coreml.require(TAKES | other, contract)


def test_an_extra_that_does_not_exist_is_refused(extra):
    with pytest.raises(SystemExit, match="executorch, coreml"):
        extra.main(["tensorrt"])


def test_every_extra_has_a_lock_with_hashes_and_without_torch(extra):
    for name in extra.locks.EXTRAS:
        lock = (extra.setup.LOCKS / f"{name}.txt").read_text()
        assert "\ntorch==" not in lock
        assert "\nnvidia" not in lock
        entries = extra.locks._entries(lock)
        assert len(entries) > 20
        assert all("--hash=sha256:" in entry for entry in entries)


def test_an_environment_is_finished_for_the_lock_that_it_was_made_of_alone(extra, tmp_path):
    lock = tmp_path / "coreml.txt"
    lock.write_text("numpy==2.4.6")
    assert not extra.is_finished(tmp_path, lock)
    extra.finish(tmp_path, lock)
    assert extra.is_finished(tmp_path, lock)
    lock.write_text("numpy==2.4.7")
    assert not extra.is_finished(tmp_path, lock)
