"""How a task and its nodes end: what is left behind, and whose fault it was.

The nodes are real processes that do no training but write or end as one would.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from training_cluster import CLAIM, OWNER, TrainingCluster

from components.core.artifacts import read_json, write_json
from components.core.errors import DataError, PlatformError, SettingsError, TandemError
from components.core.model_settings import ModelFamily
from components.core.training_nodes import TrainingNodes
from components.core.training_settings import Device, Train
from components.training.nodes import folder as folders
from components.training.nodes import training
from components.training.nodes.ends import Ends, exit_code
from components.training.nodes.manifests import Manifest, Place, plain_workers
from components.training.nodes.training import Manifests
from components.training.ports import held_ports, number_of
from components.training.processes import AROUND, REQUEST, Request, cause
from components.training.worker import BEAT, USED

pytestmark = pytest.mark.slow


def run_nodes(workspace: Path, program: str, made: Manifests | None = None) -> None:
    """Have two nodes run a program, whose FOLDER and RANK are the training's and the node's."""
    features = workspace.parent / "features"
    features.mkdir(exist_ok=True)
    (features / "rows").write_text("rows")
    quantities = {"cpu": "2", "memory": "4Gi"}
    nodes = TrainingNodes(
        count=2,
        runtime="torch-distributed",
        image=f"registry.example/tandem@sha256:{'0' * 64}",
        claim=CLAIM,
        path=str(workspace),
        requests=quantities,
        limits=quantities,
        labels={},
        queue={},
        node_selector={},
        tolerations=(),
        environment={},
        user=65532,
        group=65532,
        pull_policy="IfNotPresent",
        deadline_seconds=None,
    )
    start = (
        "import json, os, signal, sys, time\nfrom pathlib import Path\nFOLDER = Path(sys.argv[1])\n"
        "RANK = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
    )
    request = Request(
        function="own:model",
        model=ModelFamily(family="wide_and_deep"),
        train=Train(processes=2),
        features=str(features),
    )

    def workers(place: Place) -> Sequence[Manifest]:
        return plain_workers(place, ["-c", start + program, str(place.folder)])

    training.train_on_nodes(request, nodes, made or workers)


def test_a_task_that_is_told_to_end_has_no_folder_left_when_the_signal_ends_it(
    cluster: TrainingCluster, workspace: Path
) -> None:
    left: list[list[Path]] = []

    def note(number: int, frame: FrameType | None) -> None:
        left.append([*(workspace / "trainings").iterdir()])

    before = signal.signal(signal.SIGTERM, note)  # at the end of this one a process is gone
    try:
        with pytest.raises(PlatformError, match="stopped by SIGTERM"):
            run_nodes(workspace, f"os.kill({os.getpid()}, signal.SIGTERM)\ntime.sleep(60)")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left == [[]]


@pytest.mark.parametrize(
    ("program", "error", "said"),
    [
        # Who lost the others says so first: the one that was killed, or failed, is the cause.
        ("sys.exit(75) if RANK == 0 else os.kill(os.getpid(), 9)", PlatformError, "by signal 9"),
        ("sys.exit(75 if RANK == 0 else 1)", DataError, "exit code 1"),
        ("sys.exit(75)", PlatformError, "lost the others"),
    ],
)
def test_the_cause_is_the_node_that_took_the_others_along(
    cluster: TrainingCluster,
    workspace: Path,
    program: str,
    error: type[TandemError],
    said: str,
) -> None:
    together = "(FOLDER / f'here-{RANK}').touch()\nwhile len([*FOLDER.glob('here-*')]) < 2: pass\n"
    with pytest.raises(error, match=said):
        run_nodes(workspace, together + program)


def pod(name: str, phase: str, **status: Any) -> dict[str, Any]:
    """Return a pod as the API shows it."""
    return {"metadata": {"name": name}, "status": {"phase": phase, **status}}


def container(**states: Any) -> list[dict[str, Any]]:
    return [{"name": "node", **{name: {"terminated": state} for name, state in states.items()}}]


SIDECAR = {"name": "mesh", "lastState": {"terminated": {"exitCode": 1}}}
DISRUPTED = [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (pod("a", "Running"), 0),
        (pod("a", "Running", conditions=DISRUPTED), 0),
        (pod("a", "Succeeded", containerStatuses=container(state={"exitCode": 0})), 0),
        (pod("a", "Running", containerStatuses=container(lastState={"exitCode": 3})), 3),
        (pod("a", "Failed", containerStatuses=container(state={"exitCode": 1})), 1),
        (
            pod(
                "a",
                "Failed",
                conditions=DISRUPTED,
                containerStatuses=container(state={"exitCode": 1}),
            ),
            -9,
        ),
        (
            pod(
                "a",
                "Running",
                containerStatuses=container(lastState={"exitCode": 137, "reason": "OOMKilled"}),
            ),
            -9,
        ),
        (pod("a", "Failed", reason="Evicted"), -9),
        (pod("a", "Running", containerStatuses=[SIDECAR, *container(state={"exitCode": 3})]), 3),
    ],
)
def test_how_a_pod_ended_is_read_from_its_first_end(end: dict[str, Any], code: int) -> None:
    assert exit_code(end) == code


def test_a_node_that_is_no_longer_there_ends_the_training(tmp_path: Path) -> None:
    ends = Ends()
    ends.look([pod("a", "Running"), pod("b", "Running")])
    assert not ends
    ends.look([pod("a", "Succeeded"), pod("b", "Running")])
    ends.look([pod("b", "Running")])  # what is done may be cleared away
    assert not ends
    ends.look([])
    assert ends
    failure = ends.failure(tmp_path, "")
    assert isinstance(failure, PlatformError)
    assert "b is gone" in failure.message


@contextmanager
def kept_ports(count: int) -> Iterator[list[str]]:
    """Ports that nobody else gets before the processes that are told of them listen there."""
    with ExitStack() as stack:
        held = [stack.enter_context(port) for port in held_ports(count)]
        yield [str(number_of(port)) for port in held]


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_framework_knows_that_it_has_lost_another_process(framework: str, tmp_path: Path) -> None:
    program = Path(__file__).with_name("lost_member.py")
    command = [sys.executable, program, framework]
    with (
        kept_ports(2) as ports,
        subprocess.Popen([*command, "0", tmp_path, *ports]) as first,
        subprocess.Popen([*command, "1", tmp_path, *ports]) as second,
    ):
        assert second.wait() == -signal.SIGKILL
        assert first.wait() == 0


def test_nodes_that_do_not_find_each_other_are_the_platforms_fault() -> None:
    own = {"PET_NNODES": "2", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "127.0.0.1"}
    from components.train_pytorch.parallel import LAUNCHER, WORKER

    command = ["-m", LAUNCHER, "--rdzv-conf=timeout=1", "-m", WORKER, "/nowhere"]
    with kept_ports(1) as (port,):
        environment = {**os.environ, **own, "PET_MASTER_PORT": port}
        ended = subprocess.run([sys.executable, *command], env=environment)
    assert ended.returncode == AROUND


def test_torchrun_tells_of_a_process_that_was_killed_before_one_that_lost_it(
    tmp_path: Path,
) -> None:
    """Both have ended when torchrun looks."""
    from components.train_pytorch.parallel import LAUNCHER

    program = tmp_path / "ends.py"
    ends = f"os._exit({AROUND}) if os.environ['RANK'] == '0' else os.kill(os.getpid(), 9)"
    program.write_text(f"import os\n{ends}\n")
    options = ["--nnodes=1", "--nproc-per-node=2", "--max-restarts=0", "--monitor-interval=5"]
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint={tmp_path / 'meeting'}"]
    meeting += ["--rdzv-conf=store_type=file", "--rdzv-id=tandem"]
    command = [sys.executable, "-m", LAUNCHER, *options, *meeting, str(program)]
    assert subprocess.run(command).returncode == 128 + signal.SIGKILL


def test_a_task_is_told_to_end_while_it_copies_and_makes_no_node(
    cluster: TrainingCluster, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfile

    def signalled(source: str, target: str) -> None:
        copy(source, target)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(shutil, "copyfile", signalled)
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(PlatformError, match="stopped by SIGTERM"):
            run_nodes(workspace, "")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert cluster.asked == []


def test_what_an_attempt_before_left_says_nothing_of_this_one(
    cluster: TrainingCluster, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its nodes still write, into a folder that is theirs; then it is gone, as an old one is."""
    seen: list[Path] = []
    program = (
        "(FOLDER / 'error-0.json').write_text('{}') if 'first' in str(FOLDER) else None\n"
        "sys.exit(3)"
    )
    with monkeypatch.context() as patched:
        patched.setenv("TANDEM_POD_UID", "first")
        patched.setattr(shutil, "rmtree", lambda path, **_: seen.append(path))
        with pytest.raises(PlatformError, match="unknown cause"):
            run_nodes(workspace, program)
    (left,) = (workspace / "trainings").iterdir()
    assert left in seen
    another, running = (workspace / "trainings" / name for name in ("tandem-old", "tandem-new"))
    for folder in (another, running):
        folder.mkdir()
        (folder / BEAT).write_text("1")
    os.utime(another / BEAT, (0, 0))
    with pytest.raises(DataError, match="exit code 3"):
        run_nodes(workspace, program)
    assert [*(workspace / "trainings").iterdir()] == [running]


def test_a_beat_that_the_volume_refuses_once_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "BEAT_SECONDS", 0.01)

    def wait_for_another(than: str) -> None:
        deadline = time.monotonic() + 30
        while not (place / BEAT).exists() or (place / BEAT).read_text() in ("", than):
            assert time.monotonic() < deadline

    with folders.shared(place := tmp_path / "trainings" / "a-1", "a"):
        wait_for_another("")
        place.rename(away := tmp_path / "away")
        threading.Event().wait(0.2)
        away.rename(place)
        wait_for_another((place / BEAT).read_text())


def test_a_process_that_a_signal_ends_has_said_what_it_took(tmp_path: Path) -> None:
    """Its training is replaced by one that is told to end."""
    request = Request(
        function="own:model",
        model=ModelFamily(family="wide_and_deep"),
        train=Train(processes=2),
        features=str(tmp_path),
        nodes=2,
    )
    write_json(tmp_path / REQUEST, request.model_dump(mode="json"))
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom unittest.mock import Mock\n"
        "from components.core.errors import PlatformError\n"
        "from components.training import worker\n"
        "def stopped(*_):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    raise PlatformError('stopped', remedy='resume')\n"
        "worker.Course, worker._train = Mock(), stopped\n"
        "worker.work(Path(sys.argv[1]), Mock(), 0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path])
    assert ended.returncode == -signal.SIGTERM
    assert read_json(tmp_path / USED.format(0))["cpu_seconds"] > 0
    assert (tmp_path / "error-0.json").exists()


def test_what_cannot_be_removed_does_not_hide_why_the_training_ended(
    cluster: TrainingCluster,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(training, "GONE_SECONDS", 1.0)
    cluster.may_remove = False
    with pytest.raises(DataError, match="exit code 3"):
        run_nodes(workspace, "sys.exit(3)")
    assert "[Job] goes with the task's pod: the cluster refuses to remove Job" in (
        capfd.readouterr().out
    )


def test_what_was_made_without_an_answer_is_made_once_in_the_end(
    cluster: TrainingCluster, workspace: Path
) -> None:
    """The first goes before the second, as what an attempt before has left."""
    cluster.lost_answers = 1
    with pytest.raises(DataError, match="exit code 3"):
        run_nodes(workspace, "sys.exit(3)")
    assert [item["kind"] for item in cluster.made] == ["Service", "Service", "Job"]
    assert (cluster.objects, cluster.nodes) == ({}, {})


def test_what_was_made_is_removed_where_the_rest_is_refused(
    cluster: TrainingCluster, workspace: Path
) -> None:
    cluster.may -= {"jobs"}
    with pytest.raises(SettingsError, match="refuses to make Job: 403"):
        run_nodes(workspace, "")
    assert cluster.objects == {}


def test_what_another_attempt_has_made_under_the_name_is_left_to_it(
    cluster: TrainingCluster, workspace: Path
) -> None:
    """An attempt that was thought dead wakes up beside its successor."""

    def successor_comes() -> None:
        while not [*(workspace / "trainings").glob("*/here-*")]:
            time.sleep(0.05)
        with cluster.lock:
            for named, found in [*cluster.objects.items()]:
                cluster.remove(named)
                del found["metadata"]["uid"]
                anew = json.loads(json.dumps(found).replace(OWNER["uid"], "uid-of-the-other"))
                assert cluster.create(named.rpartition("/")[0], anew)[0] == 201

    other = threading.Thread(target=successor_comes, daemon=True)
    other.start()
    with pytest.raises(PlatformError, match="the training's Job is gone"):
        run_nodes(workspace, "(FOLDER / f'here-{RANK}').touch()\ntime.sleep(60)")
    other.join()
    owners = [item["metadata"]["ownerReferences"] for item in cluster.objects.values()]
    assert [owner["uid"] for (owner,) in owners] == ["uid-of-the-other"] * 2


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_tensorflows_nodes_are_refused_an_accelerator(
    cluster: TrainingCluster, workspace: Path, device: Device
) -> None:
    def workers(place: Place) -> Sequence[Manifest]:
        from components.train_tensorflow.parallel import on_nodes

        return on_nodes(place, Train(processes=2, device=device))

    with pytest.raises(SettingsError, match="train on CPUs"):
        run_nodes(workspace, "", workers)


def test_a_log_that_breaks_off_is_followed_again_from_there(
    cluster: TrainingCluster, workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster.broken_lines += [True, True]
    program = (
        "for number in range(3): print('line', number, 'of', RANK, flush=True); time.sleep(1.5)\n"
        "sys.exit(3)"
    )
    with pytest.raises(DataError, match="exit code 3"):
        run_nodes(workspace, program)
    said = capfd.readouterr().out
    assert [said.count(f"line {n} of {rank}\n") for n in range(3) for rank in (0, 1)] == [1] * 6


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([143, 137], "ended by signal 9"),
        ([143, 1], "failed with exit code 1"),
        ([75, 143], "ended by signal 15"),
        ([75, 1], "failed with exit code 1"),
    ],
)
def test_who_was_told_to_end_is_not_the_cause_where_another_is(
    codes: list[int], said: str, tmp_path: Path
) -> None:
    """A job ends its other pods by SIGTERM, and they may be seen first."""
    assert said in cause(tmp_path, codes).message
