"""A .pt2 archive looked through before PyTorch loads it: whether loading it would run its code.

Why: torch.export.load unpickles what an archive says is pickled, loads the libraries that it
brings, and evaluates the texts of its symbolic sizes; a model of plain tensors needs none of it.

Rules: an archive is refused that has a pickled weight, a custom object, a compiled library, or is
of the old form, which is pickles alone; sample inputs, pickled by PyTorch itself, must pass its
restricted unpickler, or it would take the other; a symbolic size is made of names, numbers,
operators and calls of functions of arithmetic, without attributes.

Source: torch/export/pt2_archive/_package.py and torch/_export/serde/serialize.py of 2.13.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from components.core.errors import SettingsError

_PLAIN = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
    r"|models/model\.json|data/(weights|constants)/model_\w+_config\.json"
    r"|data/weights/weight_\d+|data/constants/tensor_\d+|data/sample_inputs/model\.pt)"
)
_SAMPLE = "data/sample_inputs/model.pt"
_MORE = "has sample inputs that are more than tensors"
# What names something in a pickle, and all that the restricted unpickler could take of that.
_NAMING = ("GLOBAL", "STACK_GLOBAL", "INST")
_TENSORS = re.compile(
    r"torch[. ].*|collections (OrderedDict|Counter)|_codecs encode"
    r"|(builtins|__builtin__) (bytearray|set|complex)"
)
# What zipfile, json and pickletools raise, and what reads a JSON of another form.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError,
    AttributeError, KeyError, TypeError
)  # fmt: skip
_SIZE = re.compile(r"(?!.*__)(?!.*\.\s*[A-Za-z_])(?!.*\)\s*\()([\w +\-*/%(),.<>=]|'\w+')*")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_ARITHMETIC = frozenset((
    "Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Abs", "Mod",
    "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "CeilToInt", "FloorToInt", "TruncToInt",
    "ToFloat", "IntTrueDiv", "FloatTrueDiv", "PowByNatural", "ModularIndexing", "Where", "Eq",
    "Ne", "Equality", "Unequality", "LessThan", "StrictLessThan", "GreaterThan",
    "StrictGreaterThan"
))  # fmt: skip


def require_no_code(path: Path) -> None:
    """Raise SettingsError unless loading the archive runs no code that it brings.

    Of its sample inputs only the names are looked at: `require_tensors` needs PyTorch, which takes
    seconds to import.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len({*names}) != len(names):  # which of two is read, each reader says itself
                _refuse(path, "names a file twice")
            for name in names:
                if not _PLAIN.fullmatch(name):
                    _refuse(path, f"holds {name}")
                if name.endswith("_config.json"):
                    _require_plain(path, json.loads(archive.read(name)))
                elif name.endswith("models/model.json"):
                    _require_sizes(path, json.loads(archive.read(name)))
                elif name.endswith(_SAMPLE):
                    _require_known(path, archive.read(name))
    except _BROKEN as error:
        raise SettingsError(
            f"{path.name} is no archive of torch.export", remedy="save it by torch.export.save"
        ) from error


def require_tensors(path: Path) -> None:
    """Raise SettingsError unless PyTorch's restricted unpickler takes the sample inputs."""
    import torch

    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(_SAMPLE):
                try:
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
                except pickle.UnpicklingError:
                    _refuse(path, _MORE)


def _require_known(path: Path, content: bytes) -> None:
    """Refuse sample inputs that name what PyTorch's restricted unpickler never takes."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        _refuse(path, _MORE)
    with zipfile.ZipFile(io.BytesIO(content)) as sample:
        pickles = [sample.read(name) for name in sample.namelist() if name.endswith("/data.pkl")]
    for opcode, argument, _ in chain(*map(pickletools.genops, pickles)):
        if opcode.name in _NAMING and not _TENSORS.fullmatch(str(argument)):
            _refuse(path, _MORE)


def _require_plain(path: Path, config: Any) -> None:
    """Refuse a weight or constant that is not stored as plain bytes."""
    for name, payload in config["config"].items():
        if payload.get("use_pickle") is not False:
            _refuse(path, f"holds {name} as a pickle")


def _require_sizes(path: Path, program: Any) -> None:
    for text in _expressions(program):
        if not (_SIZE.fullmatch(text) and _ARITHMETIC.issuperset(_CALL.findall(text))):
            _refuse(path, "has a size that is no arithmetic")


def _expressions(value: Any) -> Iterator[str]:
    """Yield the texts that are evaluated."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "expr_str":
                yield str(item)
            else:
                yield from _expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item)


def _refuse(path: Path, what: str) -> NoReturn:
    raise SettingsError(
        f"{path.name} {what}: loading it could run any code",
        remedy="save a program of plain tensors by torch.export.save, without compiling it",
    )
