"""An artifact: a folder of files that one stage writes and later stages read.

Rules: an artifact is a folder, never a single file; its digest is the digest of its manifest, so
it depends on relative names and bytes only, not on times, owners or where it lies; links and
special files are refused, so nothing outside the folder can be part of it. JSON files are written
beside and renamed. This module knows nothing of stages, records or kfp.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from components.core.canonical import parse_json, sha256_file, sha256_value
from components.core.errors import DataError, IntegrityError, SettingsError


@dataclass(frozen=True)
class ArtifactRef:
    """An artifact as one stage hands it to another.

    `sha256` is the manifest digest that its producer recorded; `record` is the digest of the
    producer's audit record ("" where there was no notary).
    """

    name: str
    sha256: str
    record: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the reference as a JSON object."""
        return {"name": self.name, "sha256": self.sha256, "record": self.record}


def manifest(folder: Path) -> dict[str, str]:
    """Return {relative POSIX path: sha256} of every file below the folder, sorted by path.

    Raises IntegrityError for a missing folder, a link or a special file.
    """
    if not folder.is_dir() or folder.is_symlink():
        raise IntegrityError(
            f"artifact folder {folder.name} is missing", remedy="run the stage that writes it again"
        )
    files: dict[str, str] = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            _refuse_special(Path(parent, name))
        for name in names:
            path = Path(parent, name)
            files[path.relative_to(folder).as_posix()] = sha256_file(path)
    return dict(sorted(files.items()))


def _refuse_special(path: Path) -> None:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise IntegrityError(
            f"artifact holds {path.name}, which is a link or a special file",
            remedy="artifacts hold regular files only",
        )


def tree_digest(folder: Path) -> str:
    """Return the digest of the artifact's manifest."""
    return sha256_value(manifest(folder))


EMPTY = sha256_value({})
"""The `tree_digest` of a folder without files: every empty artifact has it, so it names none."""


def require_content(sha256: str) -> None:
    """Raise SettingsError for the digest that all empty artifacts share, if that is asked for."""
    if sha256 == EMPTY:
        raise SettingsError(
            f"{sha256} is the digest of an artifact without any file: all such artifacts have it, "
            "so it tells none of them from the others",
            remedy="name a version, or the digest of an artifact that has files; what was imported "
            "of a pipeline is found by `tandem audit impact PIPELINE`",
        )


def copy_tree(source: Path, target: Path) -> None:
    """Copy an artifact's files into an existing or new folder.

    Bytes are copied, never linked, so that no later change to one run reaches another.
    """
    shutil.copytree(source, target, dirs_exist_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file beside and rename it, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Give a text file that takes its name once all is in it; a link stays, its target is new."""
    place = path.resolve()
    beside = place.with_name(f".{place.name}.unfinished")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            yield stream
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value with sorted keys, indented for people; atomic."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file strictly; raise DataError where it is missing or not JSON."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing", remedy="run the stage that writes it again") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}", remedy="restore the file") from error


def same_files(expected: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    """Return one line for each extra, missing and changed file; empty where both agree."""
    lines = [f"missing: {name}" for name in sorted(expected.keys() - actual.keys())]
    lines += [f"extra: {name}" for name in sorted(actual.keys() - expected.keys())]
    common = expected.keys() & actual.keys()
    return lines + [f"changed: {n}" for n in sorted(common) if expected[n] != actual[n]]
