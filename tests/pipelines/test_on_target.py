"""Targets held against the settings: the trainers' device, and what the documentation shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SettingsError
from components.core.training_settings import Device, Train
from pipelines.cli import main
from pipelines.preflight.on_target import check_on_target, check_subjects
from pipelines.settings_file import REPOSITORY
from pipelines.target import Target, load_target

PAGE = (REPOSITORY / "docs" / "kubernetes.md").read_text()
COMMAND = re.compile(r"^ {4}tandem (compile .*?)(?: \| .*)?$", re.MULTILINE)
GPU = {"resource": "nvidia.com/gpu"}
TPU = {"resource": "google.com/tpu", "count": 4, "tpu_type": "v5", "tpu_topology": "2x2"}


def with_accelerators(**accelerators: Any) -> Target:
    images = load_target("dev").images
    return Target.model_validate({"name": "x", "images": images, "accelerators": accelerators})


@pytest.mark.parametrize(
    ("device", "accelerators"),
    [
        ("auto", {}),
        ("auto", {"pytorch": GPU, "tensorflow": TPU}),
        ("cpu", {}),
        ("cuda", {"pytorch": GPU, "tensorflow": GPU}),
        ("tpu", {"pytorch": TPU, "tensorflow": TPU}),
    ],
)
def test_settings_go_with_a_target_that_gives_what_they_name(
    device: Device, accelerators: dict[str, Any]
) -> None:
    check_on_target(Train(device=device), with_accelerators(**accelerators))


@pytest.mark.parametrize(
    ("device", "accelerators", "why"),
    [
        ("cuda", {}, "pytorch, tensorflow would get no nvidia.com/gpu"),
        ("cuda", {"pytorch": GPU}, "x tensorflow would get no nvidia.com/gpu"),
        ("cuda", {"pytorch": GPU, "tensorflow": TPU}, "x tensorflow would get no nvidia.com/gpu"),
        ("tpu", {"pytorch": GPU, "tensorflow": TPU}, "x pytorch would get no google.com/tpu"),
        ("tpu", {"tensorflow": TPU}, "x pytorch would get no google.com/tpu"),
        ("cpu", {"pytorch": GPU}, "x pytorch would hold an accelerator unused"),
    ],
)
def test_a_device_that_a_target_lacks_or_wastes_is_refused(
    device: Device, accelerators: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        check_on_target(Train(device=device), with_accelerators(**accelerators))
    assert why in raised.value.message
    assert "train.device=auto" in raised.value.remedy


@pytest.mark.parametrize("pytorch", [{}, {"pytorch": GPU}])
def test_one_trainer_gets_a_tpu_and_the_other_what_it_can_use(pytorch: dict[str, Any]) -> None:
    """A device by name is both trainers', so the way is `auto`, and the refusal says so."""
    target = with_accelerators(tensorflow=TPU, **pytorch)
    check_on_target(Train(device="auto"), target)
    with pytest.raises(SettingsError) as raised:
        check_on_target(Train(device="tpu"), target)
    assert "for a TPU of the tensorflow trainer alone set auto" in raised.value.remedy


@pytest.mark.parametrize(("gpus", "processes"), [(1, 2), (4, 1), (4, 3)])
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_process_has_a_gpu_and_each_gpu_a_process(
    device: Device, gpus: int, processes: int
) -> None:
    target = with_accelerators(pytorch={**GPU, "count": gpus}, tensorflow={**GPU, "count": gpus})
    check_on_target(Train(device=device, processes=gpus), target)
    with pytest.raises(SettingsError, match=f"the pytorch trainer {gpus} nvidia") as raised:
        check_on_target(Train(device=device, processes=processes), target)
    assert f"train.processes={gpus}" in raised.value.remedy


def test_auto_takes_no_tpu_in_pytorch_so_a_target_that_gives_one_is_refused() -> None:
    target = with_accelerators(pytorch=TPU, tensorflow=TPU)
    with pytest.raises(SettingsError, match="would be held unused") as raised:
        check_on_target(Train(device="auto"), target)
    assert "train.device=tpu" in raised.value.remedy


@pytest.mark.parametrize(
    ("framework", "processes", "fits"),
    [
        ("pytorch", 1, True),
        ("pytorch", 2, True),
        ("pytorch", 3, False),
        ("pytorch", 4, True),
        ("tensorflow", 1, True),
        ("tensorflow", 2, True),
        ("tensorflow", 4, False),
    ],
)
def test_processes_are_held_to_the_nodes_before_anything_is_sent(
    framework: str, processes: int, fits: bool
) -> None:
    images = load_target("dev").images
    target = Target.model_validate(
        {
            "name": "x",
            "images": images,
            "workspace": {"claim": "shared"},
            "nodes": {framework: {"count": 2}},
        }
    )
    if fits:
        check_on_target(Train(processes=processes), target)
        return
    with pytest.raises(SettingsError, match=f"gives the {framework} trainer 2 nodes"):
        check_on_target(Train(processes=processes), target)


def test_one_process_does_not_leave_the_accelerator_to_nodes_that_are_not_started() -> None:
    target = Target.model_validate(
        {
            "name": "x",
            "images": load_target("dev").images,
            "workspace": {"claim": "shared"},
            "nodes": {"pytorch": {"count": 2}},
            "accelerators": {"pytorch": {"resource": "nvidia.com/gpu"}},
        }
    )
    check_on_target(Train(processes=2), target)
    with pytest.raises(SettingsError, match=r"the pytorch trainer 2 nvidia\.com/gpu"):
        check_on_target(Train(processes=4), target)
    with pytest.raises(SettingsError, match="to its 2 nodes alone"):
        check_on_target(Train(), target)


def test_this_machines_devices_are_not_a_targets() -> None:
    check_on_target(Train(device="cuda"), load_target("local"))


@pytest.mark.slow
def test_settings_that_do_not_go_with_the_target_leave_nothing_compiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.yaml"
    words = ["compile", "--target", "prod", "-o", str(file), "--settings", "flights"]
    assert main([*words, "--set", "train.device=cpu"]) == 2
    assert "train.device is cpu" in capsys.readouterr().err
    assert not file.exists()
    assert main(words) == 0
    assert file.exists()
    assert main(["compile", "--set", "train.device=cpu"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMAND.findall(PAGE))
def test_a_command_in_the_documentation_ends_as_it_says(
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    says = PAGE.partition(f"tandem {line}")[2].lstrip().startswith("is refused")
    assert main(shlex.split(line)) == (2 if says else 0), capsys.readouterr().err


def test_the_documentation_shows_commands_that_work_and_one_that_is_refused() -> None:
    assert len(COMMAND.findall(PAGE)) >= 3


def test_the_documentation_names_every_key_of_a_target() -> None:
    table = PAGE.partition("## Targets")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == set(Target.model_fields) - {"name"}


WORKSPACE = {"workspace": {"claim": "shared", "path": "/shared"}}
SECRET = {"secrets": {"TANDEM_SUBJECT_KEY_HEX": {"secret": "tandem-subjects", "key": "hex"}}}


def of_people(**parts: Any) -> Target:
    return Target.model_validate({"name": "x", "images": load_target("dev").images, **parts})


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({**SECRET}, "has no workspace: the index of subjects would go with its pod"),
        ({**WORKSPACE}, "gives no key of subjects"),
        (
            {**WORKSPACE, **SECRET, "environment": {"TANDEM_HOME": "/var/home"}},
            "is /var/home: the index of subjects would go with its pod",
        ),
    ],
)
def test_an_index_of_subjects_that_a_cluster_would_lose_is_refused(
    parts: dict[str, Any], why: str
) -> None:
    target = of_people(**parts)
    check_subjects(None, target)
    with pytest.raises(SettingsError, match=re.escape(why)):
        check_subjects("plane", target)


def test_an_index_of_subjects_lies_on_the_workspace_with_a_key_from_a_secret() -> None:
    check_subjects("plane", of_people(**WORKSPACE, **SECRET))
    home = {"environment": {"TANDEM_HOME": "/shared/other"}}
    check_subjects("plane", of_people(**WORKSPACE, **SECRET, **home))
    check_subjects("plane", load_target("local"))


def test_the_key_of_subjects_is_no_plain_value_of_a_target() -> None:
    with pytest.raises(ValueError, match="TANDEM_SUBJECT_KEY_HEX looks like a secret"):
        of_people(environment={"TANDEM_SUBJECT_KEY_HEX": "a"})


def test_compiling_for_a_target_says_that_it_would_lose_an_index_of_subjects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("compile", "--target", "prod", "--settings", "flights")
    assert main([*words, "--set", "source.subject=tailnum"]) == 2
    assert "the target prod gives no key of subjects" in capsys.readouterr().err
