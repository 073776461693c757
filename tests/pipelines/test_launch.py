"""Before a run starts: preflight, the run's identity, its arguments, and resuming."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.audit.client import Notary
from components.core.artifacts import write_json
from components.core.canonical import sha256_file
from components.core.data_settings import Source
from components.core.errors import DataError, PlatformError, SettingsError
from pipelines import identity
from pipelines.champion import resolve
from pipelines.home import CHECKPOINT_DAYS, Home, home_folder
from pipelines.home_notary import answering_notary
from pipelines.launch import environment, keep_checkpoint, keep_records
from pipelines.loaded_settings import load_settings
from pipelines.plan import Verdict, code_of_run
from pipelines.preflight.functions import check_function
from pipelines.preflight.machine import check_compiler, check_disk
from pipelines.prepared import PreparedRun, prepare, prepare_resume
from pipelines.runners.ir import parse_pipeline
from pipelines.runners.results import RunState
from pipelines.runs import read_run
from pipelines.sources import pin_sources
from pipelines.start import ARGUMENTS_FILE, SETTINGS_FILE, START_FILE, read_start

Write = Callable[[dict[str, Any]], Path]
Record = Callable[..., Path]


def test_preparing_writes_nothing(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path = write_settings(values)
    before = sorted(tmp_path.rglob("*"))
    prepared = prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert prepared.tasks[-1] == "seal-run"
    assert prepared.arguments["source"]["table"]["sha256"] == sha256_file(tmp_path / "rows.csv")
    assert prepared.arguments["champion"] == {}
    assert json.loads(json.dumps(prepared.arguments)) == prepared.arguments
    assert set(prepared.preload) == {"tensorflow", "torch", "mlflow"}


def test_a_cached_run_loads_neither_framework_ahead(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path = write_settings(values)
    prepared = prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)
    cached = [
        plan if plan.why == "always runs" else replace(plan, verdict=Verdict.CACHED)
        for plan in prepared.plan
    ]
    assert set(replace(prepared, plan=cached).preload) == {"mlflow"}


def test_no_path_of_this_machine_reaches_the_arguments(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path = write_settings(values)
    prepared = prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)
    assert str(tmp_path) not in json.dumps(prepared.arguments)
    assert prepared.start.sources == str(tmp_path)
    given = environment(prepared, Home(tmp_path / "home"), "unix:/x")
    assert given["TANDEM_SOURCES"] == str(tmp_path)


def test_a_run_keeps_what_was_typed_and_the_lock_beside_its_settings(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path, overrides = write_settings(values), ("train.epochs=2", "window.last='2013-02'")
    loaded = load_settings(path, overrides)
    start = prepare(loaded, path, Home(tmp_path / "home"), cache=True).start
    start.write(tmp_path)
    assert read_start(tmp_path) == start
    assert (start.settings_file, start.overrides) == ("settings.yaml", overrides)
    assert start.environment["lock_sha256"] == start.code["the lock file"]


@pytest.mark.parametrize("start", [[], {"code": {}}, {"code": {}, "sources": "", "more": 1}])
def test_a_start_that_says_something_else_is_named(tmp_path: Path, start: object) -> None:
    write_json(tmp_path / START_FILE, start)
    with pytest.raises(DataError, match=r"start\.json does not say"):
        read_start(tmp_path)


def test_a_missing_source_file_is_refused_by_its_key(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path = write_settings(values)
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(SettingsError, match=r"source\.table\.location: there is no file"):
        prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)
    assert not (tmp_path / "home").exists()


def test_a_missing_package_of_a_source_is_named_with_how_to_install_it(
    values: dict[str, Any], tmp_path: Path
) -> None:
    values["source"]["table"]["location"] = "package://nosuch/rows.csv"
    with pytest.raises(SettingsError) as caught:
        pin_sources(Source.model_validate(values["source"]), tmp_path)
    assert caught.value.message == (
        "source.table.location: package nosuch of package://nosuch/rows.csv is not installed"
    )
    install = f"{sys.executable} -m pip install nosuch"
    assert caught.value.remedy == f"install it (`{install}`), or correct the name"


def test_a_pinned_source_file_must_be_that_file(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("year,month\n")
    values["source"]["table"]["sha256"] = "0" * 64
    with pytest.raises(SettingsError, match="is not the file that sha256 names"):
        pin_sources(Source.model_validate(values["source"]), tmp_path)


def test_too_little_disk_space_is_refused(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(PlatformError, match="are free in"):
        check_disk(tmp_path / "not" / "there", least=2 * free)
    check_disk(tmp_path / "not" / "there", least=0)


def test_checkpoints_that_nobody_went_on_with_are_removed_after_a_month(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.forget_checkpoints()
    for name, days in (("old", CHECKPOINT_DAYS + 1), ("new", CHECKPOINT_DAYS - 1)):
        folder = home.checkpoints / name
        folder.mkdir(parents=True)
        (folder / "000000000012-aa.safetensors").write_bytes(b"weights")
        then = time.time() - days * 24 * 3600
        os.utime(folder, (then, then))
    home.forget_checkpoints()
    assert [folder.name for folder in home.checkpoints.iterdir()] == ["new"]


def test_a_state_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformError, match="cannot be written"):
        check_disk(tmp_path / "file" / "home", least=0)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("pipelines.nowhere.model:build_model", "there is no module"),
        ("pipelines.examples.mortgage.model_pytorch:biuld", "has no function biuld"),
    ],
)
def test_a_model_function_that_is_not_there_is_refused(name: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"model.pytorch: .*{problem}"):
        check_function("model.pytorch", name)


def test_the_functions_that_may_be_named_are_those_of_the_module() -> None:
    with pytest.raises(SettingsError) as caught:
        check_function("transform.function", "pipelines.preflight.functions:chek")
    assert caught.value.remedy == "name one of: check_function"


def test_a_compiled_training_wants_a_compiler_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_compiler()
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(PlatformError, match="there is no no-such-compiler"):
        check_compiler()


def test_a_feature_whose_column_a_saved_model_cannot_name_is_refused_before_a_run(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    columns = ("unit-price", "unit.price")
    values["transform"]["features"] |= {column: {"kind": "zscore"} for column in columns}

    def prepare_with(train: dict[str, Any]) -> PreparedRun:
        path = write_settings(values | {"train": train})
        with (tmp_path / "shop.pbtxt").open("a") as schema:
            schema.writelines(f'feature {{ name: "{column}" type: FLOAT }}\n' for column in columns)
        return prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)

    with pytest.raises(SettingsError) as caught:
        prepare_with({})
    assert caught.value.message.startswith("transform.features: column unit.price cannot be an inp")
    assert caught.value.message.endswith("does not tell its name from that of unit-price")
    assert prepare_with({"forms": ["torch_export", "litert"]}).tasks


@pytest.mark.parametrize("broken", ["shop_model.py", "__init__.py"])
def test_a_model_module_with_a_syntax_error_is_refused_with_its_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    package = tmp_path / f"shop_{broken.strip('_').partition('.')[0]}"
    package.mkdir()
    for name in ("__init__.py", "shop_model.py"):
        (package / name).write_text("# fine\n")
    (package / broken).write_text("import torch\ndef build_model(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError) as caught:
        check_function("model.pytorch", f"{package.name}.shop_model:build_model")
    assert caught.value.message.startswith(f"model.pytorch: {package / broken}, line 2: ")


@pytest.fixture
def no_new_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any Python process that is started fail at once."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")


@pytest.mark.usefixtures("no_new_python")
def test_where_there_is_no_registry_no_process_is_started_for_the_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve("shop-late", Home(tmp_path)) == {}


@pytest.mark.usefixtures("no_new_python")
def test_a_champion_that_cannot_be_asked_for_is_an_error_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(PlatformError, match=r"the champion was not found: .+"):
        resolve("shop-late", Home(tmp_path))


def test_a_registry_without_the_alias_has_no_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        store.execute("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT)")
    assert resolve("shop-late", Home(tmp_path)) == {}


def test_who_runs_is_a_pseudonym() -> None:
    actor = identity.actor()
    assert actor.startswith("sha256:")
    assert len(actor) == len("sha256:") + identity.PSEUDONYM_LENGTH
    assert pwd.getpwuid(os.getuid()).pw_name not in actor
    assert identity.actor() == actor


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_no_environment_variable_makes_somebody_else_of_who_runs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = identity.actor()
    monkeypatch.setenv(name, "somebody-else")
    assert identity.actor() == actor


def test_an_account_without_an_entry_is_told_apart_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, actors = identity.actor(), set()
    for uid in (2_000_000_001, 2_000_000_002):
        monkeypatch.setattr(os, "getuid", lambda uid=uid: uid)
        actors.add(identity.actor())
    assert len(actors | {known}) == 3


def test_the_code_is_what_git_says(tmp_path: Path) -> None:
    assert identity.code(tmp_path) == {"commit": "", "dirty": True}
    person = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], [*person, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    code = identity.code(tmp_path)
    assert len(code["commit"]) == 40
    assert code["dirty"] is False
    (tmp_path / "new").write_text("")
    assert identity.code(tmp_path)["dirty"] is True


def test_the_state_folder_is_the_options_then_the_environments_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TANDEM_HOME", raising=False)
    assert home_folder(None) == tmp_path / ".tandem"
    monkeypatch.setenv("TANDEM_HOME", "there")
    assert home_folder(None) == tmp_path / "there"
    assert home_folder("here") == tmp_path / "here"


def test_a_preprocessing_fn_that_is_not_there_is_refused_before_anything_runs(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    values["transform"] = {"preprocessing_fn": "no_such_module:preprocess"}
    path = write_settings(values)
    with pytest.raises(SettingsError, match=r"transform.preprocessing_fn: .*no_such_module"):
        prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("beam", "said"),
    [
        ({"runner": "PortableRunner"}, "PortableRunner needs the option job_endpoint"),
        ({"options": {"job_endpont": "localhost:1"}}, "Beam has no option job_endpont"),
    ],
)
def test_an_engine_that_cannot_work_is_refused_before_anything_runs(
    values: dict[str, Any], write_settings: Write, tmp_path: Path, beam: Any, said: str
) -> None:
    path = write_settings(values | {"beam": beam})
    with pytest.raises(SettingsError, match=said):
        prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has an NVIDIA GPU")
@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_a_device_that_is_not_there_is_refused_before_anything_runs(
    values: dict[str, Any], write_settings: Write, tmp_path: Path, device: str
) -> None:
    path = write_settings(values)
    loaded = load_settings(path, [f"train.device={device}"])
    with pytest.raises(SettingsError, match=f"train.device is {device}, and .* has none: "):
        prepare(loaded, path, Home(tmp_path / "home"), cache=True)


def test_a_run_can_be_planned_on_a_full_disk_but_not_launched(
    values: dict[str, Any],
    write_settings: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, home = write_settings(values), Home(tmp_path / "home")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    prepare(load_settings(path), path, home, cache=True)
    with pytest.raises(PlatformError, match=r"only 0.0 GiB are free"), answering_notary(home):
        pass
    assert not home.folder.exists()


@pytest.fixture
def failed_run(
    record_run: Record, values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> Path:
    """A run that failed, with everything that resuming reads."""
    path = write_settings(values)
    prepared = prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)
    folder = record_run(state=RunState.FAILED)
    run = json.loads((folder / "run.json").read_text())
    run["run"]["ir_sha256"] = sha256_file(folder / "pipeline.yaml")
    write_json(folder / "run.json", run)
    pipeline = parse_pipeline(yaml.safe_load((folder / "pipeline.yaml").read_text()))
    code = code_of_run(pipeline, prepared.arguments)
    write_json(folder / START_FILE, {"code": code, "sources": str(tmp_path)})
    write_json(folder / ARGUMENTS_FILE, dict(prepared.arguments))
    write_json(folder / SETTINGS_FILE, dict(prepared.settings))
    return folder


def test_a_failed_run_is_resumed_with_what_it_recorded(failed_run: Path) -> None:
    prepared = prepare_resume(read_run(failed_run), Home(failed_run.parents[1]))
    assert prepared.folder == failed_run
    assert prepared.arguments == json.loads((failed_run / ARGUMENTS_FILE).read_text())
    assert prepared.done is not None


def test_the_embedded_executor_goes_on_with_a_run_that_tfx_began_and_says_nothing_of_tfx(
    failed_run: Path,
) -> None:
    arguments = json.loads((failed_run / ARGUMENTS_FILE).read_text())
    began = {**arguments, "run": {**arguments["run"], "orchestrator": "tfx"}}
    write_json(failed_run / ARGUMENTS_FILE, began)
    assert prepare_resume(read_run(failed_run), Home(failed_run.parents[1])).arguments == arguments


def test_resuming_is_refused_where_the_code_changed_and_the_modules_are_named(
    failed_run: Path,
) -> None:
    start = json.loads((failed_run / START_FILE).read_text())
    start["code"]["components.train_pytorch.step"] = "0" * 64
    start["code"]["components.core.gone"] = "0" * 64
    write_json(failed_run / START_FILE, start)
    with pytest.raises(SettingsError) as caught:
        prepare_resume(read_run(failed_run), Home(failed_run.parents[1]))
    assert caught.value.message.endswith(
        "missing: components.core.gone, changed: components.train_pytorch.step"
    )


def test_resuming_is_refused_where_the_recorded_pipeline_changed(failed_run: Path) -> None:
    with (failed_run / "pipeline.yaml").open("a") as stream:
        stream.write("# more\n")
    with pytest.raises(DataError, match="is not what the run started with"):
        prepare_resume(read_run(failed_run), Home(failed_run.parents[1]))


def test_records_that_cannot_be_kept_are_a_warning_and_no_error(
    record_run: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep_records(record_run(), Notary(f"unix:{tmp_path / 'nowhere'}"))
    (line,) = caplog.messages
    assert "does not answer" in line
    caplog.clear()
    with answering_notary(Home(tmp_path / "home")) as notary:
        (tmp_path / "file").touch()
        keep_records(tmp_path / "file", notary)
    assert "File exists" in caplog.text


def test_a_runs_last_checkpoint_is_anchored_and_an_anchor_that_fails_is_a_warning(
    record_run: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, folder = Home(tmp_path / "home"), record_run()
    with answering_notary(home) as notary:
        keep_checkpoint(folder, home, notary)
        (kept,) = json.loads((folder / "anchors.json").read_bytes())["anchored"]
        assert (kept["anchor"], kept["size"], kept["error"]) == ("git", 0, None)
        assert caplog.messages == []
        (home.folder / "audit" / "anchors.yaml").write_text("git: {remote: /nowhere}")
        keep_checkpoint(folder, home, notary)
    (line,) = caplog.messages
    assert "the git anchor failed" in line
    own, kept = json.loads((folder / "anchors.json").read_bytes())["anchored"]
    assert (own["anchor"], own["error"], kept["anchor"]) == ("git", None, "git remote")
    assert kept["error"]["kind"] == "PlatformError"


def test_a_run_that_ended_well_says_so_instead_of_resuming(record_run: Record) -> None:
    folder = record_run()
    with pytest.raises(SettingsError, match=r"has finished: there is nothing to resume"):
        prepare_resume(read_run(folder), Home(folder.parents[1]))
