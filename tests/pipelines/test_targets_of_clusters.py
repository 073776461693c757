"""Targets: what one may say, what is refused, and the command that compiles for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.errors import SettingsError
from pipelines.cli import main
from pipelines.stage_resources import DEFAULTS, Resources
from pipelines.target import FOLDER, Target, load_target
from pipelines.training import training

DIGEST = "sha256:" + "a" * 64
IMAGES = {part: f"registry.example/{part}@{DIGEST}" for part in ("data", "pytorch", "tensorflow")}
IMAGES["registry"] = f"localhost:5000/registry@{DIGEST}"
SLICE = {"resource": "google.com/tpu", "tpu_type": "tpu-v5-lite-podslice", "tpu_topology": "4x4"}
SLICE_OF_4 = {**SLICE, "tpu_topology": "2x2", "count": 4}
SHARED = {"workspace": {"claim": "shared"}}
GOOD: dict[str, Any] = {"name": "mine", "images": IMAGES}


def written(folder: Path, **said: Any) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **said}))
    return str(path)


def test_a_target_is_a_name_or_a_file(tmp_path: Path) -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {"local", "dev", "prod"}
    assert load_target("prod").queue == "tandem"
    assert load_target(written(tmp_path)).images is not None


def test_every_stage_has_resources_and_an_end() -> None:
    stages = {
        task.replace("-", "_") for task in training.pipeline_spec.deployment_spec["executors"]
    }
    assert {stage.removeprefix("exec_") for stage in stages} <= set(DEFAULTS)
    for given in DEFAULTS.values():
        assert None not in given.model_dump().values()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"images": {**IMAGES, "data": "registry.example/data:latest"}}, "images.data"),
        ({"images": {k: v for k, v in IMAGES.items() if k != "registry"}}, "images.registry"),
        ({"resources": {"cpu_limit": "2x"}}, "resources.cpu_limit"),
        ({"resources": {"cpu_limit": "0"}}, "resources.cpu_limit"),
        ({"resources": {"memory_limit": "8"}}, "resources.memory_limit"),
        ({"stages": {"train_pytorsh": {}}}, "did you mean train_pytorch"),
        ({"retries": 3}, "did you mean retry"),
        ({"retry": {"backoff": "soon"}}, "retry.backoff"),
        ({"root": "/mnt/artifacts"}, "root"),
        ({"accelerators": {"pytorch": {"resource": "amd.com/gpu"}}}, "accelerators.pytorch"),
        ({"accelerators": {"jax": {"resource": "nvidia.com/gpu"}}}, "accelerators"),
        ({"accelerators": {"pytorch": {"resource": "google.com/tpu"}}}, "tpu_topology"),
        ({"nodes": {"pytorch": {"count": 2}}}, "need a workspace"),
        ({**SHARED, "nodes": {"pytorch": {"count": 1}}}, "nodes.pytorch.count"),
        (
            {**SHARED, "nodes": {"pytorch": {"count": 2}}, "accelerators": {"pytorch": SLICE_OF_4}},
            "not google.com/tpu",
        ),
        (
            {
                **SHARED,
                "nodes": {"tensorflow": {"count": 2}},
                "accelerators": {"tensorflow": {"resource": "nvidia.com/gpu"}},
            },
            "have CPUs",
        ),
        ({"environment": {"TANDEM_TRAINING_NODES": "{}"}}, "TANDEM_TRAINING_NODES is set from"),
        (
            {"accelerators": {"pytorch": {"resource": "nvidia.com/gpu", "tpu_type": "v5"}}},
            "google.com/tpu",
        ),
        ({"accelerators": {"tensorflow": SLICE | {"count": 4}}}, "4x4 has 16 chips"),
        ({"resources": {"memory_request": "4Gi"}}, "seal_run would ask for more memory (4Gi)"),
        ({"resources": {"cpu_limit": "1500m"}}, "more CPU (2) than it may use (1500m)"),
        ({"security": {"user": 0}}, "security.user"),
        ({"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}, "looks like a secret"),
        ({"environment": {"MLFLOW_TRACKING_URI": "http://u:p@mlflow"}}, "looks like a secret"),
        ({"environment": {"MLFLOW_TRACKING_URI": "https://tok3n@mlflow"}}, "looks like a secret"),
        ({"environment": {"SMTP_PWD": "x"}}, "looks like a secret"),
        ({"environment": {"SERVICE_APIKEY": "x"}}, "looks like a secret"),
        ({"environment": {"TOKEN_FILE": "the-token-itself"}}, "looks like a secret"),
        ({"environment": {"NOTE": "ghp_" + "a1B2" * 9}}, "looks like a secret"),
        ({"environment": {"TANDEM_NOTIFY_SLACK": "https://hooks"}}, "looks like a secret"),
        ({"environment": {"DB": "postgresql://h/d?password=x"}}, "looks like a secret"),
        ({"environment": {"TANDEM_IMAGE": "another"}}, "TANDEM_IMAGE is set from what"),
        ({"config_maps": {"TANDEM_TPU_CHIPS": {"config_map": "c", "key": "k"}}}, "TPU_CHIPS"),
        ({"environment": {"X": "1"}, "secrets": {"X": {"secret": "s", "key": "k"}}}, "twice"),
        ({"secrets": {"TOKEN": "the-value-itself"}}, "secrets.TOKEN"),
        ({"labels": {"team": "a b"}}, "labels"),
        ({"labels": {"app.kubernetes.io/component": "notary"}}, "component is set by Tandem"),
        ({"labels": {"pipeline/runid": "another"}}, "pipeline/runid is set by"),
        ({"labels": {"pipelines.kubeflow.org/v2_component": "false"}}, "is set by"),
        ({"labels": {"kueue.x-k8s.io/queue-name": "q"}}, "queue names one"),
    ],
)
def test_what_cannot_be_is_named_with_its_key(
    tmp_path: Path, said: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        load_target(written(tmp_path, **said))
    assert why in raised.value.message
    assert "mine.yaml" in raised.value.remedy


@pytest.mark.parametrize(
    ("less", "more"),
    [("500m", "0.6"), ("1900m", "2"), ("1000M", "1Gi"), ("1023Mi", "1Gi"), ("1Ti", "2T")],
)
def test_quantities_are_compared_by_what_they_mean(less: str, more: str) -> None:
    kind = "cpu" if less[-1] == "m" else "memory"
    for request, limit, refused in ((less, more, False), (more, less, True), (less, less, False)):
        said = {f"{kind}_request": request, f"{kind}_limit": limit}
        assert bool(Resources.model_validate(said).problem()) is refused


def test_an_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="no target staging") as raised:
        load_target("staging")
    assert "dev, local, prod" in raised.value.remedy


@pytest.mark.slow
def test_the_command_compiles_for_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prod.yaml"
    assert main(["compile", "--target", "prod", "-o", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["compile", "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert said["sha256"] != here["sha256"]
    assert said["shipped_sha256"] == here["shipped_sha256"]
    assert "accelerator" in file.read_text()


@pytest.mark.slow
def test_the_command_says_which_images_no_pod_could_pull(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (FOLDER / "dev.yaml").read_text()
    own = tmp_path / "own.yaml"
    for zeros, told in ((4, "data, pytorch, registry, tensorflow"), (1, "registry"), (0, None)):
        own.write_text(text.replace("0" * 64, "a1" * 32, 4 - zeros))
        assert main(["compile", "--target", str(own), "-o", str(tmp_path / "out.yaml")]) == 0
        error = capsys.readouterr().err
        assert error == "" if told is None else f"digests of zeros for {told}: no pod" in error


@pytest.mark.slow
def test_the_command_writes_kubernetes_objects(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compile", "--target", "dev", "--kubernetes", "--namespace", "team"]
    assert main(words) == 0
    kinds = [item["kind"] for item in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds == ["Pipeline", "PipelineVersion"]


@pytest.mark.parametrize(
    "words",
    [
        ["--kubernetes"],
        ["--target", "dev", "--namespace", "team"],
        ["--target", "nowhere"],
        ["--target", "nowhere.yaml"],
    ],
)
def test_the_command_refuses_what_makes_no_sense(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.yaml"
    assert main(["compile", *words, "-o", str(file)]) == 2
    assert "remedy" in capsys.readouterr().err
    assert not file.exists()


def test_a_namespace_that_can_be_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Team A!", "team_a", "team-", "t" * 64, "team-a\n"):
        assert main(["compile", "--target", "dev", "--kubernetes", "--namespace", name]) == 2
        assert "is no namespace" in capsys.readouterr().err


def test_what_looks_like_a_secret_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, environment={"NOTE": "ghp_" + "a1B2" * 9})
    assert main(["compile", "--target", path]) == 2
    assert "a1B2" not in capsys.readouterr().err
    assert Target.model_validate(GOOD).secrets == {}
