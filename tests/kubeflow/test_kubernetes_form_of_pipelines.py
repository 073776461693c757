"""A pipeline as objects of the cluster: what KFP's own definitions take, and nothing else.

The schemas are written here from kubeflow/pipelines, manifests/kustomize/base/crds,
pipelines.kubeflow.org_pipelines.yaml and pipelines.kubeflow.org_pipelineversions.yaml (v2beta1),
with displayName of a Pipeline, which kfp 2.17 writes. They are closed: Kubernetes drops a field
that a definition does not have, and kubectl refuses it. Both specs are left open there, and are
checked as the server's webhook does (apiserver/webhook/pipelineversion_webhook.go,
template/v2_template.go).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml
from kfp_pipelines import checked_spec
from kfp_wire import Refusal

from pipelines.compiler import IMPORTING, LAUNCHING, TRAINING, manifests
from pipelines.target import load_target

pytestmark = pytest.mark.slow

Manifest = dict[str, Any]
SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
TEXT = {"type": "string", "minLength": 1}


def closed(required: list[str], **properties: Any) -> Manifest:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def definition(kind: str, spec: Manifest) -> Manifest:
    """Return the schema of a kind; its names are those of Kubernetes' objects and namespaces."""
    name = {"type": "string", "pattern": SUBDOMAIN, "maxLength": 253}
    namespace = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
    return closed(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "pipelines.kubeflow.org/v2beta1"},
        kind={"const": kind},
        metadata=closed(["name", "namespace"], name=name, namespace=namespace),
        spec=spec,
    )


PIPELINE = definition("Pipeline", closed([], description=TEXT, displayName=TEXT))
VERSION = definition(
    "PipelineVersion",
    closed(
        ["pipelineSpec"],  # as the definition says
        codeSourceURL=TEXT,
        description=TEXT,
        displayName=TEXT,
        pipelineName=TEXT,
        pipelineSpec={"type": "object"},
        pipelineSpecURI=TEXT,
        platformSpec={"type": "object"},
    ),
)


@pytest.fixture(params=["dev", "prod"])
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@functools.cache
def compiled(dag: str, target: str) -> tuple[Manifest, Manifest]:
    """Return the two objects, the same ones each time."""
    pipeline, version = yaml.safe_load_all(manifests(dag, load_target(target), "team-a"))
    return pipeline, version


def objects(dag: str, target: str) -> tuple[Manifest, Manifest]:
    """Return the two objects of one's own; refuse what KFP's definitions and its webhook would."""
    pipeline, version = copy.deepcopy(compiled(dag, target))
    check(pipeline, version)
    return pipeline, version


def check(pipeline: Manifest, version: Manifest) -> None:
    jsonschema.Draft202012Validator(PIPELINE).validate(pipeline)
    jsonschema.Draft202012Validator(VERSION).validate(version)
    spec = version["spec"]
    checked_spec(yaml.safe_dump_all([spec["pipelineSpec"], spec["platformSpec"]]))


@pytest.mark.parametrize("dag", [TRAINING, IMPORTING, LAUNCHING])
def test_each_object_is_one_of_kfps_definitions(dag: str, target: str) -> None:
    pipeline, version = objects(dag, target)
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
    assert version["metadata"]["namespace"] == pipeline["metadata"]["namespace"]


def version_with(**more: Any) -> Callable[[Manifest, Manifest], None]:
    return lambda _, version: version["spec"].update(more)


def renamed(old: str, new: str) -> Callable[[Manifest, Manifest], None]:
    def change(_: Manifest, version: Manifest) -> None:
        version["spec"][new] = version["spec"].pop(old)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (version_with(pipelineVersionName="v1"), "pipelineVersionName"),
        (renamed("platformSpec", "platform_spec"), "platform_spec"),
        (renamed("pipelineSpec", "pipelineSpecs"), "pipelineSpec"),
        (version_with(pipelineName=7), "is not of type"),
        (lambda pipeline, _: pipeline["spec"].update(owner="team-a"), "owner"),
        (lambda pipeline, _: pipeline.update(apiVersion="pipelines.kubeflow.org/v1"), "v2beta1"),
        (lambda pipeline, _: pipeline["metadata"].update(name="Tandem"), "does not match"),
        (lambda _, version: version["spec"]["pipelineSpec"].update(rout={}), "rout"),
        (lambda _, version: version["spec"]["platformSpec"].update(platform={}), "platform"),
    ],
)
def test_what_the_definitions_do_not_have_is_refused(
    change: Callable[[Manifest, Manifest], None], message: str
) -> None:
    pipeline, version = objects(TRAINING, "dev")
    change(pipeline, version)
    with pytest.raises((jsonschema.ValidationError, Refusal), match=message):
        check(pipeline, version)
