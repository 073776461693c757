"""Stores that ML Metadata makes itself, with TFX's names of types, contexts and slots."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

Slots = Mapping[str, int]


@dataclass
class MadeStore:
    """A store, and the folder that a pipeline would have written to."""

    path: Path
    root: Path

    def __post_init__(self) -> None:
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self.path)
        self.client = MetadataStore(config)

    def artifact(self, place: str, kind: str, uri: str = "", **properties: Any) -> int:
        """Put an artifact whose folder holds a file, unless a URI says that it lies elsewhere."""
        if not uri:
            folder = self.root / place
            folder.mkdir(parents=True)
            (folder / "data.txt").write_text(place)
        item = mlmd.Artifact(type_id=self._artifact_type(kind), uri=uri or str(folder))
        item.state = mlmd.Artifact.LIVE
        _fill(item, properties)
        return int(self.client.put_artifacts([item])[0])

    def execution(
        self,
        node: str,
        takes: Slots | None = None,
        gives: Slots | None = None,
        *,
        state: str = "COMPLETE",
        pipeline: str = "taxi",
        run: str = "2025-11-03T08:15:00.123456",
        **properties: Any,
    ) -> int:
        """Put an execution of a component with its events and contexts, as TFX does."""
        kind = mlmd.ExecutionType(name=f"tfx.components.{node}")
        item = mlmd.Execution(type_id=self.client.put_execution_type(kind))
        item.last_known_state = mlmd.Execution.State.Value(state)
        _fill(item, properties)
        pairs = [(a, _event(slot, a, mlmd.Event.INPUT)) for slot, a in (takes or {}).items()]
        pairs += [(a, _event(slot, a, mlmd.Event.OUTPUT)) for slot, a in (gives or {}).items()]
        artifacts = {
            item.id: item for item in self.client.get_artifacts_by_id([a for a, _ in pairs])
        }
        number, _, _ = self.client.put_execution(
            item,
            [(artifacts[a], event) for a, event in pairs],
            [
                self._context("pipeline", pipeline),
                self._context("pipeline_run", run),
                self._context("node", f"{pipeline}.{node}"),
            ],
        )
        return int(number)

    def change(self, statement: str, *values: Any) -> None:
        """Change the database behind the library's back."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(statement, values)

    def _artifact_type(self, kind: str) -> int:
        made = mlmd.ArtifactType(name=kind)
        made.properties["split_names"] = mlmd.STRING
        made.properties["span"] = mlmd.INT
        made.properties["version"] = mlmd.INT
        return int(self.client.put_artifact_type(made))

    def _context(self, kind: str, name: str) -> mlmd.Context:
        there = self.client.get_context_by_type_and_name(kind, name)
        made = mlmd.Context(type_id=self.client.put_context_type(mlmd.ContextType(name=kind)))
        made.name = name
        return there or made


def _event(slot: str, artifact: int, kind: Any) -> mlmd.Event:
    event = mlmd.Event(artifact_id=artifact, type=kind)
    event.path.steps.add().key = slot
    event.path.steps.add().index = 0
    return event


def _fill(item: Any, properties: Mapping[str, Any]) -> None:
    """Set properties: those of the type by their names, the rest as custom ones, as TFX does."""
    own = ("split_names", "span", "version") if isinstance(item, mlmd.Artifact) else ()
    for name, value in properties.items():
        target = item.properties if name in own else item.custom_properties
        kind = "int_value" if isinstance(value, int) else "string_value"
        setattr(target[name], kind, value)


def taxi(path: Path, root: Path) -> MadeStore:
    """Return the history of one run: examples, statistics, a schema, a model, and its push."""
    made = MadeStore(path, root)
    splits = '["train", "eval"]'
    examples = made.artifact(
        "CsvExampleGen/examples/1", "Examples", split_names=splits, span=3, version=2
    )
    statistics = made.artifact("StatisticsGen/statistics/2", "ExampleStatistics", span=3)
    schema = made.artifact("SchemaGen/schema/3", "Schema")
    model = made.artifact("Trainer/model/4", "Model")
    pushed = made.artifact("Pusher/pushed_model/5", "PushedModel")
    made.execution("CsvExampleGen", {}, {"examples": examples}, input_base=str(root / "csv"))
    made.execution("StatisticsGen", {"examples": examples}, {"statistics": statistics})
    made.execution("SchemaGen", {"statistics": statistics}, {"schema": schema})
    made.execution(
        "Trainer",
        {"examples": examples, "schema": schema},
        {"model": model},
        custom_config="password=correct-horse mail jane.doe@example.com",
    )
    made.execution("Pusher", {"model": model}, {"pushed_model": pushed})
    return made
