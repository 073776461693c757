"""Artifacts in a bucket: the same digest as on a disk, read where the notary may read alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gcs import serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kfp.dsl import Artifact
from served_bucket import served_bucket

from components.audit.claims import check_outputs
from components.core.artifacts import tree_digest
from components.core.buckets import (
    PLACE_VARIABLE,
    get_tree,
    put_tree,
    require_allowed,
    require_readable_place,
    stored_digest,
)
from components.core.errors import IntegrityError, PlatformError
from components.core.ports import claim
from components.core.s3_objects import client
from pipelines.cli import main

pytestmark = pytest.mark.slow
NAMES = st.text("abcäö .-_+", min_size=1, max_size=8).filter(lambda name: name.strip(". "))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with served_bucket("artifacts") as address:
        yield address


@pytest.fixture(scope="module")
def google() -> Iterator[None]:
    with serving({}, "artifacts") as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", address)
        yield


@given(st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=5))
@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_artifact_has_the_same_digest_in_a_bucket(
    bucket: str, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("artifact")
    for name, data in files.items():
        (folder / "below").mkdir(exist_ok=True)
        (folder / "below" / name).write_bytes(data)
    uri = f"{bucket}/{folder.name}"
    put_tree(folder, uri)
    assert stored_digest(uri) == tree_digest(folder)


@pytest.mark.parametrize("scheme", ["s3", "minio", "gs"])
def test_an_artifact_is_put_hashed_and_fetched_by_each_scheme(
    bucket: str, google: None, tmp_path: Path, scheme: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    large = bytes(range(256)) * 2**13  # more than one chunk
    for name, data in {"a.json": b"{}", "empty": b"", "b/c d+é.bin": large}.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(data)
    uri = f"{scheme}://artifacts/{scheme}/of-a-run"
    put_tree(here, uri)
    put_tree(here / "b", f"{uri}-more")  # another artifact
    assert stored_digest(uri) == tree_digest(here)
    get_tree(uri, there)
    assert tree_digest(there) == tree_digest(here)
    (here / "a.json").write_text("[]")
    put_tree(here, uri)
    assert stored_digest(uri) == tree_digest(here) != tree_digest(there)


@pytest.mark.parametrize("scheme", ["s3", "minio", "gs"])
def test_a_notary_hashes_an_output_where_kfp_keeps_it(
    bucket: str, google: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    root = f"{scheme}://artifacts/{scheme}-root"
    monkeypatch.setenv(PLACE_VARIABLE, root)
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "rows").write_text("1")
    port = Artifact(name="examples", uri=f"{root}/run/examples")
    port.custom_path = str(folder)
    claimed = claim("examples", tree_digest(folder), port)
    shutil.rmtree(folder)  # the notary's machine has no such path
    draft = {"event": "COMPLETE", "stage": "ingest_examples", "outputs": [claimed]}
    check_outputs(draft)
    (tmp_path / "rows").write_text("2")
    put_tree(tmp_path, port.uri)
    with pytest.raises(IntegrityError, match="is not what the stage claims"):
        check_outputs(draft)
    monkeypatch.setenv(PLACE_VARIABLE, f"{root}/other")
    with pytest.raises(IntegrityError, match="is not below"):
        check_outputs(draft)


@pytest.mark.parametrize("scheme", ["s3", "minio", "gs"])
def test_nothing_there_is_an_error_of_each_scheme(bucket: str, google: None, scheme: str) -> None:
    with pytest.raises(IntegrityError, match="nothing is stored"):
        stored_digest(f"{scheme}://artifacts/nothing")


@pytest.mark.parametrize("scheme", ["s3", "minio", "gs"])
def test_a_bucket_that_is_not_there_is_said(
    bucket: str, google: None, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(PlatformError, match=f"{scheme}://no-such-bucket/x cannot be used"):
        put_tree(tmp_path, f"{scheme}://no-such-bucket/x")


@pytest.mark.parametrize("place", ["/mnt/artifacts", "azure://box/root", "artifacts"])
def test_a_place_that_no_notary_reads_is_refused_at_its_start(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(PLACE_VARIABLE, place)
    words = ["audit", "notary", "--home", str(tmp_path), "--listen", "192.0.2.1:1", "--json"]
    assert main(words) == 2
    assert f"is not the address of a bucket: {place}" in capsys.readouterr().out
    monkeypatch.setenv(PLACE_VARIABLE, "minio://mlpipeline/v2/artifacts")
    require_readable_place()


def test_a_byte_that_was_changed_there_is_another_digest(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    put_tree(tmp_path, f"{bucket}/one")
    put_tree(tmp_path, f"{bucket}/one-more")
    before = stored_digest(f"{bucket}/one")
    assert before == tree_digest(tmp_path), "one-more is another artifact"
    client().put_object(Bucket="artifacts", Key="one/a.json", Body=b"[]")
    assert stored_digest(f"{bucket}/one") != before
    client().put_object(Bucket="artifacts", Key="one-more/b.json", Body=b"")
    assert stored_digest(f"{bucket}/one-more") != before


def test_what_is_not_there_is_an_error(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="nothing is stored"):
        stored_digest(f"{bucket}/nothing")
    with pytest.raises(PlatformError, match="cannot be used"):
        stored_digest("s3://no-such-bucket/x")
    (tmp_path / "a").write_text("")
    with pytest.raises(PlatformError, match="cannot be used"):
        put_tree(tmp_path, "s3://no-such-bucket/x")


@pytest.mark.parametrize(
    ("place", "uri", "allowed"),
    [
        ("s3://ours/root", "s3://ours/root/run/x", True),
        ("s3://ours/root/", "s3://ours/root/run/x", True),
        ("s3://ours/root", "s3://ours/rooted/x", False),
        ("s3://ours/root", "s3://theirs/root/x", False),
        ("s3://ours/root", "s3://ours/root/../secret", False),
        ("", "s3://ours/root/x", False),
    ],
)
def test_a_notary_reads_below_its_place_alone(
    place: str, uri: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLACE_VARIABLE, place)
    if allowed:
        require_allowed(uri)
        return
    with pytest.raises(IntegrityError, match="is not below"):
        require_allowed(uri)
