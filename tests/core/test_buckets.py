"""Artifacts in a bucket: the same digest as on a disk, read where the notary may read alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_bucket import served_bucket

from components.core.artifacts import tree_digest
from components.core.buckets import (
    PLACE_VARIABLE,
    client,
    put_tree,
    require_allowed,
    stored_digest,
)
from components.core.errors import IntegrityError, PlatformError

pytestmark = pytest.mark.slow
NAMES = st.text("abcäö .-_+", min_size=1, max_size=8).filter(lambda name: name.strip(". "))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with served_bucket("artifacts") as address:
        yield address


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
