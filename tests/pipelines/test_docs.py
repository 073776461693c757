"""The settings in the documentation are settings, and its figures those that were measured."""

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


def measured(page: str, row: str) -> float:
    """Return the median in a row of a page of benchmarks: behind the count of the runs."""
    (line,) = (line for line in read(page).splitlines() if line.startswith(f"| {row} |"))
    return float(line.split("|")[3])


def read(page: str) -> str:
    return (REPOSITORY / "docs" / page).read_text()


def test_the_figures_of_a_larger_scale_are_those_of_the_benchmarks() -> None:
    run = measured("benchmarks.md", "default run, nothing cached")
    cached = measured("benchmarks.md", "default run, everything cached")
    short = measured("benchmarks-audit.md", "100,000 records verified, s")
    real = measured("benchmarks-audit.md", "10,000 records of whole runs verified, s")
    day = 21_000 * real / 10_000
    for figure in (
        f"takes {run:.0f} s on two cores, {cached:.0f} s where all is cached",
        f"{86_400 / run // 100 * 100:,.0f} a day, calculated",
        f"{real / 10:.2f} ms a record of real runs, flat memory; {short / 100:.2f} ms for short",
        f"{day:.0f} s for a day, {day * 365 / 60:.0f} minutes for a year",
    ):
        assert figure in read("scale.md")
