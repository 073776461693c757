"""A store of ML Metadata: what is read of it, what is refused, and that it stays as it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from made_store import MadeStore, taxi
from ml_metadata.metadata_store.metadata_store import downgrade_schema
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.core.canonical import sha256_file
from components.core.errors import DataError, PlatformError, SettingsError
from components.tfx_history.drafts import hashed
from components.tfx_history.executions import History, read_history
from components.tfx_history.store import opened_store


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    return taxi(tmp_path / "metadata.db", tmp_path / "tfx")


def read(path: Path) -> History:
    with opened_store(path) as store:
        return read_history(store.client)


def test_executions_are_read_with_their_slots_and_contexts(made: MadeStore) -> None:
    found = read(made.path)
    nodes = ("CsvExampleGen", "StatisticsGen", "SchemaGen", "Trainer", "Pusher")
    assert [item.said["type"] for item in found.executions] == [
        f"tfx.components.{node}" for node in nodes
    ]
    trainer = found.executions[3]
    assert (trainer.inputs, trainer.outputs) == ((("examples", 1), ("schema", 3)), (("model", 4),))
    assert trainer.pipeline == {
        "name": "taxi",
        "run": "2025-11-03T08:15:00.123456",
        "node": "taxi.Trainer",
    }
    assert found.makers == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}


def test_an_artifact_has_its_span_version_splits_and_the_parts_of_its_place_that_tfx_makes(
    made: MadeStore, tmp_path: Path
) -> None:
    said = read(made.path).artifacts[1].said
    assert {name: said[name] for name in ("type", "span", "version", "splits", "uri")} == {
        "type": "Examples",
        "span": 3,
        "version": 2,
        "splits": ["train", "eval"],
        "uri": ".../CsvExampleGen/examples/1",
    }
    assert read(made.path).artifacts[1].folder == tmp_path / "tfx/CsvExampleGen/examples/1"


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("/home/jane/models/best", ".../best"),
        ("file:///home/jane/models/best", ".../best"),
        ("jane/models", ".../models"),
        ("gs://bucket/models/best", "gs://bucket/models/best"),
    ],
)
def test_a_place_that_tfx_did_not_make_keeps_its_last_part_alone(
    made: MadeStore, uri: str, place: str
) -> None:
    number = made.artifact("x", "Model", uri=uri)
    made.execution("Importer", {}, {"result": number})
    assert read(made.path).artifacts[number].said["uri"] == place


def test_reading_leaves_the_file_as_it_was(made: MadeStore) -> None:
    before = sha256_file(made.path)
    with opened_store(made.path) as store:
        assert (store.schema_version, store.sha256) == (10, before)
        read_history(store.client)
    assert sha256_file(made.path) == before
    assert [p.name for p in made.path.parent.iterdir() if "metadata" in p.name] == ["metadata.db"]


@pytest.mark.parametrize("version", [9, 6])
def test_a_store_of_an_older_schema_is_read_and_not_brought_up_to_date(
    made: MadeStore, version: int
) -> None:
    whole = read(made.path)
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(made.path)
    downgrade_schema(config, version)
    before = made.path.read_bytes()
    with opened_store(made.path) as store:
        assert store.schema_version == version
        found = read_history(store.client)
    assert made.path.read_bytes() == before
    assert found.executions == whole.executions
    assert found.artifacts == whole.artifacts


def test_a_store_of_a_newer_schema_is_refused_with_both_versions(made: MadeStore) -> None:
    made.change("UPDATE MLMDEnv SET schema_version = 11")
    with pytest.raises(DataError, match="newer than what is installed") as error, opened(made):
        pass
    assert (error.value.expected, error.value.actual) == ("10 at most", 11)
    assert "ml-metadata knows that schema" in error.value.remedy


def opened(made: MadeStore) -> Any:
    return opened_store(made.path)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_a_store_that_is_cut_is_refused(made: MadeStore, part: float) -> None:
    data = made.path.read_bytes()
    made.path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(DataError, match="is cut or damaged"), opened(made):
        pass


def test_a_page_that_was_overwritten_is_found(made: MadeStore) -> None:
    data = bytearray(made.path.read_bytes())
    data[8192:12288] = bytes(4096)
    made.path.write_bytes(data)
    with pytest.raises(DataError, match="is cut or damaged"), opened(made):
        pass


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"SQLite format 3"])
def test_what_is_no_database_is_refused(made: MadeStore, data: bytes) -> None:
    made.path.write_bytes(data)
    with pytest.raises(DataError, match="is no SQLite database"), opened(made):
        pass


def test_another_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("CREATE TABLE runs (id INTEGER)")
    with (
        pytest.raises(DataError, match="no store of ML Metadata"),
        opened_store(tmp_path / "other.db"),
    ):
        pass


@pytest.mark.parametrize(("name", "what"), [("absent.db", "is not there"), (".", "is a folder")])
def test_what_is_no_file_is_the_callers_mistake(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what), opened_store(tmp_path / name):
        pass


@pytest.mark.parametrize("suffix", ["-journal", "-wal"])
def test_a_store_that_is_being_written_to_is_not_read(made: MadeStore, suffix: str) -> None:
    beside = made.path.with_name(made.path.name + suffix)
    beside.write_bytes(b"pages")
    with pytest.raises(PlatformError, match="being written to"), opened(made):
        pass
    beside.write_bytes(b"")  # as SQLite may leave it
    with opened(made) as store:
        assert store.schema_version == 10


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE Execution SET create_time_since_epoch = 'soon'", "holds what is no number"),
        ("UPDATE Artifact SET uri = CAST(X'FFFE' AS TEXT)", "decode to UTF-8"),
        ("DELETE FROM Context", "ML Metadata cannot read .* Results missing"),
        ("DROP TABLE Event", "ML Metadata cannot read"),
    ],
)
def test_a_store_that_somebody_damaged_is_refused_and_ends_no_process(
    made: MadeStore, statement: str, what: str
) -> None:
    made.change(statement)
    with pytest.raises(DataError, match=what):
        read(made.path)


def test_what_did_not_finish_is_told_apart(made: MadeStore) -> None:
    running = made.execution("Tuner", {}, {}, state="RUNNING")
    failed = made.execution("Evaluator", {"model": 4}, {}, state="FAILED")
    found = read(made.path)
    assert [item.id for item in found.unfinished] == [running]
    assert failed in [item.id for item in found.executions]


def test_an_event_of_an_artifact_that_is_gone_is_refused(made: MadeStore) -> None:
    made.change("DELETE FROM Artifact WHERE id = ?", 4)
    with pytest.raises(DataError, match="execution 4 of the store names artifact 4"):
        read(made.path)


def test_a_time_that_no_calendar_has_is_refused(made: MadeStore) -> None:
    made.change("UPDATE Execution SET create_time_since_epoch = ?", 2**62)
    with pytest.raises(DataError, match="no calendar has"):
        read(made.path)


def put(made: MadeStore, change: Callable[[Any], None]) -> str:
    """Change the model's artifact and return the digest of what the store says of it."""
    (item,) = made.client.get_artifacts_by_id([4])
    change(item)
    made.client.put_artifacts([item])
    return str(read(made.path).artifacts[4].said["stored_sha256"])


def test_the_digest_of_what_the_store_says_covers_properties_and_the_whole_address(
    made: MadeStore,
) -> None:
    before = read(made.path).artifacts[4].said["stored_sha256"]
    mark = lambda item: item.custom_properties["note"].__setattr__("string_value", "x")  # noqa: E731
    other = put(made, mark)
    moved = put(made, lambda item: setattr(item, "uri", "/elsewhere/Trainer/model/4"))
    assert len({before, other, moved}) == 3


def test_an_artifact_that_is_thrown_away_later_is_still_the_same(made: MadeStore) -> None:
    before = read(made.path).artifacts[4].said

    def throw_away(item: Any) -> None:
        item.state = mlmd.Artifact.MARKED_FOR_DELETION
        item.custom_properties["state"].string_value = "deleted"

    assert put(made, throw_away) == before["stored_sha256"]
    assert read(made.path).artifacts[4].said == before


def test_one_pipeline_is_read_with_what_it_stands_on(made: MadeStore) -> None:
    made.execution("Other", {}, {}, pipeline="other")
    made.execution("Evaluator", {"model": 4}, {}, pipeline="evaluation")
    found = read(made.path).of_pipeline("evaluation")
    assert [item.id for item in found.executions] == [1, 2, 3, 4, 7]
    with pytest.raises(DataError, match="of a pipeline flights") as error:
        read(made.path).of_pipeline("flights")
    assert error.value.remedy == "name one of: evaluation, other, taxi"


def test_what_cannot_be_hashed_says_why(made: MadeStore, tmp_path: Path) -> None:
    (tmp_path / "tfx/Trainer/model/4/link").symlink_to(tmp_path)
    shutil.rmtree(tmp_path / "tfx/SchemaGen")
    file = made.artifact("x", "Schema", uri=str(tmp_path / "tfx/Pusher/pushed_model/5/data.txt"))
    cloud = made.artifact("x", "Model", uri="gs://bucket/model")
    found = read(made.path).artifacts
    why = {number: hashed(found[number]).why_not for number in (1, 3, 4, file, cloud)}
    assert why.pop(1) is None
    assert why.pop(4) == "artifact holds link, which is a link or a special file"
    assert list(why.values()) == [
        "it is not there any more",
        "it is a file",
        "it does not lie on this machine",
    ]
