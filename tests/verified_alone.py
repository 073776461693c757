"""An export, verified by the verify.py in it where there is nothing but Python and cryptography."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

_ALONE = """
import runpy, socket, sys
packages, *rest = sys.argv[1:]
sys.path.append(packages)
def refuse(*_): raise OSError("no network here")
socket.socket = socket.create_connection = refuse
sys.argv = ["verify.py", *rest]
try:
    runpy.run_path(packages + "/verify.py", run_name="__main__")
finally:
    foreign = {"components", "pipelines", "rfc8785", "jsonschema"} & set(sys.modules)
    assert not foreign, foreign
"""
_NEEDED = ("cryptography", "_cffi_backend", "cffi")


def verified_alone(packed: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run an export's verifier in an empty folder, without Tandem and without a network."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for name in _NEEDED:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        found = Path(spec.origin)
        found = found.parent if found.name == "__init__.py" else found
        (packages / found.name).symlink_to(found)
    with zipfile.ZipFile(packed) as archive:
        (packages / "verify.py").write_bytes(archive.read("verify.py"))
    command = [sys.executable, "-I", "-S", "-c", _ALONE, str(packages), str(packed), *options]
    return subprocess.run(
        command, env={}, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
