"""The settings in the documentation are settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.loaded_settings import parse_settings
from pipelines.settings_file import REPOSITORY, read_yaml

FLIGHTS = REPOSITORY / "pipelines" / "examples" / "flights" / "settings.yaml"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[Any]:
    pages = [*sorted((REPOSITORY / "docs").glob("*.md")), REPOSITORY / "README.md"]
    return [
        pytest.param(
            block[1], id=f"{page.name}:{page.read_text()[: block.start()].count(chr(10)) + 1}"
        )
        for page in pages
        for block in BLOCK.finditer(page.read_text())
    ]


@pytest.mark.parametrize("block", blocks())
def test_a_block_of_the_documentation_is_part_of_a_settings_file(
    block: str, tmp_path: Path
) -> None:
    file = tmp_path / "block.yaml"
    file.write_text(block)
    part = read_yaml(file)
    settings = read_yaml(FLIGHTS) | part
    if "source" in part:  # the slices and drift columns of flights are not those of another source
        settings = settings | {"evaluate": {}, "checks": {}} | part
        if part["source"].get("spans", {}).get("unit") == "none":
            del settings["window"]
    assert parse_settings(settings, "the documentation")
