"""A small recorded run: every stage's records in a real log, and the artifacts beside it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import people, promoted
from changed_keys import seconded
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exported_files import files

from components.audit.admission import Admission
from components.audit.answers import Receipt
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.notary import LocalNotary, open_notary
from components.core.artifacts import tree_digest, write_json
from components.core.canonical import sha256_value

__all__ = ["files", "people", "promoted", "seconded"]
FIXED_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
CLAIMED_TIME = "2026-05-04T03:02:01.000+00:00"


def ticking_clock() -> Callable[[], datetime]:
    """Return a clock that starts at a fixed moment and gains a second at each look."""
    seconds = itertools.count()
    first = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    return lambda: first + timedelta(seconds=next(seconds))


def make_draft(event: str, stage: str = "ingest_examples", **parts: Any) -> dict[str, Any]:
    """Return a draft as components/stage.py makes it."""
    settings = parts.get("settings", {"seed": 13, "learning_rate": 0.001})
    return {
        "event": event,
        "run": {
            "id": "run-1",
            "name": "flights",
            "trigger": "manual",
            "actor": "actor-7",
            "code": {"commit": "ab" * 20, "dirty": False},
            "ir_sha256": "12" * 32,
            "settings_sha256": "34" * 32,
            "cache": True,
        },
        "stage": stage,
        "attempt": 1,
        "inputs": [],
        "outputs": [],
        "settings": settings,
        "settings_sha256": sha256_value(settings),
        "code_sha256": "56" * 32,
        "environment": {"lock": "cpu-py311", "lock_sha256": "78" * 32, "python": "3.11.7"},
        "cache_key": "9a" * 32,
        "facts": {},
        "gates": [],
        "cause": None,
        "resources": None,
        "claimed_time": CLAIMED_TIME,
    } | parts


def make_artifact(folder: Path, content: Any) -> str:
    """Write an artifact of one file and return its digest."""
    write_json(folder / "content.json", content)
    return tree_digest(folder)


GATE = {
    "name": "minimum_auc",
    "metric": "auc",
    "value": 0.71,
    "operator": ">=",
    "threshold": 0.7,
    "slice": "overall",
    "n": 25000,
    "interval": [0.71, 0.73],
    "passed": True,
}
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look at the source"}
RESOURCES = {"wall_seconds": 1.5, "cpu_seconds": 1.25, "peak_memory_bytes": 2**28}
STAGES = (
    ("ingest_examples", ("examples",), ()),
    ("validate_examples", ("statistics", "validation"), ("examples",)),
    ("transform_features", ("transform_graph", "features"), ("examples", "validation")),
    ("train_pytorch", ("pytorch_model",), ("features", "transform_graph")),
    ("train_tensorflow", ("tensorflow_model",), ("features", "transform_graph")),
    (
        "evaluate_models",
        ("evaluation", "measurements"),
        ("examples", "pytorch_model", "tensorflow_model"),
    ),
    ("decide_release", ("decision",), ("evaluation", "measurements")),
    (
        "register_models",
        ("registration",),
        ("pytorch_model", "tensorflow_model", "evaluation", "decision"),
    ),
    ("seal_run", ("closing",), ()),
)


@dataclass
class Story:
    """A run that goes through all stages, as the log and the run folder tell it."""

    notary: Any
    folder: Path
    refs: dict[str, dict[str, str]] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)

    def tell(self) -> None:
        """Write all stages' records, their artifacts and run.json."""
        for stage, outputs, inputs in STAGES:
            self.stage(stage, outputs, inputs)
        run = make_draft("START")["run"]
        write_json(
            self.folder / "run.json",
            {"version": 1, "run": run, "state": "SUCCEEDED", "tasks": self.tasks},
        )

    def stage(self, stage: str, outputs: tuple[str, ...], inputs: tuple[str, ...]) -> Receipt:
        """Write one stage's START and COMPLETE, and its outputs."""
        refs = [self.refs[name] for name in inputs]
        parts: dict[str, Any] = {"inputs": refs}
        if stage == "decide_release":
            parts["settings"] = {"policy": {"prefer": "auc"}}
        self.notary.submit(make_draft("START", stage, **parts))
        claims = [self.output(stage, name) for name in outputs]
        receipt = self.notary.submit(
            make_draft(
                "COMPLETE",
                stage,
                outputs=claims,
                facts=self.facts(stage),
                gates=[GATE] if stage in ("validate_examples", "evaluate_models") else [],
                resources=RESOURCES,
                **parts,
            )
        )
        for claim in claims:
            name, sha256 = claim["name"], claim["sha256"]
            self.refs[name] = {"name": name, "sha256": sha256, "record": receipt.record}
            path = Path(claim["path"]).relative_to(self.folder).as_posix()
            metadata = {"sha256": sha256, "record": receipt.record}
            stored = {"path": path, "sha256": sha256, "metadata": metadata}
            task = self.tasks.setdefault(stage, {"state": "SUCCEEDED", "outputs": {}})
            task["outputs"][name] = stored
        return receipt

    def output(self, stage: str, name: str) -> dict[str, str]:
        """Write an output and return the claim about it."""
        folder = self.folder / "artifacts" / stage / name
        return {"name": name, "sha256": make_artifact(folder, {name: stage}), "path": str(folder)}

    def facts(self, stage: str) -> dict[str, Any]:
        """Return what a stage's step would say."""
        if stage == "ingest_examples":
            return {
                "rows": 327346,
                "spans": ["2013-01", "2013-02"],
                "source": {"files": ["flights.csv"]},
            }
        if stage == "register_models":
            versions = {
                role: {
                    "framework": framework,
                    "version": version,
                    "bundle_sha256": self.refs[f"{framework}_model"]["sha256"],
                }
                for role, framework, version in (
                    ("candidate", "pytorch", "3"),
                    ("challenger", "tensorflow", "4"),
                )
            }
            return {"model_name": "flight-delay", "versions": versions}
        if stage == "seal_run":
            stages = {name: "COMPLETE" for name, _, _ in STAGES if name != stage}
            events = {"START": 9, "COMPLETE": 8}
            return {"state": "SUCCEEDED", "records": 17, "events": events, "stages": stages}
        return {}


@pytest.fixture
def draft() -> Callable[..., dict[str, Any]]:
    return make_draft


@pytest.fixture
def artifact() -> Callable[[Path, Any], str]:
    return make_artifact


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return ticking_clock()


@pytest.fixture
def key() -> SigningKey:
    return FIXED_KEY


def place_fixed_key(home: Path) -> None:
    """Give a home the tests' key before its first use."""
    folder = AuditFolder(home)
    folder.private_key.parent.mkdir(parents=True)
    folder.private_key.write_bytes(FIXED_KEY.to_pem())
    folder.private_key.chmod(0o600)


@pytest.fixture
def new_home() -> Callable[[Path], None]:
    return place_fixed_key


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    place_fixed_key(home)
    return home


@pytest.fixture
def notary(home: Path, clock: Callable[[], datetime]) -> Iterator[LocalNotary]:
    with open_notary(home, clock) as notary:
        yield notary


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `home` and `runs/run-1`; copy it before changing it."""
    root = tmp_path_factory.mktemp("told")
    place_fixed_key(root / "home")
    with open_notary(root / "home", ticking_clock()) as notary:
        Story(notary, root / "runs" / "run-1").tell()
    return root


@pytest.fixture
def story(notary: LocalNotary, tmp_path: Path) -> Story:
    return Story(notary, tmp_path / "runs" / "run-1")


@pytest.fixture
def new_story() -> type[Story]:
    return Story


@pytest.fixture
def recorded(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a told run in its place."""
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    shutil.copytree(told / "runs", home / "runs")
    return home


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the notary sign what it should not, as one would whose key was stolen."""
    monkeypatch.setattr(Admission, "require", lambda *_: None)
