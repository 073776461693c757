"""What a path holds, by its name and its first bytes: one of four formats, or nothing we take.

Rules: nothing is loaded to find out; a pickle, whatever it is called, is refused before anything
else could open it, because loading one runs the code that it holds.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from components.core.artifacts import tree_digest
from components.core.canonical import sha256_file
from components.core.contract import CONTRACT_NAME
from components.core.errors import SettingsError

Format = Literal["bundle", "onnx", "saved_model", "torch_export"]
TAKEN = "an ONNX file (.onnx), a SavedModel's folder, a .pt2 file, or a folder with contract.json"
_SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".pt2": "torch_export"}
_SAVED_MODEL = "saved_model.pb"
_FOLDERS: dict[str, Format] = {CONTRACT_NAME: "bundle", _SAVED_MODEL: "saved_model"}
_DEEPEST = 4  # a TFX Model: Format-Serving/export/NAME/VERSION
_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")
_PROTOCOLS = range(2, 6)


def format_of(path: Path) -> Format:
    """Return the format of what lies at a path; SettingsError for what is not taken."""
    if path.is_dir():
        found = [kind for name, kind in _FOLDERS.items() if (path / name).is_file()]
        if found:
            return found[0]
        raise _not_taken(f"the folder {path} holds neither {' nor '.join(_FOLDERS)}{_below(path)}")
    if not path.is_file():
        raise SettingsError(f"there is no model at {path}", remedy="correct the path")
    if path.suffix in _PICKLE_SUFFIXES or _looks_pickled(path):
        raise SettingsError(
            f"{path} is a pickle, or may hold one: it could run any code when it is loaded",
            remedy=f"export the model, as {TAKEN}",
        )
    if path.suffix not in _SUFFIXES:
        raise _not_taken(f"{path} is of no format that is known by its name")
    return _SUFFIXES[path.suffix]


def digest_of(path: Path) -> str:
    """Return the digest of a file, or of a folder as an artifact has it."""
    return sha256_file(path) if path.is_file() else tree_digest(path)


def _below(path: Path) -> str:
    """Return words that name the nearest SavedModel below a folder, the last version of several."""
    for depth in range(1, _DEEPEST + 1):
        if found := sorted(path.glob("*/" * depth + _SAVED_MODEL)):
            return f"; {found[-1].parent} holds {_SAVED_MODEL}"
    return ""


def _looks_pickled(path: Path) -> bool:
    """Say whether a file begins as pickles of protocol 2 and later do, or is a zip that holds one.

    An ONNX file begins with the field of its version, which is another byte.
    """
    with path.open("rb") as stream:
        first = stream.read(2)
    if len(first) == 2 and first[0] == 0x80 and first[1] in _PROTOCOLS:
        return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(_PICKLE_SUFFIXES[:2]) for name in archive.namelist())


def _not_taken(what: str) -> SettingsError:
    return SettingsError(what, remedy=f"give {TAKEN}")
