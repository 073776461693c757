"""TFDV's own page of the statistics: TFDV's bytes, the same twice, and no word of it unsaid."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from small_examples import small_rows, write_examples

from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shards = {("train", "2013-01"): small_rows(90), ("eval", "2013-02"): small_rows(30, 90)}
    return write_examples(tmp_path_factory.mktemp("examples"), shards)


@pytest.fixture
def statistics(
    folder: Path, small_settings: Callable[..., ValidateSettings], tmp_path: Path
) -> Path:
    places = {name: tmp_path / name for name in ("statistics", "validation")}
    for place in places.values():
        place.mkdir()
    validate_examples(settings=small_settings(), examples=folder, **places)
    return places["statistics"]


def test_our_page_links_to_tfdvs_and_says_which_hosts_opening_that_asks(statistics: Path) -> None:
    ours = (statistics / "statistics.html").read_text()
    said = re.search(r'<a href="facets.html">[^<]*</a>, which loads[^<]*', ours)
    hosts = set(re.findall(r"https?://([^/\"']+)", (statistics / "facets.html").read_text()))
    assert hosts == {"cdnjs.cloudflare.com", "raw.githubusercontent.com"}
    assert said is not None
    assert all(host in said.group() for host in hosts)


def test_the_page_holds_the_statistics_of_both_splits_in_bytes_that_repeat(
    statistics: Path,
) -> None:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    found = re.search(r'proto-input="([^"]+)"', (statistics / "facets.html").read_text())
    assert found is not None
    held = DatasetFeatureStatisticsList.FromString(base64.b64decode(found[1]))
    assert [(d.name, d.num_examples) for d in held.datasets] == [("train", 90), ("eval", 30)]
    for dataset in held.datasets:
        file = statistics / f"Split-{dataset.name}" / "FeatureStats.pb"
        assert DatasetFeatureStatisticsList.FromString(file.read_bytes()).datasets[0] == dataset
    assert base64.b64decode(found[1]) == held.SerializeToString(deterministic=True)


def test_writing_it_opens_no_connection(
    statistics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    from components.validate_examples.facets import write_facets

    def refuse(*_: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    splits = {
        split: DatasetFeatureStatisticsList.FromString(
            (statistics / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        )
        for split in ("train", "eval")
    }
    write_facets(tmp_path, splits)
    assert (tmp_path / "facets.html").read_bytes() == (statistics / "facets.html").read_bytes()
