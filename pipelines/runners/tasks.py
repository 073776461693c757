"""A task of a pipeline as frozen values: what runs, what it takes, what it writes, and after what.

Rules: a task knows its producers by name only; nothing here knows how the IR is written or how a
task is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Constant:
    """A parameter whose value the compiler wrote down."""

    value: Any


@dataclass(frozen=True)
class Argument:
    """A parameter that takes the pipeline's input of that name."""

    name: str


@dataclass(frozen=True)
class FinalStatus:
    """A parameter that takes what became of the exit handler's tasks."""

    producer: str


@dataclass(frozen=True)
class OutputOf:
    """An artifact that another task writes."""

    task: str
    output: str


@dataclass(frozen=True)
class Port:
    """An artifact port: kfp's type of it."""

    schema_title: str
    schema_version: str


@dataclass(frozen=True)
class Retry:
    """How often and after what pause a task is tried again; KFP's defaults."""

    count: int = 0
    seconds: float = 0.0
    factor: float = 2.0
    longest: float = 3600.0

    def pause(self, failed_attempts: int) -> float:
        """Return the seconds to wait after that many failed attempts."""
        return min(self.seconds * self.factor ** (failed_attempts - 1), self.longest)


Parameter = Constant | Argument | FinalStatus


@dataclass(frozen=True)
class Task:
    """One task: the function's name and source, where its inputs come from, and what it writes.

    `after` holds the tasks it waits for; `stage` is the function's name, which is the name of the
    stage's folder.
    """

    name: str
    stage: str
    source: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    artifacts: Mapping[str, OutputOf] = field(default_factory=dict)
    inputs: Mapping[str, Port] = field(default_factory=dict)
    outputs: Mapping[str, Port] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    retry: Retry = Retry()
    environment: Mapping[str, str] = field(default_factory=dict)
