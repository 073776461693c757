"""`--runner NAME`: what is refused before TFX is loaded, and what a run says of its runner."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import PlatformError
from pipelines.cli import main
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.prepared import prepare

Write = Callable[[dict[str, Any]], Path]


def test_a_runner_that_is_unknown_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "flights", "--runner", "airflow"]) == 2
    assert "invalid choice: 'airflow' (choose from 'local', 'tfx')" in capsys.readouterr().err


def test_tfx_does_not_go_on_with_a_run_and_says_what_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path)
    assert main(["run", "--resume", "latest", "--runner", "tfx", "--home", home]) == 2
    said = capsys.readouterr().err
    assert "--runner tfx does not go on with a run" in said
    assert "run --resume latest" in said
    assert "--runner" not in said.partition("remedy:")[2]


def test_tfx_that_is_not_installed_is_told_with_what_to_do_before_anything_is_written(
    tmp_path: Path,
) -> None:
    """In a process of its own, because another test may have loaded TFX here."""
    without_tfx = "import sys; sys.modules['tfx'] = None; from pipelines.cli import run; run()"
    home = tmp_path / "home"
    words = ["run", "flights", "--runner", "tfx", "--home", str(home)]
    done = subprocess.run(
        [sys.executable, "-c", without_tfx, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: TFX does not load: " in done.stderr
    assert "remedy: run `make setup`" in done.stderr
    assert not home.exists()


def test_a_run_under_tfx_says_so_and_one_under_the_embedded_executor_says_nothing(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path, home = write_settings(values), Home(tmp_path / "home")
    loaded = load_settings(path)
    here = prepare(loaded, path, home, cache=True)
    under_tfx = prepare(loaded, path, home, cache=True, orchestrator="tfx")
    assert "orchestrator" not in here.arguments["run"]
    assert under_tfx.arguments["run"]["orchestrator"] == "tfx"


def made_store(home: Home) -> None:
    """Have ML Metadata make the home's store, as a first run under TFX does."""
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

    config = ConnectionConfig()
    config.sqlite.filename_uri = str(home.metadata_file)
    config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
    MetadataStore(config).get_artifact_types()


def test_a_store_of_a_newer_schema_is_refused_before_anything_is_written(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path, home = write_settings(values), Home(tmp_path / "home")
    home.folder.mkdir()
    made_store(home)
    loaded = load_settings(path)
    prepare(loaded, path, home, cache=True, orchestrator="tfx")
    with contextlib.closing(sqlite3.connect(home.metadata_file)) as database, database:
        (version,) = database.execute("SELECT schema_version FROM MLMDEnv").fetchone()
        database.execute("UPDATE MLMDEnv SET schema_version = ?", (version + 1,))
    before = home.metadata_file.read_bytes()

    with pytest.raises(PlatformError, match=r"mlmd\.db has a newer schema") as refused:
        prepare(loaded, path, home, cache=True, orchestrator="tfx")
    assert (refused.value.expected, refused.value.actual) == (f"{version} at most", version + 1)
    assert [file.name for file in home.folder.iterdir()] == ["mlmd.db"]
    assert home.metadata_file.read_bytes() == before
    prepare(loaded, path, home, cache=True)  # the embedded executor has nothing to do with it


def test_a_store_of_an_older_schema_is_refused_before_anything_is_written(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    from ml_metadata.metadata_store.metadata_store import downgrade_schema
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

    path, home = write_settings(values), Home(tmp_path / "home")
    home.folder.mkdir()
    made_store(home)
    config = ConnectionConfig()
    config.sqlite.filename_uri = str(home.metadata_file)
    downgrade_schema(config, 9)
    before = home.metadata_file.read_bytes()

    with pytest.raises(PlatformError, match=r"mlmd\.db has an older schema") as refused:
        prepare(load_settings(path), path, home, cache=True, orchestrator="tfx")
    assert (refused.value.expected, refused.value.actual) == (10, 9)
    assert "enable_upgrade_migration" in refused.value.remedy
    assert home.metadata_file.read_bytes() == before


def test_a_store_that_is_no_database_is_refused_before_anything_is_written(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path, home = write_settings(values), Home(tmp_path / "home")
    home.folder.mkdir()
    home.metadata_file.write_text("no database" * 1000)
    with pytest.raises(PlatformError, match=r"mlmd\.db cannot be read: file is not a database"):
        prepare(load_settings(path), path, home, cache=True, orchestrator="tfx")
    assert [file.name for file in home.folder.iterdir()] == ["mlmd.db"]
