"""What TFX's ExampleValidator found of the rows before they came here, as gates beside ours.

Rules:
1. the result is one artifact, and of just the splits that the settings name, by TFX's names;
2. an anomaly that is an error, by `checks.severities` or else by TFDV, is a gate that failed;
3. a file that is cut is no result: TFDV writes the schema that it held the rows against first, and
   how it names anomalies last; an empty file would read as one without anomalies;
4. what is judged is what the run pinned; a finding's words quote no value.

Which rows the result is of stands in it nowhere: its folder is the settings' word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.core.data_settings import Checks, ExampleValidatorResult
from components.core.errors import DataError
from components.core.outcome import Gate
from components.core.slice_keys import ALL_SPLITS
from components.reading.files import File, digest_of
from components.reading.locations import find_files
from components.validate_examples.findings import Finding
from components.validate_examples.gate_names import EXAMPLE_VALIDATOR

FILE = "Split-{split}/SchemaDiff.pb"
_WHOLE, _SPLITS = f"{EXAMPLE_VALIDATOR}:whole", f"{EXAMPLE_VALIDATOR}:splits"
_NO_ANOMALY = "no anomaly by TFX's ExampleValidator"


def find_result(result: ExampleValidatorResult, root: Path | None = None) -> tuple[File, ...]:
    """Return the files of a result, one for each split; DataError where there is none, or another.

    A relative location starts at `root`, by default the folder of the settings; one in an archive
    is that of the member, tar://MEMBER::LOCATION.
    """
    folder, separator, archive = result.location.partition("::")
    files = find_files(f"{folder.rstrip('/')}/{FILE}{separator}{archive}", root=root)
    names: dict[str | None, str] = {}
    for file in files:
        if (other := names.setdefault(file.split, file.name)) != file.name:
            raise DataError(
                f"{result.location} names two results of {file.split}: {other} and {file.name}",
                remedy="name the folder of one artifact, without patterns",
            )
    return files


@dataclass(frozen=True)
class StockResult:
    """A result as it was read: of each split what was found, None of a file that is cut."""

    asked: ExampleValidatorResult
    sha256: str
    splits: Mapping[str, Any]

    @classmethod
    def read(cls, asked: ExampleValidatorResult) -> StockResult:
        """Read a result; DataError where it is not what the run was to read."""
        files = find_result(asked)
        actual = digest_of([file.describe() for file in files])
        if asked.sha256 not in (None, actual):
            raise DataError(
                f"{asked.location} is not what the run was to read",
                remedy="start a new run, or correct checks.example_validator.sha256",
                expected=asked.sha256,
                actual=actual,
            )
        return cls(asked, actual, {str(file.split): _parsed(file) for file in files})

    def findings(self, checks: Checks) -> Iterator[Finding]:
        """Yield a finding for the splits, and of each split one, or one for each kind of error."""
        yield self._on_splits()
        for split, anomalies in self.splits.items():
            yield _on_whole(split, anomalies is not None)
            if anomalies is not None:
                yield from _on_anomalies(split, anomalies, checks)

    def facts(self) -> dict[str, Any]:
        """Return what the record says of the result: which bytes, of which splits."""
        return {EXAMPLE_VALIDATOR: {"sha256": self.sha256, "splits": sorted(self.splits)}}

    def _on_splits(self) -> Finding:
        asked, found = {*self.asked.splits}, {*self.splits}
        gate = Gate(_SPLITS, "splits", len(asked ^ found), "==", 0, ALL_SPLITS)
        return Finding(gate, f"results of {_listed(asked)}", f"found those of {_listed(found)}")


def _parsed(file: File) -> Any:
    """Return what a file says was found; None where it is cut, or something else (rule 3)."""
    with file.stream() as stream:
        content = stream.read()
    try:
        found = anomalies_pb2.Anomalies.FromString(content)
    except DecodeError:
        return None
    whole = found.baseline.feature and found.HasField("anomaly_name_format")
    return found if whole else None


def _on_whole(split: str, whole: bool) -> Finding:
    gate = Gate(_WHOLE, "whole", int(whole), "==", 1, split)
    return Finding(gate, "a whole SchemaDiff.pb", "found one" if whole else "it is cut, or no such")


def _on_anomalies(split: str, anomalies: Any, checks: Checks) -> Iterator[Finding]:
    from components.validate_examples.anomalies import listed  # which imports TFDV

    found: dict[str, list[str]] = {}
    for anomaly in listed(anomalies, split, checks):
        if anomaly.severity == "error":
            name = f"{EXAMPLE_VALIDATOR}:{anomaly.feature}:{anomaly.kind}"
            found.setdefault(name, []).append(anomaly.type)
    if not found:
        gate = Gate(EXAMPLE_VALIDATOR, "anomalies", 0, "==", 0, split)
        yield Finding(gate, _NO_ANOMALY, "found none")
    for name, types in found.items():
        gate = Gate(name, "anomalies", len(types), "==", 0, split)
        yield Finding(gate, _NO_ANOMALY, f"it found {', '.join(types)}")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no split"
