"""Resolve pyproject.toml into the lock files of infra/locks: one for each Python and torch build.

Beside them one of each group that has an environment of its own: `xla` (`make try-xla`), the
EXTRAS, which like the CPU locks leave out torch, and image-NAME-VARIANT for each of infra/images.

Rules: every line has hashes; the platform is the newest glibc that the packages' wheels name, older
hosts are repaired at set-up (glibc_repair.py); the CPU locks leave out torch and the CUDA packages
that the index's torch pulls in, because CPU builds of torch come from another index: set-up
installs exactly TORCH_VERSION from there. What is locked stays at its version as long as
pyproject.toml allows it; `make lock UPGRADE=--upgrade` takes the newest. It needs the network.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "infra" / "locks"
PYTHONS = ("3.11", "3.12", "3.13")
DEFAULT = ("pyproject.toml", "--group", "dev", "--group", "setup")
XLA_PYTHON = "3.11"
# That of Debian 13, which the images are made from.
IMAGE_PYTHON = "3.13"
# The group of each image's lock with everything; a lock that is WITHOUT_CUDA is made of another.
IMAGES = {
    "data-cuda": "image-data",
    "pytorch-cuda": "image-pytorch",
    "tensorflow-cpu": "image-tensorflow",
    "tensorflow-cuda": "image-tensorflow-cuda",
    "tensorflow-tpu": "image-tensorflow-tpu",
    "registry-cpu": "image-registry",
}
WITHOUT_CUDA = {"data-cpu": "data-cuda", "pytorch-cpu": "pytorch-cuda"}
EXTRAS = ("executorch", "coreml")
EXTRAS_PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_40"
ONLY_FOR_CUDA = re.compile(r"^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")


def main() -> int:
    """Write all lock files."""
    uv = Path(sys.prefix, "bin", "uv")
    for python in PYTHONS:
        name = f"py{python.replace('.', '')}"
        gpu = _resolve(uv, python, LOCKS / f"{name}-gpu.txt", *DEFAULT)
        (LOCKS / f"{name}-cpu.txt").write_text(_without_cuda(gpu))
        print(f"{name}: {gpu.count('==')} packages")
    _resolve(uv, XLA_PYTHON, LOCKS / "xla.txt", "--group", "pyproject.toml:xla")
    _lock_images(uv)
    for extra in EXTRAS:
        lock = LOCKS / f"{extra}.txt"
        found = _resolve(uv, EXTRAS_PYTHON, lock, "--group", f"pyproject.toml:{extra}")
        lock.write_text(_without_cuda(found))
    (LOCKS / "bootstrap.txt").write_text(_entry(gpu, "uv"))
    return 0


def _lock_images(uv: Path) -> None:
    """Lock each image at the versions of the environment: artifacts pass between all of them."""
    same = ("--constraint", LOCKS / f"py{IMAGE_PYTHON.replace('.', '')}-gpu.txt")
    for image, group in IMAGES.items():
        _resolve(uv, IMAGE_PYTHON, _image_lock(image), "--group", f"pyproject.toml:{group}", *same)
    for image, whole in WITHOUT_CUDA.items():
        _image_lock(image).write_text(_without_cuda(_image_lock(whole).read_text()))
    _resolve(uv, IMAGE_PYTHON, LOCKS / "sbom.txt", "--group", "pyproject.toml:sbom", *same)


def _image_lock(image: str) -> Path:
    return LOCKS / f"image-{image}.txt"


def _resolve(uv: Path, python: str, lock: Path, *what: str | Path) -> str:
    """Resolve into a lock, whose versions uv prefers; return its text."""
    command = [
        uv, "pip", "compile", *what, "--python-version", python, "--python-platform", PLATFORM,
        "--no-python-downloads", "--generate-hashes", "--no-annotate", "--no-header", "--quiet",
        "--output-file", lock, *sys.argv[1:],
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return lock.read_text()


def _entries(lock: str) -> list[str]:
    """Split a lock into its entries: a requirement line and its hash lines."""
    return re.findall(r"^[A-Za-z0-9].*(?:\n[ \t]+.*)*\n?", lock, flags=re.MULTILINE)


def _without_cuda(lock: str) -> str:
    return "".join(entry for entry in _entries(lock) if not ONLY_FOR_CUDA.match(entry))


def _entry(lock: str, package: str) -> str:
    return next(entry for entry in _entries(lock) if entry.startswith(f"{package}=="))


if __name__ == "__main__":
    sys.exit(main())
