"""What a record says of the machine that a stage ran on."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.audit.personal_data import pattern_in
from components.core.errors import SettingsError
from components.core.machine import _cpu, machine

PINNED = "registry.example:5000/team/tandem@sha256:" + "5" * 64


def test_processor_and_memory_are_named_and_no_image_outside_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TANDEM_IMAGE", raising=False)
    said = machine()
    assert said.keys() - {"gpus"} == {"cpu", "cpus", "memory"}
    assert int(said["cpus"]) >= 1
    assert said["memory"].endswith(" GiB")


def test_an_image_is_named_by_its_digest_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_IMAGE", PINNED)
    assert machine()["image"] == PINNED
    monkeypatch.setenv("TANDEM_IMAGE", "registry.example:5000/team/tandem:latest")
    with pytest.raises(SettingsError, match="no image by its digest"):
        machine()


@pytest.mark.parametrize("said", ["Xeon(R) Platinum 8481C CPU @ 2.70GHz", PINNED, "15.6 GiB"])
def test_nothing_of_a_machine_looks_like_personal_data(said: str) -> None:
    assert pattern_in(said) is None
    assert pattern_in(machine()["cpu"]) is None


def test_a_processor_without_a_name_is_told_by_its_architecture(tmp_path: Path) -> None:
    named, nameless = tmp_path / "named", tmp_path / "nameless"
    named.write_text("processor : 0\nmodel name\t: Xeon @ 2.70GHz\nprocessor : 1\n")
    nameless.write_text("processor : 0\n")
    assert _cpu(named) == "Xeon @ 2.70GHz"
    assert _cpu(nameless) == _cpu(tmp_path / "absent") != ""
