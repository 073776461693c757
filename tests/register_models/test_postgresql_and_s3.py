"""A registry in a real PostgreSQL, whose files lie in a bucket (moto's S3, over HTTP)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
import served_bucket
from local_postgresql import PASSWORD, running
from prepared_run import run_tandem
from release_chain import Chain

from components.core.artifacts import tree_digest
from components.register_models.champion import resolve_champion
from components.register_models.store import opened_store

pytestmark = pytest.mark.slow
BUCKET = "registry"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    """The addresses of a PostgreSQL and of an S3 server."""
    with served_bucket.serving() as s3, running() as database:
        yield database, s3


@pytest.fixture
def bucket(servers, notary, monkeypatch):
    """Name both in the environment, as docs/registry.md says, and give the bucket's client."""
    database, endpoint = servers
    store = {
        "MLFLOW_TRACKING_URI": database.replace("postgresql://", "postgresql+pg8000://"),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"s3://{BUCKET}/models",
    }
    for name, value in (store | served_bucket.variables(endpoint, PASSWORD)).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket=BUCKET)
    return client


def _keys(bucket, end):
    listed = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    return [item["Key"] for item in listed if item["Key"].endswith(end)]


def test_a_version_its_files_and_its_proof_are_found_there_and_reconciled(
    bucket, home, tmp_path, capfd
):
    chain = Chain(tmp_path).until_decision()
    found = chain.register()
    assert chain.register() == found
    with opened_store() as client:
        version = client.get_model_version_by_alias("flights", "candidate")
        client.set_registered_model_alias("flights", "champion", version.version)
    assert version.tags["tandem.model_sha256"] == found["candidate"]["model_sha256"]
    assert len(_keys(bucket, "evidence/proof.json")) == 2
    assert not (home / "mlartifacts").exists()
    assert not (home / "mlflow.db").exists()
    champion = resolve_champion("flights")
    assert (
        tree_digest(home / "champions" / champion["bundle_sha256"])
        == (found["candidate"]["bundle_sha256"])
    )
    where = [("alias", "flights@champion")]
    assert _reconciled(home) == (4, where)

    (key,) = [key for key in _keys(bucket, "bundle/model.onnx") if "pytorch" in key]
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"other")
    assert _reconciled(home) == (4, [*where, *[("stored files", "flights@1")] * 2])
    for name in _keys(bucket, ""):
        bucket.delete_object(Bucket=BUCKET, Key=name)
    bucket.delete_bucket(Bucket=BUCKET)
    code, printed = run_tandem("models", "reconcile", "--home", str(home))
    assert code == 5
    assert PASSWORD not in printed + "".join(capfd.readouterr())


def _reconciled(home):
    code, printed = run_tandem("models", "reconcile", "--json", "--home", str(home))
    return code, [(item["check"], item["where"]) for item in json.loads(printed)["findings"]]
