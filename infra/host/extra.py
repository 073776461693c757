"""Make the environment of an extra, `.venv-NAME`, from its lock and PyTorch's CPU build: NAME.

Rules: a finished environment holds the digest of its lock and is left alone; any other is made
anew, whole. It needs `.venv`, whose uv installs, and the network.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import lock as locks
import setup


def main(arguments: list[str]) -> int:
    """Make the environment once; return 0, or 1 with one line of cause and remedy."""
    name = arguments[0]
    if name not in locks.EXTRAS:
        raise SystemExit(f"tandem: there is no extra {name}: {', '.join(locks.EXTRAS)}")
    venv, lock = setup.ROOT / f".venv-{name}", setup.LOCKS / f"{name}.txt"
    if is_finished(venv, lock):
        return 0
    try:
        install(venv, lock)
    except (subprocess.CalledProcessError, setup.SetupError):
        print(
            f"tandem: {venv.name} could not be made, the message is above; where PyTorch's own "
            "index cannot be reached, name a folder with the wheel of its CPU build in "
            "PIP_FIND_LINKS; then run the same command again",
            file=sys.stderr,
        )
        return 1
    finish(venv, lock)
    return 0


def is_finished(venv: Path, lock: Path) -> bool:
    """Say whether the environment was made of this lock, to its end."""
    mark = venv / setup.ENVIRONMENT_FILE
    return mark.is_file() and mark.read_text() == digest(lock)


def finish(venv: Path, lock: Path) -> None:
    """Mark the environment as finished; the last act."""
    (venv / setup.ENVIRONMENT_FILE).write_text(digest(lock))


def digest(lock: Path) -> str:
    """Return the digest of what is to be installed."""
    return hashlib.sha256(lock.read_bytes() + setup.TORCH_VERSION.encode()).hexdigest()


def install(venv: Path, lock: Path) -> None:
    """Install everything, saying what it does."""
    uv, python = Path(sys.prefix, "bin", "uv"), venv / "bin" / "python"
    into = [uv, "pip", "install", "--python", python]
    with setup.Step("1/2", f"packages of {lock.name}"):
        new = [uv, "venv", "--quiet", "--clear", "--python", locks.EXTRAS_PYTHON, venv]
        subprocess.run(new, check=True)
        packages = [*into, "--quiet", "--compile-bytecode", "--require-hashes", "-r", lock]
        subprocess.run(packages, check=True)
    with setup.Step("2/2", f"PyTorch {setup.TORCH_VERSION}"):
        setup.install_torch(into, setup.find_links())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
