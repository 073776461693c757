"""The DAG on targets: what every task gets there, and that what it does is what runs here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.image import IMAGE_OF_STAGE
from components.core.training_nodes import NODES_VARIABLE, POD_VARIABLES, nodes_here
from pipelines import compiler
from pipelines.compiler import IMPORTING, LAUNCHING, TRAINING
from pipelines.placement import placed_on
from pipelines.shipped import shipped_sha256
from pipelines.stage_resources import DEFAULTS
from pipelines.target import Target, load_target

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CLUSTERS = ("dev", "prod")
QUANTITIES = (
    "resourceCpuRequest",
    "resourceCpuLimit",
    "resourceMemoryRequest",
    "resourceMemoryLimit",
)


def on_a_short_stack(function: Callable[..., str]) -> Callable[..., str]:
    """Return the function, called in a thread: kfp reads the whole stack for each setting."""

    def call(*words: Any) -> str:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *words).result()

    return call


compiled, manifests = map(on_a_short_stack, (compiler.compiled, compiler.manifests))


@pytest.fixture(scope="module")
def plain() -> str:
    return compiled()


@pytest.fixture(scope="module", params=CLUSTERS)
def target(request: pytest.FixtureRequest) -> Target:
    return load_target(request.param)


@pytest.fixture(scope="module")
def text(target: Target) -> str:
    return compiled(TRAINING, target)


@pytest.fixture(scope="module")
def documents(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def of_both_dags(target: Target, documents: list[Any]) -> list[list[Any]]:
    return [documents, list(yaml.safe_load_all(compiled(IMPORTING, target)))]


def executors(documents: list[Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield (stage, container, its Kubernetes part)."""
    spec, platform = documents
    parts = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for name, executor in spec["deploymentSpec"]["executors"].items():
        stage = name.removeprefix("exec-").replace("-", "_")
        yield stage, executor["container"], parts[name]


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"]}


def test_what_is_compiled_for_a_target_is_the_golden_one(target: Target, text: str) -> None:
    golden = GOLDEN / f"training.{target.name}.yaml"
    renew = f"tandem compile --target {target.name} -o tests/golden/{golden.name}"
    assert text == golden.read_text(), f"if it was to change: {renew}"
    assert compiled(TRAINING, target) == text


def test_what_a_schedule_runs_is_the_golden_one(target: Target) -> None:
    golden = GOLDEN / f"launching.{target.name}.yaml"
    renew = (
        "from pipelines.compiler import *; from pipelines.target import *; "
        f"print(compiled(LAUNCHING, load_target({target.name!r})), end='')"
    )
    text = compiled(LAUNCHING, target)
    assert text == golden.read_text(), f'if it was to change: python -c "{renew}" > {golden.name}'
    assert "access-ml-pipeline: 'true'" in text
    assert "kueue" not in text, "it waits for tasks that wait for the quota that it would hold"


def test_this_machines_target_is_the_plain_form(plain: str) -> None:
    assert compiled(TRAINING, load_target("local")) == plain


@pytest.mark.slow
@pytest.mark.parametrize("dag", [TRAINING, IMPORTING])
def test_what_runs_here_is_what_is_shipped(target: Target, dag: str) -> None:
    assert compiled(dag, target) != compiled(dag)
    assert shipped_sha256(compiled(dag, target)) == shipped_sha256(compiled(dag))
    assert shipped_sha256(manifests(dag, target, "x")) == shipped_sha256(compiled(dag))


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("import train_pytorch as step", "import train_tensorflow as step"),
        ("        - --function_to_execute\n", "        - --function\n"),
        ("          - train-pytorch\n", ""),
    ],
)
def test_another_command_or_wiring_is_no_longer_what_was_run(
    plain: str, what: str, by: str
) -> None:
    assert what in plain
    assert shipped_sha256(plain.replace(what, by, 1)) != shipped_sha256(plain)


def test_every_task_gets_all_that_the_target_says(
    target: Target, of_both_dags: list[list[Any]]
) -> None:
    found = [executor for documents in of_both_dags for executor in executors(documents)]
    assert {stage for stage, _, _ in found} == set(IMAGE_OF_STAGE)
    for stage, container, pod in found:
        given = target.of_stage(stage)
        image = getattr(target.images, IMAGE_OF_STAGE[stage])
        assert container["image"] == image
        assert variables(container)["TANDEM_IMAGE"] == image, "records name it"
        expected = [given.cpu_request, given.cpu_limit, given.memory_request, given.memory_limit]
        assert [container["resources"][name] for name in QUANTITIES] == expected
        assert int(pod["activeDeadlineSeconds"]) == given.timeout_seconds
        context = {"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": True}
        assert pod["securityContext"] == context
        labels = pod["podMetadata"]["labels"]
        assert labels["app.kubernetes.io/component"] == stage
        assert labels.get("kueue.x-k8s.io/queue-name") == target.queue
        assert labels["environment"] == target.name
        assert pod["imagePullPolicy"] == target.pull_policy
        (volume,) = pod["pvcMount"]
        assert target.workspace is not None
        assert volume["pvcNameParameter"]["runtimeValue"]["constant"] == target.workspace.claim
        assert volume["mountPath"] == target.workspace.path
        mounts = [(item["configMapName"], item["mountPath"]) for item in pod["configMapAsVolume"]]
        assert mounts == [(mount.config_map, mount.path) for mount in target.mounts]
        settled = variables(container)
        assert {name: settled[name] for name in target.environment} == target.environment
        threads = {"1": "1", "2": "2", "4": "4", "8": "8"}[str(given.cpu_limit)]
        for name in ("TANDEM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
            assert settled[name] == threads, "as many as it has cores"


@pytest.mark.parametrize(
    ("given", "threads"), [({}, "1"), ({"OMP_NUM_THREADS": "6"}, "6"), ({"OTHER": "6"}, "1")]
)
def test_a_part_of_a_core_is_one_thread_and_a_target_may_say_otherwise(
    target: Target, given: dict[str, str], threads: str
) -> None:
    values = target.model_dump(mode="json", by_alias=True, exclude_none=True)
    part = {"seal_run": {"cpu_request": "500m", "cpu_limit": "500m"}}
    more = {"stages": part, "environment": {**target.environment, **given}}
    documents = list(yaml.safe_load_all(compiled(TRAINING, Target.model_validate(values | more))))
    (container,) = (one for stage, one, _ in executors(documents) if stage == "seal_run")
    assert variables(container)["OMP_NUM_THREADS"] == threads
    assert variables(container)["TANDEM_THREADS"] == "1"


def tasks(spec: Mapping[str, Any]) -> dict[str, Any]:
    (stages,) = (part["dag"] for part in spec["components"].values() if "dag" in part)
    return {**stages["tasks"], **spec["root"]["dag"]["tasks"]}


def test_what_the_platform_gets_wrong_is_tried_again_and_kfps_cache_is_off(
    target: Target, documents: list[Any]
) -> None:
    found = tasks(documents[0])
    stages = {name: task for name, task in found.items() if name != "exit-handler-1"}
    assert len(stages) == 10
    for name, task in stages.items():
        assert task.get("cachingOptions", {}) == {}, name
        if name != "seal-run":
            assert task["retryPolicy"]["maxRetryCount"] == target.retry.number, name
            assert task["retryPolicy"]["backoffFactor"] == target.retry.factor, name
            seconds = int(task["retryPolicy"]["backoffDuration"].removesuffix("s"))
            assert target.retry.backoff == f"{seconds}s", name


def test_the_closing_record_is_the_exit_task_and_neither_trainer_waits_for_the_other(
    documents: list[Any],
) -> None:
    found = tasks(documents[0])
    closing = found["seal-run"]
    assert closing["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert closing["dependentTasks"] == ["exit-handler-1"]
    trainers = {"train-pytorch", "train-tensorflow"}
    for trainer in trainers:
        reached, waiting = set(), [trainer]
        while waiting:
            before = found[waiting.pop()].get("dependentTasks", [])
            waiting += [name for name in before if name not in reached]
            reached |= set(before)
        assert not reached & trainers


def test_the_trainers_alone_get_accelerators(documents: list[Any], target: Target) -> None:
    for stage, container, pod in executors(documents):
        accelerator = container["resources"].get("accelerator", {})
        kind = accelerator.get("resourceType")
        if target.name == "dev" or not stage.startswith("train_"):
            assert (kind, pod.get("nodeSelector"), pod.get("tolerations")) == (None, None, None)
            continue
        (toleration,) = pod["tolerations"]
        assert toleration == {"key": kind, "operator": "Exists", "effect": "NoSchedule"}
        labels, count = pod["nodeSelector"]["labels"], accelerator["resourceCount"]
        if stage == "train_pytorch":
            assert (kind, count) == ("nvidia.com/gpu", "1")
            assert labels == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
            assert "TANDEM_TPU_CHIPS" not in variables(container)
        else:
            assert (kind, count) == ("google.com/tpu", "4")
            assert labels["cloud.google.com/gke-tpu-accelerator"] == "tpu-v5-lite-podslice"
            assert labels["cloud.google.com/gke-tpu-topology"] == "2x2"
            assert variables(container)["TANDEM_TPU_CHIPS"] == "4"
            assert variables(container)["TANDEM_ACCELERATOR"] == "google.com/tpu"


@pytest.mark.slow
def test_nodes_get_what_their_trainer_would_and_the_trainer_no_accelerator() -> None:
    prod = load_target("prod").model_dump(mode="json", exclude_none=True)
    del prod["accelerators"]["tensorflow"]
    nodes = {"pytorch": {"count": 4, "runtime": "torch-own"}, "tensorflow": {"count": 2}}
    found = yaml.safe_load_all(compiled(TRAINING, Target.model_validate({**prod, "nodes": nodes})))
    for stage, container, pod in executors(list(found)):
        own = variables(container)
        assert "accelerator" not in container["resources"]
        fields = {item["name"] for item in pod.get("fieldPathAsEnv", ())}
        if not stage.startswith("train_"):
            assert NODES_VARIABLE not in own and not fields & set(POD_VARIABLES)
            continue
        told = nodes_here(own)
        assert told is not None and fields >= set(POD_VARIABLES)
        assert (told.image, told.claim, told.path) == (
            container["image"],
            "tandem-workspace",
            "/tandem",
        )
        given = {"TANDEM_ACCELERATOR": "nvidia.com/gpu"} if stage == "train_pytorch" else {}
        assert told.environment == prod["environment"] | given
        assert told.queue == {"kueue.x-k8s.io/queue-name": "tandem"}
        assert told.requests["memory"] == container["resources"]["resourceMemoryRequest"]
        if stage == "train_pytorch":
            assert (told.count, told.runtime) == (4, "torch-own")
            assert told.limits == {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}
            assert told.node_selector == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
            taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
            assert told.tolerations == (taint,)
        else:
            assert (told.count, told.node_selector, told.tolerations) == (2, {}, ())


def test_secrets_and_config_maps_are_named_and_nowhere_written(
    target: Target, of_both_dags: list[list[Any]]
) -> None:
    found = [executor for documents in of_both_dags for executor in executors(documents)]
    for _, container, pod in found:
        given = variables(container)
        named = {
            key["envVar"]: (secret["secretName"], key["secretKey"])
            for secret in pod["secretAsEnv"]
            for key in secret["keyToEnv"]
        }
        assert named == {name: (at.secret, at.key) for name, at in target.secrets.items()}
        maps = {
            key["envVar"]: (entry["configMapName"], key["configMapKey"])
            for entry in pod["configMapAsEnv"]
            for key in entry["keyToEnv"]
        }
        assert maps == {name: (at.config_map, at.key) for name, at in target.config_maps.items()}
        assert not {*named, *maps} & set(given)
        assert given["TANDEM_NOTARY"].startswith("https://")
        assert given["TANDEM_CACHE"] == "/tandem/cache"


@pytest.mark.slow
def test_the_form_for_kubernetes_holds_the_same_and_is_named_by_its_digest(target: Target) -> None:
    text = manifests(TRAINING, target, "team")
    assert manifests(TRAINING, target, "team") == text
    pipeline, version = yaml.safe_load_all(text)
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert {item["metadata"]["namespace"] for item in (pipeline, version)} == {"team"}
    spec, platform = yaml.safe_load_all(compiled(TRAINING, target))
    assert version["spec"]["pipelineSpec"] == spec
    assert version["spec"]["platformSpec"] == platform
    other = target.model_copy(update={"queue": "another"})
    changed = list(yaml.safe_load_all(manifests(TRAINING, other, "team")))[1]
    assert changed["metadata"]["name"] != version["metadata"]["name"]


def test_a_target_ends_with_the_block_that_it_is_for(plain: str) -> None:
    with pytest.raises(KeyError), placed_on(load_target("dev")):
        raise KeyError
    assert compiler.compiled() == plain  # in this thread, whose context it would have stayed in


def test_of_a_stage_what_is_said_last_counts() -> None:
    said = {
        "name": "x",
        "resources": {"cpu_limit": "4", "cpu_request": "500m"},
        "stages": {"train_pytorch": {"cpu_limit": "7"}},
    }
    target = Target.model_validate(said)
    assert target.of_stage("train_pytorch").cpu_limit == "7"
    assert target.of_stage("seal_run").cpu_limit == "4"
    assert target.of_stage("seal_run").memory_limit == DEFAULTS["seal_run"].memory_limit
