"""The command line: fast help, exit codes, causes and remedies, and answers in JSON."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.cli.ending import print_ending
from pipelines.cli.parser import build_parser
from pipelines.home import Home
from pipelines.runners.results import RunState, TaskResult, TaskState
from pipelines.runners.run_folder import locked
from pipelines.runs import read_run

Record = Callable[..., Path]
HEAVY = ("kfp", "pydantic", "rich", "yaml", "jinja2", "numpy", "pyarrow", "tensorflow", "torch")
COMMANDS = [
    ["run"],
    ["plan"],
    ["compile"],
    ["runs"],
    ["runs", "show"],
    ["report"],
    ["audit", "verify"],
    ["audit", "trace"],
    ["audit", "approvals"],
    ["audit", "monitor"],
    ["audit", "witness"],
    ["audit", "keys", "list"],
    ["audit", "keys", "rotate"],
    ["audit", "keys", "revoke"],
    *([name] for name in ("submit", "backfill", "logs", "retry", "terminate")),
    *(["schedule", name] for name in ("create", "list", "show", "pause", "resume", "delete")),
    ["waive"],
    ["export-features"],
    ["decide"],
    ["models", "inspect"],
    ["models", "predict"],
    *(["models", name] for name in ("approve", "promote", "rollback", "archive", "withdraw")),
    *(["models", name] for name in ("list", "show", "diff", "card", "history", "reconcile")),
    ["schema", "import-tfx"],
    ["schema", "infer"],
    ["schema", "review"],
    ["schema", "update"],
    ["lineage", "import-tfx"],
]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    program = (
        f"import sys; from pipelines.cli import main; code = main([{option!r}]); "
        f"print(code, sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_the_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tandem {version('tandem-pipeline')}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_that_parses(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--json", "--verbose", "--home"))
    example = shlex.split(text.partition("example:\n")[2])
    assert example[0] == "tandem"
    assert build_parser().parse_args(example[1:]).command


@pytest.mark.parametrize(
    "arguments", [[], ["rnu"], ["run", "flights", "--epochs"], ["plan"], ["audit"]], ids=" ".join
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: tandem" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["foo", "--json"], ["--json", "foo"], ["run", "--json", "--epochs"], ["audit", "--json"]],
    ids=" ".join,
)
def test_wrong_usage_with_json_anywhere_is_one_object_as_other_errors_are(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["exit_code"] == 2
    assert answer["error"]["kind"] == "WrongUsage"
    assert answer["error"]["message"].startswith("tandem")
    assert "--help`" in answer["error"]["remedy"]
    assert said.err == ""


def test_an_option_before_an_inner_command_counts(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = build_parser().parse_args(["runs", "--home", "here", "--json", "show", "latest"])
    assert (arguments.home, arguments.json, arguments.run) == ("here", True, "latest")


def test_a_settings_error_ends_with_2_cause_and_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "flihgts"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    cause, remedy = said.err.splitlines()
    assert cause.startswith("error: there is no use case flihgts, ")
    assert cause.endswith("; did you mean flights?")
    assert remedy.startswith("remedy: ")


def test_an_error_as_json_is_one_object_on_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "flihgts", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 2
    assert answer["error"]["kind"] == "SettingsError"


def test_a_traceback_is_shown_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", "flihgts"])
    assert "Traceback" not in capsys.readouterr().err
    main(["run", "flihgts", "--verbose"])
    assert "Traceback" in capsys.readouterr().err


def test_an_unexpected_error_is_one_line_that_names_its_log(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    decision = ("decide-release", "decision", "decision.json")
    folder = record_run(lambda documents: documents.update({decision: {"go": True}}))
    home = folder.parents[1]
    assert main(["runs", "--home", str(home)]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert f"the traceback is in {home / 'tandem.log'}" in said
    assert "Traceback" in (home / "tandem.log").read_text()


def test_a_run_without_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    assert "tandem run flights" in capsys.readouterr().err


def test_resume_takes_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--resume", "latest", "--set", "train.epochs=3"]) == 2
    assert "--resume goes on with what the run recorded" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["runs"], ["runs", "show", "latest"], ["run", "mortgage"], ["plan", "mortgage"]],
    ids=" ".join,
)
@pytest.mark.parametrize("below", ["", "home"])
def test_a_file_is_no_state_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str], below: str
) -> None:
    (tmp_path / "file").write_text("kept")
    assert main([*command, "--home", str(tmp_path / "file" / below)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{tmp_path / 'file'} is a file" in said.err
    assert "remedy: name a folder with --home" in said.err
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_run_that_the_disk_cannot_hold_shows_no_id(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    home = tmp_path / "home"
    assert main(["run", "mortgage", "--home", str(home), *words]) == 1
    said = capsys.readouterr()
    assert "only 0.0 GiB are free" in said.out + said.err
    assert not any(line.startswith("run ") for line in (said.out + said.err).splitlines())
    assert not home.exists()


def test_no_runs_yet_is_said_and_is_no_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home = str(tmp_path / "nowhere")
    assert main(["runs", "--home", home]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no runs" in said.err
    assert main(["runs", "--home", home, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"home": home, "runs": []}
    assert not Path(home).exists()


def test_showing_a_run_where_there_is_none_ends_with_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["runs", "show", "latest", "--home", str(tmp_path)]) == 2
    assert "there are no runs" in capsys.readouterr().err


def test_a_finished_run_is_listed_and_shown(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    folder = record_run()
    home = ["--home", str(folder.parents[1])]
    assert main(["runs", *home]) == 0
    assert "SUCCEEDED" in capsys.readouterr().out
    assert main(["runs", "show", folder.name[:9], *home]) == 0
    text = capsys.readouterr().out
    assert "0.7000 [0.6900, 0.7100]" in text
    assert "decision: release pytorch" in text
    assert "\n  its AUC is higher" in text
    assert main(["runs", "show", "latest", "--json", *home]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["models"][0]["auc"] == {"value": 0.7, "lower": 0.69, "upper": 0.71}
    assert answer["decision"]["winner"] == "pytorch"


def test_the_stages_of_a_run_are_shown_in_the_order_of_their_start(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    order = ["ingest-examples", "validate-examples", "transform-features", "train-tensorflow"]
    order += ["train-pytorch"]
    results = {
        task: TaskResult(TaskState.SUCCEEDED, started=f"2013-01-02T03:04:0{second}.000+00:00")
        for second, task in enumerate(order)
    }
    waiting = ["decide-release", "evaluate-models", "measure-models", "register-models"]
    folder = record_run(results=results | dict.fromkeys(waiting, TaskResult(TaskState.SKIPPED)))
    assert main(["runs", "show", "latest", "--home", str(folder.parents[1])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")][:9] == [*order, *waiting]


@pytest.mark.parametrize("command", [["report", "latest"], ["run", "--resume", "latest"]])
def test_a_run_that_is_still_running_is_left_alone_and_its_process_named(
    capsys: pytest.CaptureFixture[str], record_run: Record, command: list[str]
) -> None:
    folder = record_run(state=RunState.RUNNING)
    with locked(folder):
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        assert main([*command, "--home", str(folder.parents[1])]) == 2
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    said = capsys.readouterr()
    assert said.out == ""
    cause, remedy = said.err.splitlines()
    assert cause == f"error: run {folder.name} is still running, as process {os.getpid()}"
    assert remedy == "remedy: wait until it ends, or stop that process"


def test_a_run_that_is_still_running_can_be_looked_at(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    folder = record_run(state=RunState.RUNNING)
    with locked(folder):
        assert main(["runs", "show", "latest", "--home", str(folder.parents[1])]) == 0
    assert folder.name in capsys.readouterr().out


def test_a_run_whose_process_died_is_listed_as_interrupted(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    folder = record_run(state=RunState.RUNNING)
    assert main(["runs", "--home", str(folder.parents[1])]) == 0
    assert "INTERRUPTED" in capsys.readouterr().out


def test_a_task_whose_process_died_took_a_time_that_nobody_knows(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    running = TaskResult(TaskState.RUNNING, started="2013-01-02T03:04:00.000+00:00")
    folder = record_run(results={"ingest-examples": running}, state=RunState.RUNNING)
    assert main(["runs", "show", "latest", "--home", str(folder.parents[1])]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if "ingest-examples " in x)
    assert line.split() == ["ingest-examples", "interrupted", "-"]


def test_a_package_that_does_not_load_is_named_with_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str], record_run: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = record_run().parents[1]
    monkeypatch.setitem(sys.modules, "pipelines.cli.runs", None)
    assert main(["runs", "--home", str(home)]) == 1
    said = capsys.readouterr().err
    assert "a package does not load: import of pipelines.cli.runs halted" in said
    assert "remedy: run `make setup`" in said


def test_a_failed_task_is_shown_with_cause_remedy_and_log(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    error = {"kind": "DataError", "message": "[bold]no rows", "remedy": "give some"}
    failed = TaskResult(TaskState.FAILED, error=error, log="logs/ingest-examples.log")
    folder = record_run(results={"ingest-examples": failed}, state=RunState.FAILED)
    assert main(["runs", "show", "latest", "--home", str(folder.parents[1])]) == 0
    text = capsys.readouterr().out
    assert "ingest-examples failed: [bold]no rows" in text
    assert "remedy: give some" in text
    assert str(folder / "logs" / "ingest-examples.log") in text


@pytest.mark.parametrize("text", ["{", "[]", '{"state": "SUCCEEDED"}', '{"tasks": 3}'])
def test_a_damaged_record_is_listed_and_named(
    capsys: pytest.CaptureFixture[str], record_run: Record, text: str
) -> None:
    folder = record_run()
    home = ["--home", str(folder.parents[1])]
    (folder / "run.json").write_text(text)
    assert main(["runs", *home]) == 0
    assert "UNREADABLE" in capsys.readouterr().out
    assert main(["runs", "show", "latest", *home]) == 1
    said = capsys.readouterr().err
    assert str(folder / "run.json") in said
    assert "Traceback" not in said


def test_a_run_that_did_not_start_is_listed_shown_and_not_resumed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "runs" / "20130102T030405Z-ab12cd").mkdir(parents=True)
    home = ["--home", str(tmp_path)]
    assert main(["runs", *home]) == 0
    line = capsys.readouterr().out
    assert "NOT STARTED" in line
    assert "did not start" in line
    assert "start a new run" in line
    for command in (["runs", "show", "latest"], ["run", "--resume", "latest"]):
        assert main([*command, *home]) == 1
        cause, remedy = capsys.readouterr().err.splitlines()
        assert "run 20130102T030405Z-ab12cd did not start" in cause
        assert remedy == "remedy: start a new run"


@pytest.mark.parametrize(
    ("kind", "state", "offered"),
    [
        ("PlatformError", RunState.FAILED, True),
        ("DataError", RunState.FAILED, False),
        ("SettingsError", RunState.FAILED, False),
        ("GateError", RunState.FAILED, False),
        ("IntegrityError", RunState.FAILED, False),
        (None, RunState.STOPPED, True),
        (None, RunState.RUNNING, True),
        (None, RunState.SUCCEEDED, False),
    ],
)
def test_resuming_is_offered_only_where_it_makes_sense(
    capsys: pytest.CaptureFixture[str],
    record_run: Record,
    kind: str | None,
    state: RunState,
    offered: bool,
) -> None:
    error = {"kind": kind, "message": "m", "remedy": "r"}
    failed = {"seal-run": TaskResult(TaskState.FAILED, error=error)} if kind else {}
    folder = record_run(results=failed, state=state)
    home = Home(folder.parents[1])
    print_ending(read_run(folder), home, as_json=False)
    said = capsys.readouterr().out
    assert ("go on " in said) is offered
    assert (f"run --resume {folder.name} --home {home.folder}" in said) is offered


@pytest.mark.parametrize("registered", [True, False])
def test_the_registry_is_named_only_by_a_run_that_registered_something(
    capsys: pytest.CaptureFixture[str],
    record_run: Record,
    monkeypatch: pytest.MonkeyPatch,
    registered: bool,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    registration = ("register-models", "registration", "registration.json")
    folder = record_run(
        lambda documents: None if registered else documents.pop(registration),
        state=RunState.SUCCEEDED if registered else RunState.FAILED,
    )
    home = Home(folder.parents[1])
    home.registry_file.touch()  # of an earlier run
    print_ending(read_run(folder), home, as_json=False)
    said = capsys.readouterr().out
    assert ("\nregistry    " in said) is registered
    assert ("mlflow ui" in (folder / "report.html").read_text()) is registered


LOG = """Traceback (most recent call last):
  of an earlier attempt
Traceback (most recent call last):
  File "x.py", line 1
KeyError: 'first'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "x.py", line 2
components.core.errors.DataError: second
"""


def test_verbose_shows_the_last_traceback_in_the_log_of_a_failed_stage(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    error = {"kind": "DataError", "message": "second", "remedy": "r"}
    failed = TaskResult(TaskState.FAILED, error=error, log="logs/seal-run.log")
    folder = record_run(results={"seal-run": failed}, state=RunState.FAILED)
    (folder / "logs").mkdir()
    (folder / "logs" / "seal-run.log").write_text(LOG)
    command = ["runs", "show", "latest", "--home", str(folder.parents[1])]
    assert main(command) == 0
    assert "Traceback" not in capsys.readouterr().err
    assert main([*command, "--verbose"]) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"seal-run, {folder / 'logs' / 'seal-run.log'}:\nTraceback")
    assert "KeyError: 'first'" in said
    assert "DataError: second" in said
    assert "earlier attempt" not in said


def test_a_closed_pipe_changes_neither_the_exit_code_nor_standard_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "pipelines.cli", "run", "flihgts", "--json"]
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "")


def test_a_command_that_asked_a_database_ends_without_a_word_of_its_driver() -> None:
    script = (
        "import sys, duckdb; duckdb.connect().sql('select 1').types; "
        "sys.argv = ['tandem', '--version']; from pipelines.cli import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_list_whose_reader_went_away_ends_quietly(record_run: Record) -> None:
    home = record_run().parents[1]
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "pipelines.cli", "runs", "show", "latest", "--home", str(home)]
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_report_is_written_again(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    folder = record_run()
    assert main(["report", "latest", "--home", str(folder.parents[1])]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").is_file()


def test_a_report_that_cannot_be_written_is_refused_with_cause_and_remedy(
    capsys: pytest.CaptureFixture[str], record_run: Record
) -> None:
    folder = record_run()
    (folder / "report.html").mkdir()
    assert main(["report", "latest", "--home", str(folder.parents[1])]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    cause, remedy = said.err.splitlines()
    assert cause == f"error: {folder / 'report.html'} cannot be written: Is a directory"
    assert remedy.endswith("copy the state folder and name the copy with --home")
    assert not (folder.parents[1] / "tandem.log").exists()


def test_the_compiled_pipeline_goes_to_standard_output_or_to_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["compile"]) == 0
    text = capsys.readouterr().out
    assert main(["compile", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pipeline"] == text
    assert main(["compile", "-o", str(tmp_path / "x.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / "x.yaml")
    assert (tmp_path / "x.yaml").read_text() == text


def test_a_compiled_pipeline_that_cannot_be_written_ends_with_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["compile", "-o", str(tmp_path / "file" / "x.yaml")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_compiled_pipeline_goes_into_no_folder_that_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "a folder" / "b"
    assert main(["compile", "-o", str(folder / "x.yaml")]) == 2
    cause, remedy = capsys.readouterr().err.splitlines()
    assert cause == f"error: there is no folder {folder}"
    assert remedy == f"remedy: make it (mkdir -p '{folder}'), or name another file"
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_not_there_cannot_be_verified(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["audit", "verify", "--home", str(tmp_path)]) == 5
    assert main(["audit", "trace", "shop-late@1", "--home", str(tmp_path)]) == 5
    assert "remedy: " in capsys.readouterr().err
