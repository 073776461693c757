"""The fork servers by themselves: what they import, how they end, and what they leave behind."""

import json
import os
import signal
from importlib import import_module
from pathlib import Path

import pytest
import toy_pipelines as toys

from components.core.errors import PlatformError
from components.measure_models.timing import IMPORTED
from components.measure_models.torch_process import RUNTIME
from pipelines.runners.ended import Ended, Lost
from pipelines.runners.fork_server import LATER
from pipelines.runners.preload import BESIDE, SERVERS, modules_of, server_of
from pipelines.runners.results import RunState
from pipelines.runners.servers import ForkServers
from pipelines.runners.task_outcome import task_outcome

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def request_for(tmp_path):
    """Write a face's source as a task's folder; return the request for it."""

    def write(source: str) -> dict:
        folder = tmp_path / "tasks" / "task"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ephemeral_component.py").write_text(source)
        given = {"outputs": {"outputFile": str(folder / "executor_output.json")}}
        (folder / "executor_input.json").write_text(json.dumps(given))
        log = str(tmp_path / "task.log")
        return {"folder": str(folder), "log": log, "function": "face", "environment": {}}

    return write


def servers(tmp_path: Path, **modules: tuple[str, ...]) -> ForkServers:
    group = ForkServers(modules)
    group.serve({}, tmp_path / "logs")
    return group


def test_a_server_imports_once_what_its_tasks_find_imported(tmp_path, request_for):
    source = "import sys\ndef face():\n    assert 'wave' in sys.modules\n"
    with servers(tmp_path, audio=("wave",), plain=()) as group:
        group.fork("audio", "one", request_for(source))
        assert [news.status for news in group.wait(None)] == [0]
        group.fork("plain", "two", request_for(source))
        assert [news.status for news in group.wait(None)] == [1]


def test_what_no_first_task_waits_for_is_imported_while_nothing_is_asked_for(tmp_path, request_for):
    source = "import sys\ndef face():\n    assert ('colorsys' in sys.modules) is {}\n"
    with servers(tmp_path, light=("wave", LATER, "colorsys")) as group:
        group.fork("light", "one", request_for(source.format(False)))
        assert [news.status for news in group.wait(None)] == [0]
        group.fork("light", "two", request_for(source.format(True)))
        assert [news.status for news in group.wait(None)] == [0]


SERVING = """
import os, sys, time
def serve(connection):
    connection.sendall(f"{os.getpid()} {'wave' in sys.modules} {os.environ['OF']}".encode())
    while connection.recv(100):
        sum(range(10**7))
        connection.sendall(str(time.process_time()).encode())
"""
ASKING = """
import os, socket, sys, time
def face():
    connection = socket.socket(fileno=int(os.environ["TANDEM_BESIDE"]))
    said = connection.recv(100).decode()
    pid = int(said.split()[0])
    print(said, 'wave' in sys.modules)
    {then}
"""


@pytest.fixture
def pair(tmp_path, request_for, monkeypatch):
    """Fork a task with a process beside it, of another server; return the task's end, its log."""
    (tmp_path / "beside_module.py").write_text(SERVING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    def forked(then: str) -> tuple[Ended | Lost, list[str]]:
        request = request_for(ASKING.format(then=then)) | {"environment": {"OF": "the-task"}}
        with servers(tmp_path, plain=(), audio=("wave",)) as group:
            group.fork("plain", "task", request, ("audio", "beside_module"))
            assert not group.has_loaded("audio")  # it says so to who waits
            (end,) = group.wait(None)
            assert group.has_loaded("audio")
            assert not group.has_loaded("other")
        return end, (tmp_path / "task.log").read_text().split()

    return forked


def test_a_task_may_have_a_process_of_another_server_beside_it(pair):
    end, log = pair("pass")
    pid, has_wave, of, has_wave_here = log
    assert (has_wave, of, has_wave_here) == ("True", "the-task", "False")
    assert end.status == 0
    assert not Path("/proc", pid).exists()


def test_the_time_of_the_process_beside_counts_with_the_tasks(pair):
    then = "connection.sendall(b'?'); print(connection.recv(100).decode(), time.process_time())"
    end, log = pair(then)
    beside, own = map(float, log[-2:])
    assert end.cpu_seconds >= beside + own


def test_a_task_that_dies_takes_the_process_beside_it_along(pair):
    end, (pid, *_) = pair("sys.stdout.flush(); os.kill(os.getpid(), 9)")
    assert end.status == -signal.SIGKILL
    assert not Path("/proc", pid).exists()


def test_a_process_beside_that_dies_leaves_its_task_to_say_so(pair):
    then = "os.kill(pid, 9); assert connection.recv(1) == b''"
    end, _ = pair(then)
    assert end.status == 0


def test_a_process_beside_a_stage_is_forked_where_all_that_it_needs_is_imported():
    for stage, (server, module) in BESIDE.items():
        assert server_of(stage) != server in SERVERS
        assert callable(import_module(module).serve)
    assert IMPORTED[RUNTIME] in modules_of(BESIDE["measure_models"][0])


def test_a_server_started_before_the_run_gets_its_environment_and_log_from_the_run(
    tmp_path, request_for
):
    source = "import os\ndef face():\n    assert os.environ['TANDEM_HOME'] == '/a/home'\n"
    with ForkServers({"odd": ("no_such_module",)}) as group:
        group.start("odd")
        group.serve({"TANDEM_HOME": "/a/home"}, tmp_path / "logs")
        group.fork("odd", "task", request_for(source))
        assert [news.status for news in group.wait(None)] == [0]
    assert "no_such_module" in (tmp_path / "logs/odd.fork-server.log").read_text()


def test_a_file_in_the_current_folder_stands_in_for_no_module(tmp_path, request_for, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError('not the json of Python')\n")
    monkeypatch.chdir(tmp_path)
    with servers(tmp_path, plain=()) as group:
        group.fork("plain", "task", request_for("def face():\n    import json\n"))
        assert [news.status for news in group.wait(None)] == [0]


def test_telemetry_is_off_unless_a_person_says_otherwise(tmp_path, request_for, monkeypatch):
    source = (
        "import os\n"
        "def face():\n"
        "    print(os.environ['MLFLOW_DISABLE_TELEMETRY'], os.environ['TF_CPP_MIN_LOG_LEVEL'])\n"
    )
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with servers(tmp_path, plain=()) as group:
        group.fork("plain", "task", request_for(source))
        assert [news.status for news in group.wait(None)] == [0]
    assert (tmp_path / "task.log").read_text() == "true 0\n"


def test_servers_that_never_served_a_run_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ForkServers({"plain": ()}) as group:
        group.start("plain")
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_does_not_import_is_left_to_the_tasks_that_need_it(tmp_path, request_for):
    with servers(tmp_path, odd=("no_such_module",)) as group:
        group.fork("odd", "task", request_for("def face():\n    pass\n"))
        assert [news.status for news in group.wait(None)] == [0]
    assert "no_such_module" in (tmp_path / "logs/odd.fork-server.log").read_text()


def test_a_server_that_dies_while_importing_loses_its_tasks_instead_of_hanging(
    tmp_path, request_for, monkeypatch
):
    (tmp_path / "deadly_module.py").write_text("import os\nos._exit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with servers(tmp_path, deadly=("deadly_module",)) as group:
        group.fork("deadly", "task", request_for("def face():\n    pass\n"))
        (lost,) = group.wait(None)
    assert isinstance(lost, Lost)
    assert "the fork server deadly ended with status 9" in lost.cause


def test_a_signal_to_a_task_does_not_wait_until_its_server_has_loaded(
    tmp_path, request_for, monkeypatch
):
    os.mkfifo(tmp_path / "never")
    (tmp_path / "slow_module.py").write_text(f"open({str(tmp_path / 'never')!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with servers(tmp_path, slow=("slow_module",)) as group:
        group.fork("slow", "task", request_for("def face():\n    pass\n"))
        group.signal("task", signal.SIGTERM)
        (lost,) = group.wait(None)
    assert isinstance(lost, Lost)
    assert "the fork server slow ended with status -9" in lost.cause


def test_a_signal_reaches_a_task_of_the_light_server_once_that_has_loaded(
    tmp_path, request_for, monkeypatch
):
    os.mkfifo(tmp_path / "loads")
    (tmp_path / "slow_module.py").write_text(f"open({str(tmp_path / 'loads')!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with servers(tmp_path, light=("slow_module",)) as group:
        group.fork("light", "task", request_for("import time\ndef face():\n    time.sleep(60)\n"))
        group.signal("task", signal.SIGTERM)
        (tmp_path / "loads").open("w").close()
        (ended,) = group.wait(None)
    assert isinstance(ended, Ended)
    assert ended.status == -signal.SIGTERM


def test_a_task_that_can_write_neither_result_nor_cause_is_a_platform_error(tmp_path, request_for):
    request = request_for(
        "import os, shutil\n"
        "def face():\n"
        "    folder = os.path.dirname(__file__)\n"
        "    shutil.rmtree(folder)\n"
        "    open(folder, 'w').close()\n"
        "    raise ValueError('what nobody will read')\n",
    )
    with servers(tmp_path, plain=()) as group:
        group.fork("plain", "task", request)
        (ended,) = group.wait(None)
    outcome = task_outcome(tmp_path, ended, "logs/task.log")
    assert isinstance(outcome, PlatformError)
    assert outcome.message == "task could write neither its result nor its error"


def test_tasks_do_not_outlive_their_server(tmp_path, request_for):
    os.mkfifo(tmp_path / "held")
    request = request_for(
        "import os, signal\n"
        "def face():\n"
        f"    with open({str(tmp_path / 'held')!r}, 'w') as stream:\n"
        "        print(os.getppid(), file=stream, flush=True)\n"
        "        signal.pause()\n"
    )
    with servers(tmp_path, plain=()) as group:
        group.fork("plain", "task", request)
        with (tmp_path / "held").open() as stream:
            os.kill(int(stream.readline()), signal.SIGKILL)
            assert stream.read() == ""  # the task held the other end open until it died
        (lost,) = group.wait(None)
    assert isinstance(lost, Lost)


def test_the_cpu_time_and_memory_of_a_task_are_measured(tmp_path, request_for):
    source = "def face():\n    x = bytearray(b'1' * (200 << 20))\n    sum(range(3_000_000))\n"
    with servers(tmp_path, plain=()) as group:
        group.fork("plain", "task", request_for(source))
        (ended,) = group.wait(None)
    assert isinstance(ended, Ended)
    assert ended.cpu_seconds > 0
    assert ended.peak_memory_bytes > 200 << 20


def test_what_a_task_left_running_ends_with_it(bench):
    bench.fifo("held", "back")
    process = bench.start(toys.leaving, {"place": str(bench.place)}, 1.0)
    with (bench.place / "held").open() as held:
        assert held.readline() == "1\n"
        (bench.place / "back").open("w").close()  # now the task may end
        assert held.read() == ""  # the other end is closed: its process is gone
    assert process.wait() == 0


def test_every_stage_of_the_dag_has_a_server_and_the_pytorch_one_has_no_tensorflow():
    assert {server_of(stage) for stage in ("ingest_examples", "seal_run", "unknown")} == {"light"}
    assert not any("tensorflow" in module for module in SERVERS[server_of("train_pytorch")])
    assert "components.train_tensorflow.slim_tensorflow" in SERVERS[server_of("train_tensorflow")]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SERVERS))
def test_no_server_starts_a_thread_before_it_forks(tmp_path, request_for, name):
    source = (
        "import os\n"
        "def face():\n"
        "    with open(f'/proc/{os.getppid()}/status') as status:\n"
        "        print(*(line for line in status if line.startswith('Threads')))\n"
    )
    with servers(tmp_path, all_of_them=modules_of(name)) as group:
        group.fork("all_of_them", "task", request_for(source))
        (ended,) = group.wait(None)
    assert ended.status == 0
    assert (tmp_path / "task.log").read_text().split() == ["Threads:", "1"]


def test_a_run_survives_the_death_of_its_fork_server(bench):
    arguments = {"run": {}, "place": str(bench.place), "kind": "server killed", "attempts": 2}
    result = bench.execute(toys.stubborn, arguments)
    assert result.state is RunState.SUCCEEDED
    assert [
        e.result.reason for e in bench.events if e.result.reason and e.task == "fail-below"
    ] == [
        "tried again after: fail-below ended because the fork server light ended with status -9 "
        f"({bench.folder / 'logs/light.fork-server.log'})"
    ]
