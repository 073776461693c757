"""Artifacts: manifests, digests, atomic files."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.artifacts import (
    copy_tree,
    manifest,
    read_json,
    same_files,
    tree_digest,
    write_json,
)
from components.core.errors import DataError, IntegrityError

contents = st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e"]), st.binary(max_size=9))


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder.mkdir(exist_ok=True)
    return folder


@given(contents, contents)
def test_two_folders_have_one_digest_exactly_when_their_files_agree(tmp_path_factory, one, two):
    first = write(tmp_path_factory.mktemp("one"), one)
    second = write(tmp_path_factory.mktemp("two"), two)
    assert (tree_digest(first) == tree_digest(second)) == (one == two)


def test_times_and_modes_do_not_change_the_digest(tmp_path):
    folder = write(tmp_path / "x", {"a": b"1"})
    before = tree_digest(folder)
    os.utime(folder / "a", (0, 0))
    (folder / "a").chmod(0o600)
    assert tree_digest(folder) == before


def test_a_link_inside_an_artifact_is_refused(tmp_path):
    folder = write(tmp_path / "x", {"a": b"1"})
    (folder / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match="passwd"):
        manifest(folder)


def test_a_linked_folder_inside_an_artifact_is_refused(tmp_path):
    folder = write(tmp_path / "x", {"a": b"1"})
    (folder / "outside").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(IntegrityError, match="outside"):
        tree_digest(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(IntegrityError, match="model is missing"):
        manifest(tmp_path / "model")


def test_a_copy_has_the_same_digest_and_its_own_files(tmp_path):
    folder = write(tmp_path / "x", {"a": b"1", "b/c": b"2"})
    copy_tree(folder, tmp_path / "y")
    assert tree_digest(tmp_path / "y") == tree_digest(folder)
    (tmp_path / "y" / "a").write_bytes(b"changed")
    assert (folder / "a").read_bytes() == b"1"


def test_the_difference_names_extra_missing_and_changed_files():
    lines = same_files({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "x", "d": "4"})
    assert lines == ["missing: a", "extra: d", "changed: c"]


def test_json_is_written_whole_and_read_back(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": [1.5, None]})
    assert read_json(tmp_path / "x.json") == {"a": [1.5, None], "b": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_json_file_cut_short_is_a_data_error_that_names_it(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1')
    with pytest.raises(DataError, match=r"x\.json is not JSON"):
        read_json(tmp_path / "x.json")
