"""What set-up chooses to install, and what it says where that cannot be had."""

import importlib.util
import sys
from pathlib import Path

import pytest

HOST = Path(__file__).resolve().parents[2] / "infra" / "host"
PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}"


@pytest.fixture
def setup(monkeypatch):
    monkeypatch.syspath_prepend(HOST)
    monkeypatch.delenv("TANDEM_TORCH", raising=False)
    spec = importlib.util.spec_from_file_location("host_setup", HOST / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_environment_is_for_the_cpu(setup):
    assert setup.find_lock(None).name == f"{PYTHON}-cpu.txt"


def test_an_environment_keeps_the_build_that_it_was_made_with(setup):
    assert setup.find_lock({"lock": f"{PYTHON}-gpu.txt"}).name == f"{PYTHON}-gpu.txt"


def test_tandem_torch_replaces_the_build_that_is_there(setup, monkeypatch):
    monkeypatch.setenv("TANDEM_TORCH", "cpu")
    assert setup.find_lock({"lock": f"{PYTHON}-gpu.txt"}).name == f"{PYTHON}-cpu.txt"


def test_a_build_that_does_not_exist_is_refused(setup, monkeypatch):
    monkeypatch.setenv("TANDEM_TORCH", "tpu")
    with pytest.raises(setup.SetupError, match="cpu or gpu"):
        setup.find_lock(None)


def test_where_the_cpu_build_cannot_be_had_the_remedy_is_named(setup):
    with pytest.raises(setup.SetupError, match="TANDEM_TORCH=gpu"):
        setup.install_torch(["false"], links=[])


@pytest.mark.parametrize(
    ("lock", "found"), [("py311-cpu", ["--find-links", "/wheels"]), ("py311-gpu", [])]
)
def test_a_folder_of_wheels_may_hold_the_cpu_build_and_is_left_out_for_the_gpu_one(
    setup, monkeypatch, lock, found
):
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    assert setup._links_for(Path(f"{lock}.txt")) == found


def test_a_package_that_was_removed_is_found_missing(setup, tmp_path, monkeypatch):
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("typing_extensions-4.16.0", "ruamel.yaml-1.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(setup, "VENV", tmp_path)
    lock = tmp_path / "lock.txt"
    lock.write_text("typing-extensions==4.16.0 \\\n    --hash=x\nruamel-yaml==1.0\nonnx==1.2\n")
    assert setup.missing_packages(lock) == {"onnx"}
